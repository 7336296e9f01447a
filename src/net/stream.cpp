#include "net/stream.h"

#include "base/text.h"
#include "net/asio_stream.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <array>
#include <cstring>

namespace rbee::net {
namespace {

// Suspends until the reader (or the writer) of the socket is resumed; a frame that is destroyed while it
// waits takes its operation with it, so that nothing is written into a buffer that is gone.
class SocketAwaiter {
 public:
  SocketAwaiter(Stream::Impl& impl, std::coroutine_handle<>& place) : impl_(impl), place_(place) {}
  SocketAwaiter(const SocketAwaiter&) = delete;
  SocketAwaiter& operator=(const SocketAwaiter&) = delete;
  ~SocketAwaiter() {
    if (!place_) return;
    place_ = {};
    error_code ignored;
    impl_.socket.cancel(ignored);
  }
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { place_ = handle; }
  void await_resume() const noexcept {}

 private:
  Stream::Impl& impl_;
  std::coroutine_handle<>& place_;
};

void resume(std::coroutine_handle<>& place) {
  if (place) std::exchange(place, {}).resume();
}

void wait_writable(const std::shared_ptr<Stream::Impl>& impl) {
  impl->socket.async_wait(Socket::wait_write, [impl](error_code result) {
    impl->write_result = result;
    resume(impl->writer);
  });
}

}  // namespace

Result<void> check_endpoint(const Endpoint& endpoint) {
  if (!endpoint.is_unix()) {
    error_code failure;
    static_cast<void>(asio::ip::make_address(endpoint.address, failure));
    if (!failure) return {};
    return Error{ErrorCode::bad_usage, cat("'", endpoint.address, "' is no numeric address.")};
  }
  if (endpoint.unix_path.size() <= longest_socket_path) return {};
  return Error{ErrorCode::io_failed,
               cat("The path of the socket '", endpoint.unix_path, "' has ", endpoint.unix_path.size(),
                   " bytes; the system takes ", longest_socket_path, "."),
               "Set RBEE_HOME to a folder with a shorter path."};
}

asio::generic::stream_protocol::endpoint asio_endpoint(const Endpoint& endpoint) {
  if (endpoint.is_unix()) return asio::local::stream_protocol::endpoint(endpoint.unix_path);
  return asio::ip::tcp::endpoint(asio::ip::make_address(endpoint.address), endpoint.port);
}

void Stream::Impl::prepare() {
  error_code ignored;
  socket.non_blocking(true, ignored);
  // Without it a small chunk waits for the acknowledgement of the one before. Unix sockets refuse it.
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
}

void Stream::Impl::expire_after(Milliseconds each) {
  // A shorter limit than the one it is set for has to be looked at earlier.
  if (each.count() != 0 && is_set() && loop.clock().recent() + each < time()) cancel();
  idle = each;
  if (each.count() == 0) deadline = never;
}

void Stream::Impl::expire_within(Milliseconds all) {
  idle = Milliseconds{0};
  deadline = all.count() == 0 ? never : loop.clock().recent() + all;
  if (is_set() && deadline < time()) cancel();
}

bool Stream::Impl::renew() {
  expired = false;
  if (idle.count() != 0) {
    deadline = loop.clock().recent() + idle;
  } else if (deadline == never) {
    return true;
  } else if (deadline <= loop.clock().recent()) {
    // Not left to due(): of bytes that come without a pause each is told before it.
    expired = true;
    return false;
  }
  if (!is_set() && !closed) loop.impl().watch_over(loop).set(*this, deadline);
  return true;
}

// An operation that renews its time only stores a number: what is set is looked at, and set again from there.
void Stream::Impl::due() {
  if (deadline == never || closed) return;
  if (loop.clock().now() < deadline) return loop.impl().watch_over(loop).set(*this, deadline);
  if (reader || writer) stop_waiting();  // else nobody waits: the next operation sets it again
}

// A last word may still be said.
void Stream::Impl::stop_waiting() {
  expired = true;
  error_code ignored;
  socket.cancel(ignored);
}

void Stream::Impl::close() {
  if (std::exchange(closed, true)) return;
  cancel();
  if (tls) {
    tls->say_end();
    push_pending();
  }
  error_code ignored;
  socket.close(ignored);  // what waits is completed with operation_aborted
}

Stream::Impl::Look Stream::Impl::look() {
  if (tls) return look_secure();
  char byte = 0;
  error_code peeked;
  const std::size_t got = socket.receive(asio::buffer(&byte, 1), Socket::message_peek, peeked);
  if (peeked == asio::error::would_block) return Look::alive;
  return !peeked && got > 0 ? Look::hidden : Look::gone;
}

void Stream::Impl::wait_for_end() {
  watching = true;
  socket.async_wait(Socket::wait_read, [self = shared_from_this()](error_code result) {
    self->watching = false;
    if (!self->gone || self->closed || result == asio::error::operation_aborted) return;
    const Look seen = result ? Look::gone : self->look();
    if (seen == Look::alive) return self->wait_for_end();
    // As above: bytes that came early hide the end.
    if (seen == Look::gone) self->tell_gone();
  });
}

std::size_t ReadAhead::take(char* buffer, std::size_t size) {
  const std::size_t taken = std::min(size, end - begin);
  std::memcpy(buffer, room.data() + begin, taken);
  begin += taken;
  // An end or an error stays: who reads again gets it again.
  if (!result && begin == end) done = false;
  return taken;
}

// Asio tries a read at once, as a rule in vain, and then waits without a system call; a wait for readability
// would change what epoll watches for.
void Stream::Impl::read_ahead() {
  ahead->reading = true;
  socket.async_read_some(asio::buffer(ahead->room),
                         [self = shared_from_this()](error_code result, std::size_t got) {
                           ReadAhead& got_ahead = *self->ahead;
                           got_ahead.reading = false;
                           if (result == asio::error::operation_aborted) {
                             // Meant for a writer, perhaps, before this reader came.
                             if (self->reader && !self->expired && !self->closed) return self->read_ahead();
                             self->read_result = result;
                             return resume(self->reader);
                           }
                           got_ahead.done = true;
                           got_ahead.result = result;
                           got_ahead.begin = 0;
                           got_ahead.end = got;
                           if (self->reader) return resume(self->reader);
                           // Bytes that came early (the next request) hide the end behind them: the write
                           // will find out.
                           if (result) self->tell_gone();
                         });
}

void Stream::Impl::tell_gone() {
  if (!gone || closed) return;
  const std::function<void()> tell = std::exchange(gone, {});
  tell();
}

Error Stream::Impl::failure(const error_code& result) const {
  if (expired) return Error{ErrorCode::timed_out, "The other end was silent for too long.", {}, {}};
  if (closed) return Error{ErrorCode::cancelled, "The connection was closed here.", {}, {}};
  return Error{ErrorCode::unreachable, "The connection was lost.", {}, result.message()};
}

Stream::Stream() = default;
Stream::Stream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    close();
    impl_ = std::move(other.impl_);
  }
  return *this;
}
Stream::~Stream() { close(); }

Task<Result<Stream>> Stream::connect(Loop& loop, Endpoint to, Milliseconds timeout) {
  const Result<void> checked = check_endpoint(to);
  if (!checked) co_return checked.error();
  const auto impl = std::make_shared<Impl>(loop, Socket(context_of(loop)));
  impl->expire_after(timeout);
  static_cast<void>(impl->renew());
  {
    impl->socket.async_connect(asio_endpoint(to), [impl](error_code result) {
      impl->write_result = result;
      resume(impl->writer);
    });
    SocketAwaiter awaiter(*impl, impl->writer);
    co_await awaiter;
  }
  if (impl->write_result) {
    Error error = impl->failure(impl->write_result);
    error.message = impl->expired ? cat(to.text(), " did not answer within ", timeout.count(), " ms.")
                                  : cat("Nobody answers on ", to.text(), ".");
    co_return error;
  }
  impl->prepare();
  impl->expire_after(Milliseconds{0});
  co_return Stream(impl);
}

Result<bool> write_now(Stream::Impl& impl, std::string_view& first, std::string_view& second) {
  while (!first.empty() || !second.empty()) {
    if (impl.closed) return impl.failure({});
    if (first.empty()) std::swap(first, second);
    error_code result;
    std::size_t sent = 0;
    if (second.empty()) {
      sent = impl.socket.write_some(asio::buffer(first.data(), first.size()), result);
    } else {
      const std::array<asio::const_buffer, 2> parts = {asio::buffer(first.data(), first.size()),
                                                       asio::buffer(second.data(), second.size())};
      sent = impl.socket.write_some(parts, result);
    }
    const std::size_t of_first = std::min(sent, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(sent - of_first);
    if (result == asio::error::would_block) return false;
    if (result) return impl.failure(result);
  }
  return true;
}

Task<Result<void>> write_socket(std::shared_ptr<Stream::Impl> impl, std::string_view first,
                                std::string_view second) {
  while (true) {
    const Result<bool> whole = write_now(*impl, first, second);
    if (!whole) co_return whole.error();
    if (*whole) co_return Result<void>{};
    if (!impl->renew()) co_return impl->failure({});
    wait_writable(impl);
    SocketAwaiter awaiter(*impl, impl->writer);
    co_await awaiter;
    if (impl->write_result) co_return impl->failure(impl->write_result);
  }
}

namespace {

Error no_connection() { return Error{ErrorCode::cancelled, "There is no connection.", {}, {}}; }

Result<bool> write_what_fits(Stream::Impl& impl, std::string_view& first, std::string_view& second) {
  Result<bool> whole = impl.tls ? write_secure_now(impl, first, second) : write_now(impl, first, second);
  if (!whole) impl.write_failed = true;
  return whole;
}

}  // namespace

Stream::Reading Stream::read_some(char* buffer, std::size_t size) { return {impl_.get(), buffer, size}; }

Stream::Writing Stream::write(std::string_view first, std::string_view second) {
  return {impl_.get(), first, second};
}

Result<bool> Stream::write_at_once(std::string_view& first, std::string_view& second) {
  if (!impl_) return no_connection();
  return write_what_fits(*impl_, first, second);
}

Stream::Reading::~Reading() {
  if (!waits_) return;
  impl_->reader = {};
  error_code ignored;
  impl_->socket.cancel(ignored);
}

bool Stream::Reading::await_ready() const noexcept {
  const bool is_here = impl_ != nullptr && impl_->ahead && impl_->ahead->done;
  return is_here && !impl_->closed;
}

std::coroutine_handle<> Stream::Reading::await_suspend(std::coroutine_handle<> waiting) {
  if (impl_ == nullptr) return waiting;
  if (impl_->tls && !plain_) {
    secure_ = read_secure(impl_->shared_from_this(), buffer_, size_);
    return secure_.await_suspend(waiting);
  }
  if (impl_->closed || !impl_->renew()) return waiting;
  impl_->reader = waiting;
  waits_ = true;
  if (impl_->ahead && impl_->ahead->reading) return std::noop_coroutine();
  impl_->socket.async_read_some(asio::buffer(buffer_, size_),
                                [impl = impl_->shared_from_this()](error_code result, std::size_t got) {
                                  impl->read_result = result;
                                  impl->read_bytes = got;
                                  resume(impl->reader);
                                });
  return std::noop_coroutine();
}

Result<std::size_t> Stream::Reading::await_resume() {
  if (impl_ == nullptr) return no_connection();
  if (secure_) return secure_.await_resume();
  const bool waited = std::exchange(waits_, false);
  // Closed behind the bytes and before they are told: what stands here may be an earlier read's.
  if (impl_->closed) return impl_->failure({});
  error_code result = impl_->read_result;
  std::size_t got = impl_->read_bytes;
  if (impl_->ahead && impl_->ahead->done) {
    result = impl_->ahead->result;
    got = impl_->ahead->take(buffer_, size_);
    if (got > 0) return got;
  } else if (!waited) {
    return impl_->failure({});
  }
  if (!result) return got;
  if (result == asio::error::eof) return std::size_t{0};
  return impl_->failure(result);
}

bool Stream::Writing::await_ready() {
  if (impl_ == nullptr) return true;
  const Result<bool> whole = write_what_fits(*impl_, first_, second_);
  if (!whole) written_ = whole.error();
  return !whole || *whole;
}

std::coroutine_handle<> Stream::Writing::await_suspend(std::coroutine_handle<> waiting) {
  std::shared_ptr<Impl> impl = impl_->shared_from_this();
  rest_ = impl_->tls ? write_secure(std::move(impl), first_, second_)
                     : write_socket(std::move(impl), first_, second_);
  return rest_.await_suspend(waiting);
}

Result<void> Stream::Writing::await_resume() {
  if (impl_ == nullptr) return no_connection();
  if (written_ && rest_) written_ = rest_.await_resume();
  if (!written_) impl_->write_failed = true;
  return std::move(written_);
}

void Stream::expire_after(Milliseconds idle) {
  if (impl_) impl_->expire_after(idle);
}

void Stream::expire_within(Milliseconds all) {
  if (impl_) impl_->expire_within(all);
}

void Stream::stop_waiting() {
  if (is_open()) impl_->stop_waiting();
}

void Stream::close() {
  if (impl_) impl_->close();
}

std::string Stream::peer_address() const {
  if (!impl_ || impl_->closed) return {};
  error_code failure;
  const auto peer = impl_->socket.remote_endpoint(failure);
  if (failure) return {};
  const void* bytes = peer.data();
  if (peer.protocol().family() == AF_UNIX) return "unix";
  if (peer.protocol().family() == AF_INET) {
    const auto* address = static_cast<const sockaddr_in*>(bytes);
    return asio::ip::address_v4(ntohl(address->sin_addr.s_addr)).to_string();
  }
  asio::ip::address_v6::bytes_type raw{};
  std::memcpy(raw.data(), &static_cast<const sockaddr_in6*>(bytes)->sin6_addr, raw.size());
  const asio::ip::address_v6 address(raw);
  if (address.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, address).to_string();
  return address.to_string();
}

bool Stream::is_from_this_machine() const {
  if (!impl_ || impl_->closed) return false;
  error_code failure;
  const auto peer = impl_->socket.remote_endpoint(failure);
  if (failure) return false;
  const void* bytes = peer.data();
  switch (peer.protocol().family()) {
    case AF_UNIX: return true;
    case AF_INET: {
      const auto* address = static_cast<const sockaddr_in*>(bytes);
      return asio::ip::address_v4(ntohl(address->sin_addr.s_addr)).is_loopback();
    }
    case AF_INET6: {
      asio::ip::address_v6::bytes_type raw{};
      std::memcpy(raw.data(), &static_cast<const sockaddr_in6*>(bytes)->sin6_addr, raw.size());
      const asio::ip::address_v6 address(raw);
      return address.is_loopback() || (address.is_v4_mapped() &&
                                       asio::ip::make_address_v4(asio::ip::v4_mapped, address).is_loopback());
    }
    default: return false;
  }
}

void Stream::lose_after(Milliseconds unacknowledged) {
  if (!impl_ || impl_->closed) return;
#ifdef TCP_USER_TIMEOUT
  const auto limit_ms = static_cast<unsigned>(unacknowledged.count());
  ::setsockopt(impl_->socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof limit_ms);
#else
  static_cast<void>(unacknowledged);
#endif
}

bool Stream::is_open() const { return impl_ && !impl_->closed; }

bool Stream::write_failed() const { return impl_ && impl_->write_failed; }

void Stream::watch(std::function<void()> gone, Watch how) {
  if (!is_open()) return;
  impl_->gone = std::move(gone);
  if (impl_->watching || (impl_->ahead && impl_->ahead->reading)) return;
  if (has_read_ahead()) {
    if (impl_->ahead->result) impl_->loop.post([impl = impl_] { impl->tell_gone(); });
    return;
  }
  if (how == Watch::waits || impl_->tls) {
    impl_->ahead.reset();
    return impl_->wait_for_end();
  }
  if (!impl_->ahead) impl_->ahead = std::make_unique_for_overwrite<ReadAhead>();
  impl_->read_ahead();
}

bool Stream::has_read_ahead() const { return impl_ && impl_->ahead && impl_->ahead->done; }

void Stream::unwatch() {
  if (impl_) impl_->gone = {};
}

Instant Stream::now() const { return impl_ ? impl_->loop.clock().now() : Instant{}; }

void Stream::shut_down_sending() {
  if (!is_open()) return;
  if (impl_->tls) {
    impl_->tls->say_end();
    impl_->push_pending();
  }
  error_code ignored;
  impl_->socket.shutdown(Socket::shutdown_send, ignored);
}

}  // namespace rbee::net
