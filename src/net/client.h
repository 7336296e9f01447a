// An HTTP/1.1 client: one request at a time on a connection, its answer read as it comes.
//
// Engines close after every streamed answer, so by default a connection serves one request; between a keeper
// and its hives it is given back when the answer is over (give_back).
#pragma once

#include "net/http.h"
#include "net/sign_of_life.h"
#include "net/stream.h"

#include <memory>
#include <optional>
#include <string>

namespace rbee::net {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  Headers headers = {};        // Host, Content-Length and Connection are added
  std::string_view body = {};  // must live until the answer's head is there
};

// How a connection to another machine is made safe: with our key shown, and theirs known before we speak.
struct Secure {
  std::shared_ptr<const TlsContext> context = {};  // none: plain
  std::string pinned_key = {};                     // its print; empty: any key
};
// Connects, and shakes hands where `secure` has a context. Fails as Stream::connect and Stream::secure.
Task<Result<Stream>> connect_secure(Loop& loop, Endpoint to, Secure secure, Milliseconds within);

class ClientExchange {
 public:
  ClientExchange();
  ~ClientExchange();
  ClientExchange(ClientExchange&&) noexcept;
  ClientExchange& operator=(ClientExchange&&) noexcept;

  // Connects, sends and waits for the answer's head, all of it within `within`. Fails with unreachable
  // (nothing was sent, or the other end went away before its head), timed_out or bad_request (no HTTP).
  static Task<Result<ClientExchange>> send(Loop& loop, Endpoint to, ClientRequest request,
                                           Milliseconds within);

  // The two halves of send(), for whoever must be able to leave while it waits for the head: connects and
  // sends, both within `within` ...
  static Task<Result<ClientExchange>> begin(Loop& loop, Endpoint to, ClientRequest request,
                                            Milliseconds within);
  // The first half on a connection that is there, which stays open after the answer; `within` is how long the
  // other end may take nothing of it, for a body may be long. `life`: as tell().
  static Task<Result<ClientExchange>> begin_on(Stream stream, Endpoint to, ClientRequest request,
                                               Milliseconds within, std::shared_ptr<SignOfLife> life = {});
  // ... and waits for the head (`within`, zero: no limit). Then head() and framing() may be asked.
  Task<Result<void>> read_head(Milliseconds within);

  // From now on each byte that comes is told there.
  void tell(std::shared_ptr<SignOfLife> life);
  // When its last byte came, or when it was begun.
  [[nodiscard]] Instant last_byte() const;

  [[nodiscard]] const ResponseHead& head() const;
  // The fields of the head are not asked for any more: their room is given back. Its status stays.
  void let_go_of_fields();
  [[nodiscard]] BodyFraming framing() const;
  // The next bytes of the body, decoded; empty at its end. Valid until the next call. Fails with unreachable
  // where the answer is cut, timed_out after `silence` (zero: none).
  Task<Result<std::string_view>> read_some(Milliseconds silence);
  // The same with its framing left in, up to the last whole chunk where it is chunked and the chunk is under
  // 64 KiB, so that an error can be written behind it. Empty at the end.
  struct Raw {
    std::string_view bytes;
    bool last = false;  // the body ends with these bytes
  };
  Task<Result<Raw>> read_raw(Milliseconds silence);
  // Whole, up to `limit_bytes` (else io_failed).
  Task<Result<std::string>> read_all(std::size_t limit_bytes, Milliseconds silence);
  // The same, all of it within that time.
  Task<Result<std::string>> read_all_within(std::size_t limit_bytes, Milliseconds within);
  // Asks for the connection to be handed over (Exchange::hand_over). On a 101 the stream, with what came
  // behind the answer; else the answer, to be read.
  struct Upgraded;
  static Task<Result<Upgraded>> upgrade(Stream stream, Endpoint to, ClientRequest request,
                                        Milliseconds within);
  // The connection, for the next request: where it was begun with begin_on, the request was written whole,
  // the answer was read to its end, and the other end keeps it open.
  [[nodiscard]] std::optional<Stream> give_back();
  // What waits here ends with timed_out, and may be waited for again.
  void stop_waiting();
  // The other end learns it at once; what waits here ends with cancelled.
  void close();
  // Tells the other end that we leave, by our end-of-file. What waits here goes on until it closes as well.
  void say_goodbye();
  // Says goodbye and waits, at most so long, until the other end has closed as well: an engine does so when
  // it has stopped the work. Sends our end-of-file at once; what still comes is thrown away.
  Task<void> let_go(Milliseconds at_most);

 private:
  struct Impl;
  static Task<Result<ClientExchange>> send_rest(ClientExchange exchange, std::string_view first,
                                                std::string_view second);
  std::unique_ptr<Impl> impl_;
};

struct ClientExchange::Upgraded {
  Stream stream = {};
  std::string rest = {};
  ClientExchange refusal = {};  // where the stream is not open
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
};
// The whole exchange; `within` bounds all of it.
Task<Result<ClientResponse>> fetch(Loop& loop, Endpoint to, ClientRequest request, Milliseconds within,
                                   std::size_t limit_bytes = 16u << 20);

}  // namespace rbee::net
