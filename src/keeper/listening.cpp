#include "keeper/listening.h"

#include "base/file.h"
#include "base/text.h"
#include "keeper/api_error.h"
#include "net/own_addresses.h"

#include <algorithm>

namespace rbee::keeper {
namespace {

// A key and a chain of certificates have some thousand bytes.
constexpr std::size_t largest_pem_bytes = 1u << 20;

bool is_any_address(const net::Endpoint& listen) {
  return listen.address == "0.0.0.0" || listen.address == "::";
}

// What else stands in a machine's name would break the list in a certificate.
bool is_host_name(std::string_view name) {
  return !name.empty() && name.size() <= 253 && std::ranges::all_of(name, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '-' || letter == '.';
  });
}

Result<net::TlsIdentity> users_identity(const KeeperTls& tls) {
  Result<std::string> certificate = read_file(tls.certificate_file, largest_pem_bytes);
  if (!certificate) return certificate.error();
  Result<std::string> key = read_file(tls.key_file, largest_pem_bytes);
  if (!key) return key.error();
  return net::TlsIdentity{std::move(*key), std::move(*certificate)};
}

}  // namespace

std::vector<std::string> hosts_of(const KeeperOptions& options) {
  if (net::is_loopback(options.listen)) return {};
  std::vector<std::string> hosts{"localhost", "127.0.0.1", "::1"};
  if (is_any_address(options.listen)) {
    for (std::string& address : net::own_addresses()) hosts.push_back(std::move(address));
  } else {
    hosts.push_back(options.listen.address);
  }
  if (is_host_name(options.hostname)) {
    hosts.push_back(options.hostname);
    if (options.hostname.find('.') == std::string::npos) hosts.push_back(cat(options.hostname, ".local"));
  }
  return hosts;
}

std::vector<std::string> addresses_for_hives(const KeeperOptions& options, const net::Endpoint& listens) {
  if (net::is_loopback(listens)) return {};
  if (!is_any_address(options.listen)) return {listens.text()};
  std::vector<std::string> addresses;
  for (std::string& address : net::own_addresses())
    addresses.push_back(net::Endpoint{.address = std::move(address), .port = listens.port}.text());
  return addresses;
}

bool is_secure(const KeeperOptions& options) {
  return !net::is_loopback(options.listen) && options.tls.mode != KeeperTls::Mode::off;
}

std::string plain_warning(std::string_view address) {
  return cat("The keeper speaks plainly on ", address,
             " (tls = \"off\"): keys and answers can be read on the way.");
}

Result<net::ServerOptions> server_options(const KeeperOptions& options, const net::TlsIdentity& own) {
  using Plain = net::ServerOptions::Plain;
  net::ServerOptions server;
  server.error_body = [](std::string_view path, const Error& error) {
    return error_body(api_of(path), error);
  };
  Result<std::shared_ptr<const net::TlsContext>> for_hives = net::TlsContext::server(own, true);
  if (!for_hives) return for_hives.error();
  if (!is_secure(options)) {
    server.tls = std::move(*for_hives);
    server.plain = Plain::everybody;
    return server;
  }
  const bool users = options.tls.mode == KeeperTls::Mode::files;
  const Result<net::TlsIdentity> shown = users ? users_identity(options.tls) : own;
  if (!shown) return shown.error();
  Result<std::shared_ptr<const net::TlsContext>> tls =
      net::TlsContext::server(*shown, false, {name_for_hives, std::move(*for_hives)});
  if (!tls && users) {
    Error error = tls.error();
    error.message = cat("'", options.tls.certificate_file.string(), "' and '", options.tls.key_file.string(),
                        "': ", error.message);
    error.hint = "tls under [keeper] in rbee.toml names a certificate (with its chain) and its key, as PEM.";
    return error;
  }
  if (!tls) return tls.error();
  server.tls = std::move(*tls);
  server.plain = Plain::this_machine;
  return server;
}

}  // namespace rbee::keeper
