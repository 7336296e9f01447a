// The inside of a Stream, for the server that accepts sockets; never included from outside net/.
#pragma once

#include "net/asio_loop.h"
#include "net/deadlines.h"
#include "net/stream.h"
#include "net/tls_session.h"

#include <array>

namespace rbee::net {

// What a socket's next read gives, read while nobody asks for it.
struct ReadAhead {
  bool reading = false;  // the operation is out
  bool done = false;     // and this is what came of it; all bytes taken: it is not done any more
  error_code result = {};
  std::size_t begin = 0;
  std::size_t end = 0;
  std::array<char, Stream::ahead_bytes> room;

  [[nodiscard]] std::size_t take(char* buffer, std::size_t size);
};

// As a Deadline it is looked at not later than its own deadline.
struct Stream::Impl final : std::enable_shared_from_this<Stream::Impl>, Deadline {
  static constexpr Instant never = Instant::max();
  Impl(Loop& on, Socket connected) : loop(on), socket(std::move(connected)) {}
  Loop& loop;
  Socket socket;
  // What each operation moves the deadline to from its beginning; zero: it stands.
  Milliseconds idle{0};
  Instant deadline = never;
  // Who waits for the socket: at most one reader and one writer.
  std::coroutine_handle<> reader = {};
  std::coroutine_handle<> writer = {};
  error_code read_result = {};
  std::size_t read_bytes = 0;
  error_code write_result = {};
  std::function<void()> gone = {};
  std::unique_ptr<ReadAhead> ahead = {};
  std::unique_ptr<TlsSession> tls = {};
  std::unique_ptr<char[]> encrypted = {};  // what `tls` waits for comes here first
  std::uint32_t awaited_bytes = 0;         // its size, or that of the one before
  bool expired = false;
  bool closed = false;
  bool write_failed = false;
  bool watching = false;  // a wait for readability is queued
  bool sending = false;   // a writer is on its way with what `tls` had to say: what follows waits behind it

  void prepare();  // non-blocking, TCP_NODELAY
  void expire_after(Milliseconds each);
  void expire_within(Milliseconds all);
  // Before an operation that waits. False: its time is over before it began.
  [[nodiscard]] bool renew();
  void due() override;
  void stop_waiting();
  void close();
  void wait_for_end();
  void read_ahead();
  void tell_gone();
  // Whether the other end is gone; for a socket that became readable while nobody reads.
  enum class Look { gone, alive, hidden };  // hidden: bytes that nobody reads yet stand before the end
  [[nodiscard]] Look look();
  [[nodiscard]] Look look_secure();
  // What the socket has right now, for `tls`: 0 at its end, `failure` where there is nothing.
  std::size_t feed_what_is_there(error_code& failure);
  // What `tls` has to say, as far as the socket takes it now.
  void push_pending();
  [[nodiscard]] Error failure(const error_code& result) const;
};

// The socket's own bytes, whatever they mean.
Task<Result<void>> write_socket(std::shared_ptr<Stream::Impl> impl, std::string_view first,
                                std::string_view second);
// What of both the socket takes now is cut off. False: not all of it.
[[nodiscard]] Result<bool> write_now(Stream::Impl& impl, std::string_view& first, std::string_view& second);
// The same of what is encrypted on the way; some may wait in the session. Nothing else is being sent.
[[nodiscard]] Result<bool> write_secure_now(Stream::Impl& impl, std::string_view& first,
                                            std::string_view& second);
Task<Result<std::size_t>> read_secure(std::shared_ptr<Stream::Impl> impl, char* buffer, std::size_t size);
Task<Result<void>> write_secure(std::shared_ptr<Stream::Impl> impl, std::string_view first,
                                std::string_view second);

// Fails with io_failed where the path of a unix socket is longer than longest_socket_path.
[[nodiscard]] Result<void> check_endpoint(const Endpoint& endpoint);
// In the form that asio wants; of one that passed check_endpoint.
[[nodiscard]] asio::generic::stream_protocol::endpoint asio_endpoint(const Endpoint& endpoint);

}  // namespace rbee::net
