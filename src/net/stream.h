// Stream: one connected socket, TCP or unix, plain or TLS. Used on its loop's thread only.
#pragma once

#include "base/error.h"
#include "net/loop.h"
#include "net/task.h"
#include "net/tls.h"

#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rbee::net {

// Where to listen or to connect: a unix socket's path, or a numeric address and port.
struct Endpoint {
  std::string unix_path = {};
  std::string address = {};
  std::uint16_t port = 0;
  [[nodiscard]] bool is_unix() const { return !unix_path.empty(); }
  [[nodiscard]] std::string text() const;  // "127.0.0.1:7833", "[::1]:7833", "unix:/path"
};

// Longest path of a unix socket that the system takes (sun_path less its 0): 107 on Linux.
extern const std::size_t longest_socket_path;

// "127.0.0.1:7833", "[::1]:80", ":7833" (loopback), "/path/x.sock", "http://127.0.0.1:7833". Fails with
// bad_usage. A name is not looked up: a blocking resolver has no place here, so "localhost" is 127.0.0.1.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);
[[nodiscard]] bool is_loopback(const Endpoint& endpoint);

class Stream {
 public:
  struct Impl;
  explicit Stream(std::shared_ptr<Impl> impl);  // of this layer only
  Stream();
  ~Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;

  // Fails with unreachable (refused, no such socket) or timed_out.
  static Task<Result<Stream>> connect(Loop& loop, Endpoint to, Milliseconds timeout);

  // Speaks TLS from now on, as the context says; `got` are bytes that were read before. `pinned`: the print
  // of the key that the other end must have (empty: any), known before anything of ours is sent. `resume_as`:
  // the other end's name for resuming (empty: none). Fails with wrong_key, unreachable or timed_out; then it
  // is closed.
  Task<Result<void>> secure(std::shared_ptr<const TlsContext> context, std::string pinned,
                            std::string resume_as, Milliseconds within, std::string_view got = {});
  // The print of the key that the other end proved to have; empty: none, or no TLS.
  [[nodiscard]] std::string peer_key() const;
  [[nodiscard]] bool is_secure() const;
  // As TlsContext::public_client() says.
  [[nodiscard]] bool is_certified() const;
  // Numeric, without its port; "unix" for a unix socket; empty where it is closed. A system call.
  [[nodiscard]] std::string peer_address() const;
  // Over a unix socket, or from a loopback address. A system call.
  [[nodiscard]] bool is_from_this_machine() const;

  // What read_some() and write() give: awaited once, where they are called. No coroutines, since each chunk
  // of each stream comes this way: on a plain connection neither has a frame of its own.
  class Reading;
  class Writing;
  // Up to `size` bytes; 0 when the other end has finished. Fails with cancelled (close() here), timed_out
  // (expire_after, expire_within) or unreachable (reset).
  [[nodiscard]] Reading read_some(char* buffer, std::size_t size);
  // All of both parts, in one system call where the kernel takes it. Errors as read_some.
  [[nodiscard]] Writing write(std::string_view first, std::string_view second = {});
  // As much of both as the socket takes now; that is cut off. False: not all of it, and write() is to go on
  // with the rest. Errors as write.
  [[nodiscard]] Result<bool> write_at_once(std::string_view& first, std::string_view& second);

  // What reads and writes may last from now on, each call renewing it: a store, no system call. Zero: no
  // limit.
  void expire_after(Milliseconds idle);
  // In place of that what all of them together may last from now on, whatever comes meanwhile: over TLS a
  // read that gives nothing may have had many bytes. Zero: no limit.
  void expire_within(Milliseconds all);
  // What waits ends now as if its time were over. The connection stays.
  void stop_waiting();
  // Gives the connection up when what was sent is not acknowledged for so long, where the system can: a
  // network that swallows packets (a NAT that forgot) looks like silence else. By itself it takes minutes.
  void lose_after(Milliseconds unacknowledged);
  // Ends what waits with `cancelled`; the kernel tells the other end at once. May be called in any state.
  void close();
  [[nodiscard]] bool is_open() const;
  // Part of something may be out: nothing that follows would be understood.
  [[nodiscard]] bool write_failed() const;
  [[nodiscard]] Instant now() const;  // of its loop's clock
  // Tells the other end that no more will come; reading goes on.
  void shut_down_sending();
  // Calls `gone` once when the other end closes or resets while nobody reads; what it sent meanwhile is
  // kept for the next read. unwatch() before reading again.
  // `waits` costs a system call beside that of the next read; `reads_ahead` is that read, and costs
  // `ahead_bytes` of room for as long as the connection lives: for what is read again soon. (TLS waits in any
  // case.)
  enum class Watch { waits, reads_ahead };
  static constexpr std::size_t ahead_bytes = 4096;
  void watch(std::function<void()> gone, Watch how = Watch::waits);
  void unwatch();
  // Something was sent that nobody has read yet, as far as is known without a look.
  [[nodiscard]] bool has_read_ahead() const;

  // The connection without its loop, for another loop to take; nobody may wait on it. Both halves run on
  // their own loop's thread. What was not attached again is closed.
  class Detached {
   public:
    Detached();
    ~Detached();
    Detached(Detached&&) noexcept;
    Detached& operator=(Detached&&) noexcept;

   private:
    friend class Stream;
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };
  [[nodiscard]] Detached detach();
  [[nodiscard]] static Stream attach(Loop& loop, Detached detached);

 private:
  std::shared_ptr<Impl> impl_;
};

class Stream::Reading {
 public:
  // As it came: what is encrypted stays so.
  struct Plain {};
  Reading(Impl* impl, char* buffer, std::size_t size) : impl_(impl), buffer_(buffer), size_(size) {}
  Reading(Impl* impl, char* buffer, std::size_t size, Plain)
      : impl_(impl), buffer_(buffer), size_(size), plain_(true) {}
  // A frame that is destroyed while it waits takes its operation with it: nothing is written into a buffer
  // that is gone.
  ~Reading();
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  // What was read ahead is there already.
  [[nodiscard]] bool await_ready() const noexcept;
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting);
  [[nodiscard]] Result<std::size_t> await_resume();

 private:
  Impl* impl_;  // kept by the operation on it, or by who awaits; none: there is no connection
  char* buffer_;
  std::size_t size_;
  bool plain_ = false;
  bool waits_ = false;
  Task<Result<std::size_t>> secure_ = {};  // over TLS
};

class Stream::Writing {
 public:
  Writing(Impl* impl, std::string_view first, std::string_view second)
      : impl_(impl), first_(first), second_(second) {}
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  // As a rule all of it fits into the socket at once.
  [[nodiscard]] bool await_ready();
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting);
  [[nodiscard]] Result<void> await_resume();

 private:
  Impl* impl_;
  std::string_view first_;
  std::string_view second_;
  Result<void> written_ = {};
  Task<Result<void>> rest_ = {};  // what did not fit
};

}  // namespace rbee::net
