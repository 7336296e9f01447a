#include "model/curl_request.h"

#include "base/text.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>

namespace rbee::model {
namespace {

constexpr int most_hops = 10;  // as browsers: 20; a hub's link takes two
constexpr long connect_within_ms = 15'000;
// libcurl's largest: fewer calls for each megabyte.
constexpr long buffer_bytes = 512L << 10;

// The key is compared before anything is sent; names and dates of certificates are not looked at.
void pin_key(CURL* curl, const WebSettings& settings) {
  std::string print = settings.pinned_key;
  std::ranges::replace(print, '-', '+');
  std::ranges::replace(print, '_', '/');
  ::curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
  ::curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  ::curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, cat("sha256//", print, "=").c_str());
  ::curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
  ::curl_easy_setopt(curl, CURLOPT_SSLKEY, settings.own_key_file.c_str());
  ::curl_easy_setopt(curl, CURLOPT_SSLCERT, settings.own_certificate_file.c_str());
}

}  // namespace

CurlRequest::CurlRequest(const WebSettings& settings, OnHead on_head, OnBody on_body)
    : settings_(settings), on_head_(std::move(on_head)), on_body_(std::move(on_body)) {
  CURL* curl = handle_.get();
  ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error_);
  ::curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  // Ranges of one file come faster over connections of their own than over streams of one.
  ::curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  // Each hop is checked before it is made: see follow().
  ::curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  ::curl_easy_setopt(curl, CURLOPT_USERAGENT, "rbee");
  ::curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_within_ms);
  ::curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  ::curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(settings.silence_s));
  ::curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, buffer_bytes);
  ::curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &take_header);
  ::curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
  ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take_body);
  ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  ::curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  ::curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, this);
  ::curl_easy_setopt(curl, CURLOPT_PRIVATE, this);
  if (!settings.pinned_key.empty()) pin_key(curl, settings);
}

Result<void> CurlRequest::aim(const std::string& url, const std::string& range, const std::string& accept) {
  if (Result<void> allowed = check_url(url, settings_); !allowed) return allowed;
  url_ = url;
  range_ = range;
  accept_ = accept;
  head_ = AnswerHead{};
  location_.clear();
  head_told_ = false;
  wanted_ = true;
  const std::string proxy = proxy_for(url, settings_);
  proxied_ = !proxy.empty();
  curl_slist* headers = ::curl_slist_append(nullptr, cat("Accept: ", accept).c_str());
  // It is made anew for each hop, so a token stays with the host it is for.
  if (const std::string token = authorization_for(url, settings_); !token.empty())
    headers = ::curl_slist_append(headers, token.c_str());
  CURL* curl = handle_.get();
  ::curl_easy_setopt(curl, CURLOPT_URL, url_.c_str());
  ::curl_easy_setopt(curl, CURLOPT_RANGE, range_.empty() ? nullptr : range_.c_str());
  ::curl_easy_setopt(curl, CURLOPT_PROXY, proxy.c_str());  // empty: none, whatever the environment says
  ::curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  headers_.reset(headers);
  return {};
}

bool CurlRequest::is_redirect() const {
  const int status = head_.status;
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Result<bool> CurlRequest::follow() {
  if (!is_redirect() || location_.empty()) return false;
  if (++hops_ > most_hops) {
    return Error{ErrorCode::source_unreachable,
                 cat("'", without_query(url_), "' redirects more than ", most_hops, " times."),
                 "The source is broken; name another one."};
  }
  const Result<std::string> next = join_url(url_, location_);
  if (!next) return next.error();
  if (url_.starts_with("https://") && !next->starts_with("https://") && !settings_.allow_private) {
    return Error{ErrorCode::not_allowed,
                 cat("'", without_query(url_), "' redirects from https to '", without_query(*next), "'."),
                 {},
                 {}};
  }
  if (Result<void> aimed = aim(*next, range_, accept_); !aimed) return aimed.error();
  return true;
}

std::string CurlRequest::failure_text(CURLcode code) const {
  if (code == CURLE_OK) return {};
  if (code == CURLE_OPERATION_TIMEDOUT) return cat("nothing came for ", settings_.silence_s, " s");
  if (code == CURLE_PARTIAL_FILE) return "the connection was cut in the middle";
  if (error_[0] != '\0') return error_;
  return ::curl_easy_strerror(code);
}

bool CurlRequest::bad_certificate(CURLcode code) const { return code == CURLE_PEER_FAILED_VERIFICATION; }

void CurlRequest::tell_head() {
  if (head_told_ || is_redirect()) return;
  head_told_ = true;
  wanted_ = on_head_(head_);
}

void CurlRequest::read_header(std::string_view line) {
  line = trim(line);
  if (line.starts_with("HTTP/")) {
    const std::size_t space = line.find(' ');
    head_ = AnswerHead{};
    location_.clear();
    if (space != std::string_view::npos)
      head_.status = parse_int<int>(trim(line.substr(space)).substr(0, 3)).value_or(0);
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (name == "etag") head_.etag = value;
  if (name == "content-type") head_.content_type = value;
  if (name == "content-length") head_.length = parse_int<std::uint64_t>(value);
  if (name == "retry-after") head_.retry_after_s = parse_int<std::uint64_t>(value);
  if (name == "location") location_ = value;
  if (name == "content-range" && !parse_content_range(value, head_)) head_.range.reset();
}

std::size_t CurlRequest::take_header(char* data, std::size_t size, std::size_t count, void* self) {
  static_cast<CurlRequest*>(self)->read_header({data, size * count});
  return size * count;
}

std::size_t CurlRequest::take_body(char* data, std::size_t size, std::size_t count, void* self) {
  CurlRequest& request = *static_cast<CurlRequest*>(self);
  if (request.is_redirect()) return size * count;
  request.tell_head();
  if (!request.wanted_ || !request.on_body_({data, size * count})) return 0;
  return size * count;
}

// Every connection is made here, so this is where an address is known for what it is.
curl_socket_t CurlRequest::open_socket(void* self, curlsocktype, curl_sockaddr* address) {
  CurlRequest& request = *static_cast<CurlRequest*>(self);
  const bool allowed = request.settings_.allow_private || request.proxied_ || !is_private(address->addr);
  if (!allowed) {
    request.refused_ = true;
    return CURL_SOCKET_BAD;
  }
  const int made = ::socket(address->family, address->socktype, address->protocol);
  if (made >= 0) ::fcntl(made, F_SETFD, FD_CLOEXEC);
  return made < 0 ? CURL_SOCKET_BAD : made;
}

}  // namespace rbee::model
