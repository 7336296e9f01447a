// The inside of a Stream, for the server that accepts sockets; never included from outside net/.
#pragma once

#include "net/asio_loop.h"
#include "net/stream.h"

namespace rbee::net {

struct Stream::Impl : std::enable_shared_from_this<Stream::Impl> {
  Impl(Loop& on, Socket connected) : loop(on), socket(std::move(connected)), watchdog(on) {}
  Loop& loop;
  Socket socket;
  Timer watchdog;
  Milliseconds idle{0};
  Instant deadline{};
  bool watchdog_armed = false;
  bool expired = false;
  bool closed = false;
  // Who waits for the socket: at most one reader and one writer.
  std::coroutine_handle<> reader = {};
  std::coroutine_handle<> writer = {};
  error_code read_result = {};
  std::size_t read_bytes = 0;
  error_code write_result = {};
  std::function<void()> gone = {};
  bool watching = false;  // a wait for readability is queued

  void prepare();  // non-blocking, TCP_NODELAY
  void renew();
  void check_deadline();
  void close();
  void wait_for_end();
  [[nodiscard]] Error failure(const error_code& result) const;
};

// Fails with io_failed where the path of a unix socket is longer than longest_socket_path.
[[nodiscard]] Result<void> check_endpoint(const Endpoint& endpoint);
// In the form that asio wants; of one that passed check_endpoint.
[[nodiscard]] asio::generic::stream_protocol::endpoint asio_endpoint(const Endpoint& endpoint);

}  // namespace rbee::net
