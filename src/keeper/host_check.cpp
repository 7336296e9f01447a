#include "keeper/host_check.h"

#include "base/text.h"
#include "net/stream.h"

namespace rbee::keeper {
namespace {

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

Error refused(std::string_view field, std::string_view value) {
  return Error{ErrorCode::not_allowed,
               cat("The header ", field, " names '", value.substr(0, 100), "', which is not this machine."),
               "Use http://127.0.0.1 or http://localhost; pages of other sites may not ask."};
}

}  // namespace

Result<void> check_host(const net::RequestHead& head) {
  const auto host = head.headers.find("Host");
  if (!host && head.minor_version > 0)
    return Error{ErrorCode::bad_request, "The request has no header Host."};
  if (host && !names_loopback(*host)) return refused("Host", *host);
  const auto origin = head.headers.find("Origin");
  if (!origin) return {};
  const std::size_t scheme = origin->find("://");
  if (scheme == std::string_view::npos || !names_loopback(origin->substr(scheme + 3)))
    return refused("Origin", *origin);
  return {};
}

}  // namespace rbee::keeper
