// An HTTP/1.1 server for handlers that are coroutines.
//
// One connection, one coroutine, one loop. Before the handler runs the head has been read and checked; the
// body is read when the handler asks. Answers in rbee's own error form: 400 bad head, 408 too slow, 413, 431.
#pragma once

#include "net/http.h"
#include "net/stream.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rbee::net {

// What a server counts, for whoever shows it. Shared by several servers of one process.
struct ServerCounts {
  std::atomic<std::size_t> open{0};
  std::atomic<std::uint64_t> refused{0};            // too many of all
  std::atomic<std::uint64_t> refused_of_client{0};  // too many of that address
};

struct ServerOptions {
  // Speaks TLS where there is one; a client's key is known to handlers by Exchange::peer_key().
  std::shared_ptr<const TlsContext> tls = {};
  // Asked at each handshake, where it is set: what it gives goes before `tls`. Safe from every thread.
  std::function<std::shared_ptr<const TlsContext>()> tls_now = {};
  // Who may speak without TLS all the same: told apart by the first byte, with which no HTTP begins.
  enum class Plain { nobody, this_machine, everybody };
  Plain plain = Plain::nobody;
  Milliseconds handshake_within{10'000};  // all of it, from its first byte
  std::uint64_t largest_body_bytes = 64u << 20;
  Milliseconds head_within{10'000};      // all of it, from its first byte
  Milliseconds body_silence{30'000};     // without a single byte
  Milliseconds idle_keep_alive{75'000};  // as nginx
  Milliseconds write_silence{120'000};   // a client that reads nothing
  // Beyond: 503 and close. Each holds some 6 KiB and a descriptor, and one more of its engine's.
  std::size_t most_connections = 16384;
  // Of one address (of IPv6, one /64, which is what one household has): beyond, 429 and close. 0: no limit.
  std::size_t most_connections_per_client = 0;
  std::shared_ptr<ServerCounts> counts = std::make_shared<ServerCounts>();
  // A socket that listens already, inherited from the process before this one; -1: none. Becomes the
  // server's.
  int listening = -1;
  Milliseconds lost_after{0};  // Stream::lose_after of each connection; 0: as the system has it
  // Writes an error in the form of the API of that path; by default {"error": {"code", "message", "hint"}}.
  std::function<std::string(std::string_view path, const Error& error)> error_body = {};
};

// One request and its answer. Lives as long as its handler runs.
class Exchange {
 public:
  struct Impl;
  explicit Exchange(Impl& impl) : impl_(impl) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  [[nodiscard]] const RequestHead& head() const;
  [[nodiscard]] Loop& loop();
  // The print of the key that the client proved to have; empty: none, or no TLS.
  [[nodiscard]] std::string peer_key() const;
  [[nodiscard]] bool is_secure() const;
  // The client's end of the connection is on this machine: a unix socket, or a loopback address.
  [[nodiscard]] bool is_from_this_machine() const;
  // Numeric, without its port: "192.168.1.5"; "unix" for a socket of this machine.
  [[nodiscard]] std::string client_address() const;
  // Of the answer so far: its status (0 before it began), and the bytes of its head and body.
  [[nodiscard]] int status() const;
  [[nodiscard]] std::uint64_t bytes_out() const;
  // A field that the head of whatever is answered gets as well.
  void add_to_answer(FieldName name, std::string_view value);
  // The whole body, kept until the exchange ends; ReadBuffer::readable_behind more bytes may be looked at.
  // Fails with body_too_large, request_timeout, bad_request (cut or badly framed) or cancelled. Answers
  // "100-continue" first where it was asked for. Of more than `most_bytes`, or than the server takes, nothing
  // is read where its length is told, and no more than that otherwise.
  Task<Result<std::string_view>> read_body(
      std::uint64_t most_bytes = std::numeric_limits<std::uint64_t>::max());
  // The same where it came with its head, as short ones do; nothing: it has to be waited for.
  [[nodiscard]] std::optional<std::string_view> body_at_hand();

  // The body, once it was read, in room of its own size; what it was read into is given back, and of the
  // head's fields only those with these names stay, and not its target, which path and query tell. For
  // answers that may take long, ten thousand of which may be under way. Views of the body and of fields end
  // here.
  [[nodiscard]] std::string_view settle(std::span<const FieldName> fields);

  // The whole answer. Content-Length is added.
  Task<Result<void>> respond(int status, Headers headers, std::string body);
  Task<Result<void>> respond_json(int status, std::string json);
  // In the form that the server's options give, with Retry-After where `retry_after_s` is not 0.
  Task<Result<void>> respond_error(Error error, int retry_after_s = 0);

  // A streamed answer: start, write any number of times, finish. Each write is one chunk (none for HTTP/1.0).
  // begin() in place of start() sends nothing yet: the head goes out with the first piece, in one system call
  // and one packet.
  Task<Result<void>> start(int status, Headers headers);
  void begin(int status, Headers headers);
  Task<Result<void>> write(std::string_view data);
  Task<Result<void>> finish();
  // The same for bytes that carry their own framing: chunked (not for an HTTP/1.0 client), or a body of the
  // Content-Length in `headers`. `last` says that the body's end is in it, so the connection may be kept.
  Task<Result<void>> start_raw(int status, Headers headers);
  void begin_raw(int status, Headers headers);
  [[nodiscard]] Stream::Writing write_raw(std::string_view bytes, bool last);

  [[nodiscard]] bool started() const;  // the head of an answer is out, or goes out with its first piece
  // A piece of it is out: the room of its head is given back, for answers that may take long.
  void let_go_of_head();
  // Answers 101 and hands the connection over: its HTTP ends here, and either end may speak. Fails with
  // bad_request where the client did not wait for the answer.
  Task<Result<Stream>> hand_over(Headers headers);
  // Closes the connection as the handler ends: the client sees that the answer is cut.
  void abort();
  // Calls back once, on this loop, when the client goes away while the handler runs and does not read the
  // body. Dropped when the handler ends.
  void on_disconnect(std::function<void()> gone);

 private:
  Impl& impl_;
};

using Handler = std::function<Task<void>(Exchange&)>;

class HttpServer {
 public:
  // Listens on the first of `loops` and spreads the connections over all. A unix socket's file is replaced
  // where nobody answers on it, has mode 0600, and is removed at the end.
  // Fails with address_taken (it says who where that can be known), not_allowed, or io_failed.
  // Before the loops run, or on the first one.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> listen(std::vector<Loop*> loops, Endpoint on,
                                                                  Handler handler, ServerOptions options);
  // Accepts nothing by itself: for adopt() alone.
  [[nodiscard]] static std::unique_ptr<HttpServer> without_address(std::vector<Loop*> loops, Handler handler,
                                                                   ServerOptions options);
  // Stops accepting and closes all connections; handlers end as if their clients had left. The loops must
  // still run, or have ended.
  ~HttpServer();
  [[nodiscard]] Endpoint endpoint() const;  // with the port that port 0 became
  // The socket that it listens on, for a process that takes over; -1: none.
  [[nodiscard]] int listening() const;
  // What becomes of kept connections that wait for a request when no more are accepted. A successor's server
  // would not know of a request that is on its way on one: such a connection is served once more.
  enum class Kept { closed, served_once_more };
  // Accepts no more, and says in each answer from now on that its connection closes behind it. Requests that
  // run go on. Safe from every thread.
  void stop_accepting(Kept kept);
  // Serves a connection that was made elsewhere, as one that it accepted. On the stream's loop, which is one
  // of the server's. `got`: what was read of it already.
  // `taken` is called once: when the first request on it begins, or it has ended without one.
  void adopt(Loop& loop, Stream stream, std::string got = {}, std::function<void()> taken = {});
  // Closes what clients with that key have open, as stop() does. Safe from every thread.
  void close_those_of(const std::string& key_print);
  void stop();

 private:
  struct Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace rbee::net
