// A connection on its way from one loop to another.
#include "net/asio_stream.h"

#include <unistd.h>

namespace rbee::net {

struct Stream::Detached::Impl {
  Impl(int descriptor, asio::generic::stream_protocol of, std::unique_ptr<TlsSession> session)
      : socket(descriptor), protocol(of), tls(std::move(session)) {}
  ~Impl() {
    if (socket >= 0) ::close(socket);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  int socket;
  asio::generic::stream_protocol protocol;
  std::unique_ptr<TlsSession> tls;
  std::unique_ptr<ReadAhead> ahead = {};  // bytes that nobody has read yet
};

Stream::Detached::Detached() = default;
Stream::Detached::~Detached() = default;
Stream::Detached::Detached(Detached&&) noexcept = default;
Stream::Detached& Stream::Detached::operator=(Detached&&) noexcept = default;

Stream::Detached Stream::detach() {
  Detached detached;
  if (!is_open()) return detached;
  unwatch();
  error_code failure;
  const auto protocol = impl_->socket.local_endpoint(failure).protocol();
  const int socket = impl_->socket.release(failure);
  if (!failure) detached.impl_ = std::make_unique<Detached::Impl>(socket, protocol, std::move(impl_->tls));
  impl_->tls.reset();
  if (detached.impl_ && has_read_ahead()) detached.impl_->ahead = std::move(impl_->ahead);
  close();
  return detached;
}

Stream Stream::attach(Loop& loop, Detached detached) {
  Socket socket(context_of(loop));
  error_code failure = asio::error::bad_descriptor;
  if (detached.impl_) {
    socket.assign(detached.impl_->protocol, detached.impl_->socket, failure);
    if (!failure) detached.impl_->socket = -1;
  }
  if (failure) return Stream{};
  auto impl = std::make_shared<Impl>(loop, std::move(socket));
  impl->tls = std::move(detached.impl_->tls);
  impl->ahead = std::move(detached.impl_->ahead);
  impl->prepare();
  return Stream(std::move(impl));
}

}  // namespace rbee::net
