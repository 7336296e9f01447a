#include "keeper/listening.h"

#include "base/file.h"
#include "base/text.h"
#include "keeper/api_error.h"
#include "net/own_addresses.h"

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <utility>

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

// The user's certificate and key, read again when one of their files has changed. Safe from every thread.
class UsersCertificate {
 public:
  UsersCertificate(KeeperTls files, std::shared_ptr<const net::TlsContext> for_hives,
                   std::shared_ptr<Log> log)
      : files_(std::move(files)), for_hives_(std::move(for_hives)), log_(std::move(log)) {}

  // Fails with bad_config or io_failed. Blocks.
  [[nodiscard]] Result<void> open() {
    const std::scoped_lock lock(mutex_);
    seen_ = look();
    return read();
  }
  // Two looks at files, and a few kB where they have changed.
  [[nodiscard]] std::shared_ptr<const net::TlsContext> now() {
    const Mark mark = look();
    const std::scoped_lock lock(mutex_);
    if (std::exchange(seen_, mark) == mark) return context_;
    if (const Result<void> taken = read(); !taken)
      log_->warning(cat(taken.error().message, " The certificate that was shown before still is."));
    else
      log_->info(cat("The certificate '", files_.certificate_file.string(), "' is shown from now on."));
    return context_;
  }

 private:
  using Mark = std::pair<std::filesystem::file_time_type, std::filesystem::file_time_type>;

  [[nodiscard]] Mark look() const {
    std::error_code ignored;
    return {std::filesystem::last_write_time(files_.certificate_file, ignored),
            std::filesystem::last_write_time(files_.key_file, ignored)};
  }
  [[nodiscard]] Result<void> read() {
    Result<std::string> certificate = read_file(files_.certificate_file, largest_pem_bytes);
    if (!certificate) return certificate.error();
    Result<std::string> key = read_file(files_.key_file, largest_pem_bytes);
    if (!key) return key.error();
    Result<std::shared_ptr<const net::TlsContext>> context = net::TlsContext::server(
        {std::move(*key), std::move(*certificate)}, false, {name_for_hives, for_hives_});
    if (context) {
      context_ = std::move(*context);
      return {};
    }
    Error error = context.error();
    error.message =
        cat("'", files_.certificate_file.string(), "' and '", files_.key_file.string(), "': ", error.message);
    error.hint = "tls under [keeper] in rbee.toml names a certificate (with its chain) and its key, as PEM.";
    return error;
  }

  KeeperTls files_;
  std::shared_ptr<const net::TlsContext> for_hives_;
  std::shared_ptr<Log> log_;
  std::mutex mutex_;
  Mark seen_;
  std::shared_ptr<const net::TlsContext> context_;
};

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

Result<net::ServerOptions> server_options(const KeeperOptions& options, const net::TlsIdentity& own,
                                          std::shared_ptr<Log> log) {
  using Plain = net::ServerOptions::Plain;
  net::ServerOptions server;
  server.largest_body_bytes = options.limits.largest_body_bytes;
  server.most_connections = options.limits.most_connections;
  server.most_connections_per_client = options.limits.most_connections_per_client;
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
  server.plain = Plain::this_machine;
  if (options.tls.mode == KeeperTls::Mode::files) {
    const auto certificate =
        std::make_shared<UsersCertificate>(options.tls, std::move(*for_hives), std::move(log));
    if (const Result<void> opened = certificate->open(); !opened) return opened.error();
    server.tls = certificate->now();
    server.tls_now = [certificate] { return certificate->now(); };
    return server;
  }
  Result<std::shared_ptr<const net::TlsContext>> tls =
      net::TlsContext::server(own, false, {name_for_hives, std::move(*for_hives)});
  if (!tls) return tls.error();
  server.tls = std::move(*tls);
  return server;
}

}  // namespace rbee::keeper
