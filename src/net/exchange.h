// The inside of an Exchange: one connection's buffer and where its request and answer stand. Of net/ only.
#pragma once

#include "net/read_buffer.h"
#include "net/server.h"

namespace rbee::net {

struct Exchange::Impl {
  Impl(Loop& on, Stream connected, const ServerOptions& with, const std::atomic<bool>& ending)
      : loop(on), stream(std::move(connected)), options(with), closing(ending) {}

  Loop& loop;
  Stream stream;
  const ServerOptions& options;
  const std::atomic<bool>& closing;  // the server accepts no more: this connection's next answer is its last

  ReadBuffer buffer;

  RequestHead head;
  BodyFraming framing;
  std::string_view body;  // whole, here, or in `buffer` where it came with its head
  ReadBuffer long_body;   // in parts, put together
  bool body_done = false;
  bool expects_continue = false;
  bool settled = false;  // the body, for an answer that may take long

  bool answer_started = false;
  bool answer_done = false;
  bool chunked_answer = false;
  bool holds_head = false;  // it goes out with the first piece
  std::string answer_head;
  bool keep_alive = true;
  bool aborted = false;
  bool waits = false;  // for a request of which nothing has come yet
  int status = 0;
  std::uint64_t bytes_out = 0;
  Headers added = {};  // to whatever is answered
  std::optional<bool> from_this_machine = {};
  std::function<void()> gone;  // also called by the server's stop

  [[nodiscard]] std::string_view unread() const { return buffer.unread(); }
  // Before the first request: TLS where the server speaks it. False when the connection must be closed.
  Task<bool> prepare();
  // Room for what is read next, and what came into it: between them it is read. False: the end.
  [[nodiscard]] Stream::Reading fill();
  [[nodiscard]] Result<bool> filled(const Result<std::size_t>& got);
  // The next request's head, parsed; false when the client has no more. An error has been answered already.
  Task<bool> read_head();
  // So many of the unread bytes are one.
  [[nodiscard]] Result<void> take_head(std::size_t bytes);
  Task<void> refuse(int with_status, Error error);
  // Before closing on a client that still sends: a reset would take the answer from it.
  Task<void> linger();
  Task<Result<void>> read_length_body(std::uint64_t most_bytes);
  Task<Result<void>> read_chunked_body(std::uint64_t most_bytes);
  Task<Result<void>> read_whole_body(std::uint64_t most_bytes);
  // Makes the connection ready for the next request; false when it must be closed.
  Task<bool> finish_request();
  Task<bool> discard_body();
  void reset();
  // The head of an answer, for its first piece.
  void hold_head(int with_status, Headers headers);
  // Behind the head, where that is held.
  [[nodiscard]] Stream::Writing send(std::string_view bytes);
  [[nodiscard]] std::string error_text(const Error& error) const;
};

}  // namespace rbee::net
