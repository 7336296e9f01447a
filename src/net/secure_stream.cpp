// The TLS half of a Stream: the session's encrypted bytes carried over its socket.
#include "base/text.h"
#include "net/asio_stream.h"

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <optional>
#include <span>

namespace rbee::net {
namespace {

// What a connection waits for is most often small, an event or a request: only so much is each one's own
// while it waits, and a little more where that was too little, so that one call reads what comes. What comes
// beyond that is read through the loop's scratch.
constexpr std::uint32_t least_awaited_bytes = 1024;
constexpr std::uint32_t most_awaited_bytes = 4096;
// So much is encrypted before it is sent: a body of 64 MiB is never in memory twice.
constexpr std::size_t most_pending_bytes = 4 * longest_record_bytes;

Error broken(const TlsSession& tls) {
  return Error{ErrorCode::unreachable, "The other end does not speak TLS as it should.", {}, tls.failure()};
}

// Also ends where the frame that holds it is destroyed in the middle.
class Sending {
 public:
  explicit Sending(bool& flag) : flag_(flag) { flag_ = true; }
  ~Sending() { flag_ = false; }
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;

 private:
  bool& flag_;
};

// All that the session has to say.
Task<Result<void>> send_pending(std::shared_ptr<Stream::Impl> impl) {
  const Sending sending(impl->sending);
  while (!impl->tls->pending().empty()) {
    const std::string bytes(impl->tls->pending());
    impl->tls->sent(bytes.size());
    const std::string_view view = bytes;
    Task<Result<void>> writing = write_socket(impl, view, {});
    const Result<void> written = co_await writing;
    if (!written) co_return written;
  }
  co_return Result<void>{};
}

// Where the next encrypted bytes come to: between them they are read, with Reading::Plain.
std::span<char> room_for_more(Stream::Impl& impl) {
  if (!impl.encrypted) {
    impl.awaited_bytes = std::clamp(2 * impl.awaited_bytes, least_awaited_bytes, most_awaited_bytes);
    impl.encrypted = std::make_unique_for_overwrite<char[]>(impl.awaited_bytes);
  }
  return {impl.encrypted.get(), impl.awaited_bytes};
}

void feed(Stream::Impl& impl, std::size_t got) {
  impl.tls->feed({impl.encrypted.get(), got});
  // Once: a sender that is faster than who reads must not grow what is kept. An end or a failure here is met
  // again by the next read.
  if (got < impl.awaited_bytes) return;
  error_code ignored;
  impl.feed_what_is_there(ignored);
  if (impl.awaited_bytes < most_awaited_bytes) impl.encrypted.reset();
}

Task<Result<void>> shake_hands(std::shared_ptr<Stream::Impl> impl) {
  while (true) {
    const TlsSession::Outcome outcome = impl->tls->handshake();
    // An alert says why, before the connection ends.
    Task<Result<void>> sending = send_pending(impl);
    const Result<void> sent = co_await sending;
    if (outcome == TlsSession::Outcome::failed) co_return broken(*impl->tls);
    if (!sent) co_return sent;
    if (outcome == TlsSession::Outcome::done) co_return Result<void>{};
    const std::span<char> room = room_for_more(*impl);
    const Result<std::size_t> got =
        co_await Stream::Reading(impl.get(), room.data(), room.size(), Stream::Reading::Plain{});
    if (!got) co_return got.error();
    feed(*impl, *got);
    if (*got == 0)
      co_return Error{ErrorCode::unreachable, "The other end left in the middle of the handshake.", {}, {}};
  }
}

}  // namespace

void Stream::Impl::push_pending() {
  while (!sending && !tls->pending().empty()) {
    error_code failure;
    const std::string_view bytes = tls->pending();
    const std::size_t went = socket.write_some(asio::buffer(bytes.data(), bytes.size()), failure);
    if (failure) return;
    tls->sent(went);
  }
}

std::size_t Stream::Impl::feed_what_is_there(error_code& failure) {
  char* room = loop.impl().scratch.get();
  const std::size_t got = socket.read_some(asio::buffer(room, Loop::Impl::scratch_bytes), failure);
  if (!failure) tls->feed({room, got});
  return got;
}

Stream::Impl::Look Stream::Impl::look_secure() {
  error_code failure;
  const std::size_t got = feed_what_is_there(failure);
  if (failure == asio::error::would_block) return Look::alive;
  if (failure || got == 0) return Look::gone;
  const TlsSession::Outcome outcome = tls->look();
  if (outcome == TlsSession::Outcome::done) return Look::hidden;
  return outcome == TlsSession::Outcome::wants_input ? Look::alive : Look::gone;
}

Task<Result<void>> Stream::secure(std::shared_ptr<const TlsContext> context, std::string pinned,
                                  std::string resume_as, Milliseconds within, std::string_view got) {
  const std::shared_ptr<Impl> impl = impl_;
  if (!impl) co_return Error{ErrorCode::cancelled, "There is no connection.", {}, {}};
  impl->tls = std::make_unique<TlsSession>(std::move(context), std::move(resume_as));
  impl->tls->feed(got);
  impl->expire_within(within);
  Task<Result<void>> shaking = shake_hands(impl);
  const Result<void> shaken = co_await shaking;
  impl->expire_after(Milliseconds{0});
  if (!shaken) {
    impl->close();
    co_return shaken;
  }
  const std::string key = impl->tls->peer_key();
  if (pinned.empty() || equal_secrets(pinned, key)) co_return Result<void>{};
  impl->close();
  co_return Error{ErrorCode::wrong_key,
                  "The other end has another key than the one that is known of it.",
                  {},
                  cat("its key is ", key, ", known is ", pinned)};
}

std::string Stream::peer_key() const { return impl_ && impl_->tls ? impl_->tls->peer_key() : std::string(); }

bool Stream::is_certified() const { return impl_ && impl_->tls && impl_->tls->is_certified(); }

bool Stream::is_secure() const { return impl_ && impl_->tls; }

namespace {

// What the session has of the other end's words; nothing: it wants more.
std::optional<Result<std::size_t>> read_session(Stream::Impl& impl, char* buffer, std::size_t size) {
  const TlsSession::Read got = impl.tls->read(buffer, size);
  impl.push_pending();  // answers of the protocol itself
  switch (got.outcome) {
    case TlsSession::Outcome::done: return got.bytes;
    case TlsSession::Outcome::ended: return std::size_t{0};
    case TlsSession::Outcome::failed: return broken(*impl.tls);
    case TlsSession::Outcome::wants_input: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

Task<Result<std::size_t>> read_secure(std::shared_ptr<Stream::Impl> impl, char* buffer, std::size_t size) {
  while (true) {
    if (impl->closed) co_return impl->failure({});
    const std::optional<Result<std::size_t>> read = read_session(*impl, buffer, size);
    if (read) co_return *read;
    const std::span<char> room = room_for_more(*impl);
    const Result<std::size_t> got =
        co_await Stream::Reading(impl.get(), room.data(), room.size(), Stream::Reading::Plain{});
    if (!got) co_return got.error();
    feed(*impl, *got);
    // Without the session's own end anybody on the way could have cut it: what follows is not "the end".
    if (*got == 0) co_return Error{ErrorCode::unreachable, "The connection was cut.", {}, {}};
  }
}

Result<bool> write_secure_now(Stream::Impl& impl, std::string_view& first, std::string_view& second) {
  std::string joined;
  if (!first.empty() && !second.empty() && first.size() + second.size() <= longest_record_bytes) {
    joined.reserve(first.size() + second.size());
    joined.append(first).append(second);
    if (impl.closed) return impl.failure({});
    if (!impl.tls->write(joined)) return broken(*impl.tls);
    first = second = {};
    impl.push_pending();
  }
  while (impl.tls->pending().empty()) {
    if (first.empty()) std::swap(first, second);
    if (first.empty()) return true;
    if (impl.closed) return impl.failure({});
    const std::string_view piece = first.substr(0, most_pending_bytes);
    first.remove_prefix(piece.size());
    if (!impl.tls->write(piece)) return broken(*impl.tls);
    impl.push_pending();
  }
  return false;
}

Task<Result<void>> write_secure(std::shared_ptr<Stream::Impl> impl, std::string_view first,
                                std::string_view second) {
  while (true) {
    Task<Result<void>> sending = send_pending(impl);
    const Result<void> sent = co_await sending;
    if (!sent) co_return sent;
    const Result<bool> whole = write_secure_now(*impl, first, second);
    if (!whole) co_return whole.error();
    if (*whole) co_return Result<void>{};
  }
}

}  // namespace rbee::net
