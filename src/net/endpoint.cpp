#include "base/text.h"
#include "net/stream.h"

#include <boost/asio/ip/address.hpp>

#include <sys/un.h>

namespace rbee::net {

const std::size_t longest_socket_path = sizeof(sockaddr_un::sun_path) - 1;

std::string Endpoint::text() const {
  if (is_unix()) return cat("unix:", unix_path);
  const bool v6 = address.find(':') != std::string::npos;
  return v6 ? cat("[", address, "]:", port) : cat(address, ":", port);
}

namespace {

Error bad_address(std::string_view text) {
  return Error{ErrorCode::bad_usage, cat("'", text, "' is no address."),
               "Write it like 127.0.0.1:7833 or [::1]:7833."};
}

// Cuts "[::1]:80", "127.0.0.1:80", ":80", "127.0.0.1" into address and port.
bool cut_port(std::string_view text, std::string_view& address, std::string_view& port) {
  const std::size_t bracket = text.find(']');
  if (text.starts_with('[') && bracket != std::string_view::npos) {
    address = text.substr(1, bracket - 1);
    text.remove_prefix(bracket + 1);
    if (!text.empty() && text.front() != ':') return false;
    port = text.empty() ? text : text.substr(1);
    return true;
  }
  const std::size_t colon = text.rfind(':');
  address = text.substr(0, colon);
  port = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  return true;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
  if (text.starts_with('/')) return Endpoint{.unix_path = std::string(text)};
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    if (rest.ends_with('/')) rest.remove_suffix(1);
  }
  std::string_view address;
  std::string_view port_text;
  if (rest.empty() || !cut_port(rest, address, port_text)) return bad_address(text);
  if (address.empty() || address == "localhost") address = "127.0.0.1";
  boost::system::error_code failure;
  const auto parsed = boost::asio::ip::make_address(std::string(address), failure);
  if (failure) return bad_address(text);
  Endpoint endpoint{.address = parsed.to_string(), .port = default_port};
  if (!port_text.empty()) {
    const std::optional<std::uint16_t> port = parse_int<std::uint16_t>(port_text);
    if (!port) return bad_address(text);
    endpoint.port = *port;
  }
  return endpoint;
}

bool is_loopback(const Endpoint& endpoint) {
  if (endpoint.is_unix()) return true;
  boost::system::error_code failure;
  const auto address = boost::asio::ip::make_address(endpoint.address, failure);
  return !failure && address.is_loopback();
}

}  // namespace rbee::net
