#include "keeper/host_check.h"

#include "base/text.h"
#include "net/stream.h"

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr std::size_t longest_shown = 100;

// "localhost:7833", "127.0.0.1", "[::1]:80". A port of any number: a tunnel may change it.
bool names_loopback(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos;
  const std::string_view name = has_port ? host.substr(0, colon) : host;
  if (has_port && !parse_int<std::uint16_t>(host.substr(colon + 1))) return false;
  if (equal_ignoring_case(name, "localhost")) return true;
  const bool numeric =
      name.starts_with('[') || name.find_first_not_of("0123456789.") == std::string_view::npos;
  if (!numeric || name.empty()) return false;
  const Result<net::Endpoint> endpoint = net::parse_endpoint(name, 1);
  return endpoint && net::is_loopback(*endpoint);
}

}  // namespace

Result<void> check_host(const net::RequestHead& head) {
  const auto host = head.headers.find("Host");
  if (!host && head.minor_version > 0)
    return Error{ErrorCode::bad_request, "The request has no header Host."};
  if (!host || names_loopback(*host)) return {};
  return Error{
      ErrorCode::not_allowed,
      cat("The header Host names '", host->substr(0, longest_shown), "', which is not this machine."),
      "Use http://127.0.0.1 or http://localhost; under another name an API key is needed."};
}

Result<Page> page_of(const net::RequestHead& head, std::span<const std::string> allowed) {
  const auto origin = head.headers.find("Origin");
  if (!origin) return Page::none;
  const std::string_view host = head.headers.find("Host").value_or("");
  const std::size_t scheme = origin->find("://");
  if (scheme != std::string_view::npos) {
    const std::string_view page = origin->substr(scheme + 3);
    if (equal_ignoring_case(page, host) || (names_loopback(page) && names_loopback(host))) return Page::own;
  }
  const bool known = std::ranges::any_of(
      allowed, [&](const std::string& one) { return one == "*" || equal_ignoring_case(one, *origin); });
  if (known) return Page::allowed;
  return Error{ErrorCode::not_allowed,
               cat("The header Origin names '", origin->substr(0, longest_shown),
                   "', a page that may not ask this keeper."),
               "allow_origins under [keeper] in rbee.toml lists the pages that may."};
}

}  // namespace rbee::keeper
