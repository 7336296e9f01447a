// What the files of this layer share of Boost.Asio; never included from outside net/.
#pragma once

#include "net/loop.h"
#include "net/read_buffer.h"
#include "net/room_store.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace rbee::net {

class Deadlines;

namespace asio = boost::asio;
using boost::system::error_code;
// The concrete executor: any_io_executor costs a type-erased call per operation.
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
using SteadyTimer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                               asio::wait_traits<std::chrono::steady_clock>, Executor>;

struct Loop::Impl {
  Impl();
  ~Impl();
  // What one connection reads at once into room that all of the loop share, and uses before it waits again.
  static constexpr std::size_t scratch_bytes = 65536;

  // How a patient loop rests. What is posted meanwhile waits; stop() does not.
  struct Rest {
    std::atomic<Milliseconds> between_rounds{Milliseconds{0}};
    std::mutex mutex = {};
    std::condition_variable over = {};
  };

  RoomStore rooms;  // goes last
  asio::io_context context{1};
  std::unique_ptr<Rest> rest = {};           // of a patient one
  std::list<std::coroutine_handle<>> tasks;  // spawned and not ended
  // Room for long bodies, kept for the next ones for a while: fresh memory costs more than what is read into
  // it.
  std::vector<ReadBuffer> spare;
  std::optional<Timer> let_spare_go;
  std::unique_ptr<Deadlines> deadlines;  // of connections

  [[nodiscard]] Deadlines& watch_over(Loop& loop);
  std::unique_ptr<char[]> scratch = std::make_unique_for_overwrite<char[]>(scratch_bytes);
};

inline asio::io_context& context_of(Loop& loop) { return loop.impl().context; }

}  // namespace rbee::net
