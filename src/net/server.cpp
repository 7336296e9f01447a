#include "net/server.h"

#include "base/text.h"
#include "net/asio_stream.h"
#include "net/exchange.h"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>

namespace rbee::net {

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol, Executor>;

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  struct PerLoop {
    Loop* loop = nullptr;
    std::set<Exchange::Impl*> connections = {};  // touched on its loop only
  };
  Impl(std::vector<Loop*> on, Handler handle, ServerOptions with)
      : handler(std::move(handle)),
        options(std::move(with)),
        acceptor(context_of(*on.front())),
        pause(*on.front()) {
    for (Loop* loop : on) loops.push_back({.loop = loop});
  }

  std::vector<PerLoop> loops;
  Handler handler;
  ServerOptions options;
  Acceptor acceptor;
  Timer pause;
  Endpoint endpoint;
  std::size_t next_loop = 0;
  std::atomic<std::size_t> connections{0};
  std::atomic<bool> stopping{false};
  std::atomic<bool> closing{false};      // no more are accepted
  std::atomic<bool> handed_over{false};  // somebody else accepts them
  std::mutex clients_mutex;
  std::map<std::string, std::size_t> clients;  // connections by address, where they are limited

  Result<void> open(Endpoint on);
  Result<void> take_over(Endpoint on);
  void name_port(Endpoint& on) const;
  // Why this connection is one too many: an HTTP status, or 0.
  int admit(const std::string& client);
  void leave(const std::string& client);
  Task<void> turn_away(Exchange::Impl& impl, int status) const;
  void stop_accepting(Kept kept);
  void accept();
  // Of a connection that was made elsewhere: what was read of it, and who is told when it is taken.
  struct Adopted {
    std::string got;
    std::function<void()> taken;
    void tell() {
      if (const std::function<void()> told = std::exchange(taken, {})) told();
    }
  };
  static Task<void> serve(std::shared_ptr<Impl> self, std::size_t index, Stream stream,
                          std::unique_ptr<Adopted> adopted);
  // Of those with that key, or of all.
  static void close_connections(PerLoop& per_loop, const std::optional<std::string>& key_print);
  void stop();
};

namespace {

constexpr int backlog = 512;
// Of IPv6 a household has a /64: an address of it is as good as another.
std::string client_of(std::string address) {
  if (address.find(':') == std::string::npos) return address;
  error_code failure;
  auto bytes = asio::ip::make_address_v6(address, failure).to_bytes();
  if (failure) return address;
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return asio::ip::address_v6(bytes).to_string();
}

// Told why while they go; of more than that a flood would make a second heap of connections.
constexpr std::size_t most_told = 256;
// After a failed accept (no descriptors left): trying at once would spin.
constexpr Milliseconds accept_pause{100};

bool somebody_answers(const Endpoint& on, asio::io_context& context) {
  Socket probe(context);
  error_code failure;
  const auto address = asio_endpoint(on);
  probe.open(address.protocol(), failure);
  if (!failure) probe.connect(address, failure);
  return !failure;
}

Error listen_error(const Endpoint& on, const error_code& failure) {
  if (failure.value() == EADDRINUSE) {
    return Error{
        ErrorCode::address_taken, cat("The address ", on.text(), " is taken by another program."), {}, {}};
  }
  if (failure.value() == EACCES) {
    return Error{ErrorCode::not_allowed,
                 cat("Listening on ", on.text(), " is not allowed."),
                 "Ports below 1024 are the system's: choose a higher one.",
                 {}};
  }
  return Error{
      ErrorCode::io_failed, cat("Listening on ", on.text(), " failed: ", failure.message(), "."), {}, {}};
}

}  // namespace

Result<void> HttpServer::Impl::open(Endpoint on) {
  if (Result<void> checked = check_endpoint(on); !checked) return checked;
  if (options.listening >= 0) return take_over(std::move(on));
  asio::io_context& context = context_of(*loops.front().loop);
  if (on.is_unix()) {
    if (somebody_answers(on, context))
      return listen_error(on, error_code(EADDRINUSE, boost::system::generic_category()));
    ::unlink(on.unix_path.c_str());
  }
  const auto address = asio_endpoint(on);
  error_code failure;
  acceptor.open(address.protocol(), failure);
  if (!failure && !on.is_unix()) acceptor.set_option(asio::socket_base::reuse_address(true), failure);
  if (!failure) acceptor.bind(address, failure);
  if (!failure && on.is_unix()) ::chmod(on.unix_path.c_str(), 0600);
  if (!failure) acceptor.listen(backlog, failure);
  if (failure) return listen_error(on, failure);
  if (!on.is_unix()) name_port(on);
  endpoint = std::move(on);
  return {};
}

void HttpServer::Impl::name_port(Endpoint& on) const {
  const auto bound = acceptor.local_endpoint();
  // A generic endpoint has no port(): both families keep it in the same two bytes, in network order.
  const auto* bytes = static_cast<const unsigned char*>(static_cast<const void*>(bound.data()));
  on.port = static_cast<std::uint16_t>((bytes[2] << 8) | bytes[3]);
}

// What waits to be accepted is in the socket, and stays there.
Result<void> HttpServer::Impl::take_over(Endpoint on) {
  const auto address = asio_endpoint(on);
  error_code failure;
  acceptor.assign(address.protocol(), options.listening, failure);
  if (failure) return listen_error(on, failure);
  if (!on.is_unix()) name_port(on);
  endpoint = std::move(on);
  return {};
}

int HttpServer::Impl::admit(const std::string& client) {
  if (connections.fetch_add(1) >= options.most_connections) {
    ++options.counts->refused;
    return 503;
  }
  if (options.most_connections_per_client == 0 || client.empty()) return 0;
  const std::scoped_lock lock(clients_mutex);
  std::size_t& count = clients[client];
  ++count;
  if (count <= options.most_connections_per_client) return 0;
  ++options.counts->refused_of_client;
  return 429;
}

void HttpServer::Impl::leave(const std::string& client) {
  --connections;
  if (options.most_connections_per_client == 0 || client.empty()) return;
  const std::scoped_lock lock(clients_mutex);
  const auto at = clients.find(client);
  if (at != clients.end() && --at->second == 0) clients.erase(at);
}

Task<void> HttpServer::Impl::turn_away(Exchange::Impl& impl, int status) const {
  // Who expects TLS could not read it, and a handshake is what there is no room for.
  if (options.tls && options.plain == ServerOptions::Plain::nobody) co_return;
  if (connections > options.most_connections + most_told) co_return;
  std::string why = cat("There are ", options.most_connections, " connections already.");
  if (status == 429) why = cat("You have ", options.most_connections_per_client, " connections already.");
  Error error{ErrorCode::queue_full, std::move(why), {}, {}};
  Task<void> refusing = impl.refuse(status, std::move(error));
  co_await refusing;
}

void HttpServer::Impl::accept() {
  const std::size_t index = next_loop++ % loops.size();
  Loop* loop = loops[index].loop;
  acceptor.async_accept(context_of(*loop),
                        [self = shared_from_this(), index, loop](error_code failure, Socket socket) {
                          // One that came at the last moment is served: nobody else knows of it.
                          if (self->stopping || (self->closing && failure)) return;
                          if (failure) {
                            self->pause.arm(accept_pause, [self] { self->accept(); });
                            return;
                          }
                          auto impl = std::make_shared<Stream::Impl>(*loop, std::move(socket));
                          impl->prepare();
                          // Handed over whole: a reference that stayed here could be the last, and die on the
                          // wrong thread.
                          Stream stream(std::move(impl));
                          if (self->options.lost_after > Milliseconds{0})
                            stream.lose_after(self->options.lost_after);
                          loop->spawn(serve(self, index, std::move(stream), nullptr));
                          if (!self->closing) self->accept();
                        });
}

Task<void> HttpServer::Impl::serve(std::shared_ptr<Impl> self, std::size_t index, Stream stream,
                                   std::unique_ptr<Adopted> adopted) {
  PerLoop& per_loop = self->loops[index];
  Exchange::Impl impl(*per_loop.loop, std::move(stream), self->options, self->closing);
  std::string client;
  if (self->options.most_connections_per_client > 0) client = impl.stream.peer_address();
  client = client == "unix" ? "" : client_of(std::move(client));
  if (const int no = self->admit(client); no != 0) {
    Task<void> refusing = self->turn_away(impl, no);
    co_await refusing;
    self->leave(no == 429 ? client : "");
    if (adopted) adopted->tell();
    co_return;
  }
  per_loop.connections.insert(&impl);
  ++self->options.counts->open;
  bool more = !self->stopping;
  if (adopted && (!adopted->got.empty() || impl.stream.is_secure())) {
    std::ranges::copy(adopted->got, impl.buffer.prepare(adopted->got.size()));
    impl.buffer.commit(adopted->got.size());
  } else if (more) {
    Task<bool> preparing = impl.prepare();
    more = co_await preparing;
  }
  more = more && !self->stopping;
  while (more) {
    more = co_await impl.read_head();
    if (adopted) adopted->tell();
    if (!more) break;
    Exchange exchange(impl);
    Task<void> handling = self->handler(exchange);
    co_await handling;
    impl.stream.unwatch();
    more = co_await impl.finish_request();
    if (!more && impl.answer_done && !impl.body_done && impl.stream.is_open()) {
      Task<void> lingering = impl.linger();
      co_await lingering;
    }
    // Nobody who could answer comes after this server.
    if (self->closing && !self->handed_over && impl.unread().empty()) more = false;
  }
  per_loop.connections.erase(&impl);
  self->leave(client);
  --self->options.counts->open;
  if (adopted) adopted->tell();
}

void HttpServer::Impl::close_connections(PerLoop& per_loop, const std::optional<std::string>& key_print) {
  // A callback may end its connection's coroutine, which takes it out of the set.
  const std::vector<Exchange::Impl*> open(per_loop.connections.begin(), per_loop.connections.end());
  for (Exchange::Impl* connection : open) {
    if (!per_loop.connections.contains(connection)) continue;
    if (key_print && connection->stream.peer_key() != *key_print) continue;
    connection->stream.close();
    const std::function<void()> tell = std::exchange(connection->gone, {});
    if (tell) tell();
  }
}

void HttpServer::Impl::stop_accepting(Kept kept) {
  handed_over = kept == Kept::served_once_more;
  if (closing.exchange(true)) return;
  for (PerLoop& per_loop : loops) {
    per_loop.loop->post([self = shared_from_this(), &per_loop, kept] {
      if (&per_loop == &self->loops.front()) {
        error_code ignored;
        self->acceptor.cancel(ignored);
        self->acceptor.close(ignored);
        self->pause.cancel();
      }
      if (kept == Kept::served_once_more) return;
      const std::vector<Exchange::Impl*> open(per_loop.connections.begin(), per_loop.connections.end());
      for (Exchange::Impl* connection : open) {
        if (per_loop.connections.contains(connection) && connection->waits) connection->stream.close();
      }
    });
  }
}

void HttpServer::Impl::stop() {
  if (stopping.exchange(true)) return;
  if (endpoint.is_unix() && !handed_over) ::unlink(endpoint.unix_path.c_str());
  for (PerLoop& per_loop : loops) {
    per_loop.loop->post([self = shared_from_this(), &per_loop] {
      if (&per_loop == &self->loops.front()) {
        error_code ignored;
        self->acceptor.close(ignored);
        self->pause.cancel();
      }
      close_connections(per_loop, std::nullopt);
    });
  }
}

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { stop(); }

Result<std::unique_ptr<HttpServer>> HttpServer::listen(std::vector<Loop*> loops, Endpoint on, Handler handler,
                                                       ServerOptions options) {
  auto impl = std::make_shared<Impl>(std::move(loops), std::move(handler), std::move(options));
  if (Result<void> opened = impl->open(std::move(on)); !opened) return opened.error();
  impl->accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

std::unique_ptr<HttpServer> HttpServer::without_address(std::vector<Loop*> loops, Handler handler,
                                                        ServerOptions options) {
  auto impl = std::make_shared<Impl>(std::move(loops), std::move(handler), std::move(options));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

void HttpServer::adopt(Loop& loop, Stream stream, std::string got, std::function<void()> taken) {
  for (std::size_t index = 0; index < impl_->loops.size(); ++index) {
    if (impl_->loops[index].loop != &loop) continue;
    auto adopted = std::make_unique<Impl::Adopted>(Impl::Adopted{std::move(got), std::move(taken)});
    return loop.spawn(Impl::serve(impl_, index, std::move(stream), std::move(adopted)));
  }
}

void HttpServer::close_those_of(const std::string& key_print) {
  for (Impl::PerLoop& per_loop : impl_->loops) {
    per_loop.loop->post(
        [self = impl_, &per_loop, key_print] { Impl::close_connections(per_loop, key_print); });
  }
}

Endpoint HttpServer::endpoint() const { return impl_->endpoint; }
int HttpServer::listening() const { return impl_->acceptor.is_open() ? impl_->acceptor.native_handle() : -1; }
void HttpServer::stop_accepting(Kept kept) { impl_->stop_accepting(kept); }
void HttpServer::stop() { impl_->stop(); }

}  // namespace rbee::net
