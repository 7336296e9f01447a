#include "model/web_rules.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <memory>

namespace rbee::model {
namespace {

struct Block {
  std::uint32_t network;
  int bits;
};
// IANA's registry of special-purpose IPv4 addresses (RFC 6890 and its updates): none is on the internet.
constexpr std::array private_blocks = {Block{0x00000000, 8},  Block{0x0A000000, 8},  Block{0x64400000, 10},
                                       Block{0x7F000000, 8},  Block{0xA9FE0000, 16}, Block{0xAC100000, 12},
                                       Block{0xC0000000, 24}, Block{0xC0000200, 24}, Block{0xC0A80000, 16},
                                       Block{0xC6120000, 15}, Block{0xC6336400, 24}, Block{0xCB007100, 24},
                                       Block{0xE0000000, 4},  Block{0xF0000000, 4}};

bool is_private_v4(std::uint32_t address) {
  for (const Block& block : private_blocks) {
    if ((address ^ block.network) >> (32 - block.bits) == 0) return true;
  }
  return false;
}

// Global unicast (2000::/3) is public, but for what carries an IPv4 address or documents; all else is not.
bool is_private_v6(const in6_addr& address) {
  const auto* bytes = address.s6_addr;
  const auto v4_at = [bytes](int at) {
    return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
           std::uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
  };
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&address) != 0;
  constexpr std::array<unsigned char, 12> nat64 = {0, 0x64, 0xff, 0x9b};
  if (mapped || std::memcmp(bytes, nat64.data(), nat64.size()) == 0) return is_private_v4(v4_at(12));
  if ((bytes[0] & 0xE0) != 0x20) return true;
  if (bytes[0] == 0x20 && bytes[1] == 0x02) return is_private_v4(v4_at(2));                 // 6to4
  if (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0 && bytes[3] == 0) return true;  // Teredo
  return bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0d && bytes[3] == 0xb8;
}

using Url = std::unique_ptr<CURLU, void (*)(CURLU*)>;

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string copy = text;
  ::curl_free(text);
  return copy;
}

// A host that is written as an address; nothing is looked up.
bool is_private_literal(const std::string& host) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  // inet_aton also takes 127.1 and 2130706433, as resolvers do.
  if (::inet_aton(host.c_str(), &v4.sin_addr) != 0) return is_private(reinterpret_cast<const sockaddr&>(v4));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  if (::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &v6.sin6_addr) == 1)
    return is_private(reinterpret_cast<const sockaddr&>(v6));
  return equal_ignoring_case(host, "localhost") || lower(host).ends_with(".localhost");
}

bool is_excepted(const std::string& host, std::string_view no_proxy) {
  for (std::string_view rule : split(no_proxy, ',')) {
    rule = trim(rule);
    if (rule == "*") return true;
    while (rule.starts_with('.')) rule.remove_prefix(1);
    if (rule.empty()) continue;
    if (equal_ignoring_case(host, rule)) return true;
    if (host.size() > rule.size() && host[host.size() - rule.size() - 1] == '.' &&
        equal_ignoring_case(host.substr(host.size() - rule.size()), rule))
      return true;
  }
  return false;
}

}  // namespace

WebSettings web_settings(std::span<const std::string> environment) {
  const auto find = [environment](std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
      for (const std::string& variable : environment) {
        if (variable.size() > name.size() + 1 && variable.starts_with(name) && variable[name.size()] == '=')
          return variable.substr(name.size() + 1);
      }
    }
    return std::string();
  };
  WebSettings settings;
  if (std::string hub = find({"HF_ENDPOINT"}); !hub.empty()) settings.hub = std::move(hub);
  while (settings.hub.ends_with('/')) settings.hub.pop_back();
  settings.token = find({"HF_TOKEN"});
  // A token with a line break would add header lines.
  if (settings.token.find_first_of("\r\n") != std::string::npos) settings.token.clear();
  settings.https_proxy = find({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"});
  // HTTP_PROXY is left alone, as curl does: a web server's children get it from a client's header.
  settings.http_proxy = find({"http_proxy", "all_proxy", "ALL_PROXY"});
  settings.no_proxy = find({"no_proxy", "NO_PROXY"});
  return settings;
}

Result<UrlParts> parse_web_url(std::string_view url) {
  const Url parsed(::curl_url(), ::curl_url_cleanup);
  const std::string text(url);
  const bool good =
      ::curl_url_set(parsed.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER) == CURLUE_OK;
  UrlParts parts;
  if (good) {
    parts.scheme = lower(part_of(parsed.get(), CURLUPART_SCHEME));
    parts.host = lower(part_of(parsed.get(), CURLUPART_HOST));
    parts.port = part_of(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    const std::string query = part_of(parsed.get(), CURLUPART_QUERY);
    parts.target = cat(part_of(parsed.get(), CURLUPART_PATH), query.empty() ? "" : "?", query);
  }
  if (parts.host.starts_with('[')) parts.host = parts.host.substr(1, parts.host.size() - 2);
  if (!parts.host.empty()) return parts;
  return Error{ErrorCode::bad_request, cat("'", without_query(url), "' is no URL."), {}, {}};
}

Result<std::string> join_url(const std::string& base, const std::string& location) {
  const Url parsed(::curl_url(), ::curl_url_cleanup);
  const bool good =
      ::curl_url_set(parsed.get(), CURLUPART_URL, base.c_str(), 0) == CURLUE_OK &&
      ::curl_url_set(parsed.get(), CURLUPART_URL, location.c_str(), CURLU_DISALLOW_USER) == CURLUE_OK;
  std::string joined = good ? part_of(parsed.get(), CURLUPART_URL) : "";
  if (!joined.empty()) return joined;
  return Error{
      ErrorCode::bad_request,
      cat("'", without_query(base), "' redirects to '", without_query(location), "', which is no URL."),
      {},
      {}};
}

Result<void> check_url(std::string_view url, const WebSettings& settings) {
  const Result<UrlParts> parts = parse_web_url(url);
  if (!parts) return parts.error();
  if (parts->scheme != "https" && parts->scheme != "http") {
    return Error{
        ErrorCode::not_allowed, cat("'", without_query(url), "' is neither http nor https."), {}, {}};
  }
  if (settings.allow_private) return {};
  constexpr std::string_view hint = "--allow-private allows http, and addresses of private networks.";
  if (parts->scheme == "http") {
    return Error{ErrorCode::not_allowed, cat("'", without_query(url), "' is not https."), std::string(hint)};
  }
  if (is_private_literal(parts->host)) {
    return Error{ErrorCode::not_allowed, cat("'", without_query(url), "' leads into a private network."),
                 std::string(hint)};
  }
  return {};
}

bool is_private(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return is_private_v4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  if (address.sa_family == AF_INET6)
    return is_private_v6(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  return true;
}

std::string authorization_for(std::string_view url, const WebSettings& settings) {
  if (settings.token.empty()) return {};
  const Result<UrlParts> to = parse_web_url(url);
  const Result<UrlParts> hub = parse_web_url(settings.hub);
  if (!to || !hub || to->scheme != hub->scheme || to->host != hub->host || to->port != hub->port) return {};
  return cat("Authorization: Bearer ", settings.token);
}

std::string proxy_for(std::string_view url, const WebSettings& settings) {
  const Result<UrlParts> parts = parse_web_url(url);
  if (!parts || is_excepted(parts->host, settings.no_proxy)) return {};
  return parts->scheme == "https" ? settings.https_proxy : settings.http_proxy;
}

std::string without_query(std::string_view url) {
  return std::string(url.substr(0, url.find_first_of("?#")));
}

}  // namespace rbee::model
