// Reading a request: its head within a time, its body within a size and without long silences.
#include "base/json.h"
#include "base/text.h"
#include "net/exchange.h"

#include <nlohmann/json.hpp>

namespace rbee::net {
namespace {

// One read: a whole request of a chat client in one system call.
constexpr std::size_t read_bytes = 16384;
// Of a body that comes in parts: room for so much is taken before it is there (a client that lies about the
// length of its body gets no more), and so much is read by one system call.
constexpr std::size_t most_taken_at_once = 1u << 20;
constexpr std::size_t most_read_at_once = 1u << 18;
// What is thrown away of a body that no handler read, to keep the connection: more costs more than a new one.
constexpr std::size_t most_discarded_bytes = 262144;

// A client that was told so stops within a round trip; one that sends on for longer is no client.
constexpr Milliseconds lingers_for{1'000};

Error too_large(std::uint64_t limit) {
  constexpr std::uint64_t mib = 1u << 20;
  const std::string most = limit < mib ? cat(limit / 1024, " KiB") : cat(limit / mib, " MiB");
  return Error{ErrorCode::body_too_large,
               cat("The request's body is larger than ", most, "."),
               cat("Send at most ", most, " in one request."),
               {}};
}

// The first byte of a TLS record that begins a handshake; no method of HTTP begins with it.
constexpr char handshake_record = 0x16;

Error head_too_large() {
  return Error{ErrorCode::bad_request,
               cat("The request's head is larger than ", largest_head_bytes / 1024, " KiB."),
               {},
               {}};
}

Error head_too_late(Milliseconds within) {
  return Error{ErrorCode::request_timeout,
               cat("The request's head did not come within ", within.count() / 1000, " s."),
               {},
               {}};
}

Error speaks_tls() {
  return Error{
      ErrorCode::bad_request, "This address speaks TLS only.", "Use https:// instead of http://.", {}};
}

Error cut_body() {
  return Error{
      ErrorCode::bad_request, "The request's body is cut: the connection ended in the middle of it.", {}, {}};
}

}  // namespace

// Not one coroutine around the read: each request comes this way.
Stream::Reading Exchange::Impl::fill() {
  char* room = buffer.prepare(read_bytes);
  return stream.read_some(room, read_bytes);
}

Result<bool> Exchange::Impl::filled(const Result<std::size_t>& got) {
  if (!got) return got.error();
  buffer.commit(*got);
  return *got > 0;
}

Task<bool> Exchange::Impl::prepare() {
  if (!options.tls) co_return true;
  stream.expire_after(options.handshake_within);
  const Result<std::size_t> first = co_await fill();
  const Result<bool> begun = filled(first);
  if (!begun || !*begun) co_return false;
  if (unread().front() != handshake_record) {
    const bool may = options.plain == ServerOptions::Plain::everybody ||
                     (options.plain == ServerOptions::Plain::this_machine && stream.is_from_this_machine());
    if (may) co_return true;
    Task<void> refusing = refuse(400, speaks_tls());
    co_await refusing;
    co_return false;
  }
  const std::string got(unread());
  buffer.consume(got.size());
  const std::shared_ptr<const TlsContext> tls = options.tls_now ? options.tls_now() : options.tls;
  Task<Result<void>> securing = stream.secure(tls, {}, {}, options.handshake_within, got);
  const Result<void> secured = co_await securing;
  co_return static_cast<bool>(secured);
}

Task<bool> Exchange::Impl::read_head() {
  bool begun = false;
  std::size_t bytes = 0;
  stream.expire_within(options.idle_keep_alive);
  while (true) {
    // RFC 9112 2.2: empty lines before a request are no fault, and no beginning of one.
    while (unread().starts_with("\r\n")) buffer.consume(2);
    const bool had_begun = std::exchange(begun, !unread().empty());
    if (begun && !had_begun) stream.expire_within(options.head_within);
    const std::size_t end = unread().find("\r\n\r\n");
    const bool whole = end != std::string_view::npos;
    bytes = whole ? end + 4 : unread().size();
    if (bytes > largest_head_bytes) {
      Task<void> refusing = refuse(431, head_too_large());
      co_await refusing;
      co_return false;
    }
    if (whole) break;
    waits = !begun;
    const Result<std::size_t> got = co_await fill();
    const Result<bool> more = filled(got);
    waits = false;
    if (!more && more.error().code == ErrorCode::timed_out && begun) {
      Task<void> refusing = refuse(408, head_too_late(options.head_within));
      co_await refusing;
      co_return false;
    }
    if (!more || !*more) co_return false;
    // Who wants TLS where there is none waits for an answer that HTTP cannot give: the end is clearer.
    if (unread().front() == handshake_record) co_return false;
  }
  const Result<void> taken = take_head(bytes);
  if (taken) co_return true;
  Task<void> refusing = refuse(400, taken.error());
  co_await refusing;
  co_return false;
}

Result<void> Exchange::Impl::take_head(std::size_t bytes) {
  Result<RequestHead> parsed = parse_request_head(unread().substr(0, bytes));
  buffer.consume(bytes);
  if (!parsed) return parsed.error();
  const Result<BodyFraming> body_framing = request_framing(*parsed);
  if (!body_framing) return body_framing.error();
  head = std::move(*parsed);
  framing = *body_framing;
  body_done = framing.kind == Framing::none || (framing.kind == Framing::length && framing.length == 0);
  keep_alive = keeps_alive(head.minor_version, head.headers);
  expects_continue = equal_ignoring_case(head.headers.find("Expect").value_or(""), "100-continue");
  return {};
}

// Before there is a request to answer: in any case the connection's end.
Task<void> Exchange::Impl::refuse(int with_status, Error error) {
  const std::string text = error_text(error);
  Headers headers{
      {"Content-Type", "application/json"}, {"Content-Length", cat(text.size())}, {"Connection", "close"}};
  if (with_status == 429 || with_status == 503) headers.add("Retry-After", "1");
  const std::string out = format_response_head(with_status, headers);
  stream.expire_after(options.write_silence);
  const Result<void> written = co_await stream.write(out, text);
  if (!written) co_return;
  Task<void> lingering = linger();
  co_await lingering;
}

Task<void> Exchange::Impl::linger() {
  stream.shut_down_sending();
  stream.expire_within(lingers_for);
  while (true) {
    buffer.consume(unread().size());
    const Result<std::size_t> got = co_await fill();
    const Result<bool> more = filled(got);
    if (!more || !*more) co_return;
  }
}

Task<Result<void>> Exchange::Impl::read_length_body(std::uint64_t most_bytes) {
  if (framing.length > most_bytes) co_return too_large(most_bytes);
  const std::size_t length = framing.length;
  const std::string_view here = unread().substr(0, length);
  buffer.consume(here.size());
  body = here;
  if (here.size() == length) co_return Result<void>{};
  // Where it came in parts it is put together once, and read straight to its place.
  long_body = loop.take_room();
  std::copy(here.begin(), here.end(), long_body.prepare(std::min(length, most_taken_at_once)));
  long_body.commit(here.size());
  while (long_body.unread().size() < length) {
    const std::size_t most = std::min(length - long_body.unread().size(), most_read_at_once);
    char* room = long_body.prepare(most);
    const Result<std::size_t> got = co_await stream.read_some(room, most);
    if (!got) co_return got.error();
    if (*got == 0) co_return cut_body();
    long_body.commit(*got);
  }
  body = long_body.unread();
  co_return Result<void>{};
}

Task<Result<void>> Exchange::Impl::read_chunked_body(std::uint64_t most_bytes) {
  ChunkedReader reader;
  while (!reader.done()) {
    if (unread().empty()) {
      const Result<std::size_t> got = co_await fill();
      const Result<bool> more = filled(got);
      if (!more) co_return more.error();
      if (!*more) co_return cut_body();
    }
    const Result<ChunkedReader::Step> step = reader.next(unread());
    if (!step) co_return step.error();
    if (long_body.unread().size() + step->data.size() > most_bytes) co_return too_large(most_bytes);
    std::copy(step->data.begin(), step->data.end(), long_body.prepare(step->data.size()));
    long_body.commit(step->data.size());
    buffer.consume(step->used);
  }
  body = long_body.unread();
  co_return Result<void>{};
}

Task<Result<void>> Exchange::Impl::read_whole_body(std::uint64_t most_bytes) {
  if (body_done) co_return Result<void>{};
  stream.expire_after(options.body_silence);
  if (std::exchange(expects_continue, false) &&
      (framing.kind != Framing::length || framing.length <= most_bytes)) {
    const Result<void> sent = co_await stream.write("HTTP/1.1 100 Continue\r\n\r\n");
    if (!sent) co_return sent.error();
  }
  Task<Result<void>> reading =
      framing.kind == Framing::length ? read_length_body(most_bytes) : read_chunked_body(most_bytes);
  Result<void> read = co_await reading;
  if (read) body_done = true;
  if (!read) keep_alive = false;
  co_return read;
}

// As a rule the body was read, and this is no coroutine.
Task<bool> Exchange::Impl::finish_request() {
  const bool goes_on = !aborted && answer_done && stream.is_open() && !stream.write_failed() && keep_alive;
  if (!goes_on) return Task<bool>::done(false);
  if (!body_done) return discard_body();
  reset();
  return Task<bool>::done(true);
}

// Of a handler that did not want it: only a small one is worth reading.
Task<bool> Exchange::Impl::discard_body() {
  if (framing.kind != Framing::length || framing.length > most_discarded_bytes || expects_continue)
    co_return false;
  const Result<void> rest = co_await read_whole_body(most_discarded_bytes);
  if (!rest) co_return false;
  reset();
  co_return true;
}

void Exchange::Impl::reset() {
  head = {};
  framing = {};
  body = {};
  if (long_body.capacity() > 0) loop.give_room(std::exchange(long_body, {}));
  body_done = answer_started = answer_done = chunked_answer = holds_head = settled = false;
  answer_head = {};
  gone = {};
  added = {};
  status = 0;
  bytes_out = 0;
}

std::string Exchange::Impl::error_text(const Error& error) const {
  return options.error_body ? options.error_body(head.path, error) : dump_json(error_json(error));
}

}  // namespace rbee::net
