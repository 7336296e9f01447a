// Answering a request.
#include "net/exchange.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>

namespace rbee::net {
namespace {

void add_own_fields(Headers& headers, Exchange::Impl& impl) {
  if (impl.closing) impl.keep_alive = false;
  if (!impl.keep_alive)
    headers.add("Connection", "close");
  else if (impl.head.minor_version == 0)
    headers.add("Connection", "keep-alive");
  headers.add_all(impl.added);
}

}  // namespace

const RequestHead& Exchange::head() const { return impl_.head; }
Loop& Exchange::loop() { return impl_.loop; }
std::string Exchange::peer_key() const { return impl_.stream.peer_key(); }
bool Exchange::is_secure() const { return impl_.stream.is_secure(); }
bool Exchange::is_from_this_machine() const {
  if (!impl_.from_this_machine) impl_.from_this_machine = impl_.stream.is_from_this_machine();
  return *impl_.from_this_machine;
}
void Exchange::add_to_answer(FieldName name, std::string_view value) { impl_.added.add(name, value); }
std::string Exchange::client_address() const { return impl_.stream.peer_address(); }
int Exchange::status() const { return impl_.status; }
std::uint64_t Exchange::bytes_out() const { return impl_.bytes_out; }
bool Exchange::started() const { return impl_.answer_started; }

Task<Result<std::string_view>> Exchange::read_body(std::uint64_t most_bytes) {
  const std::uint64_t most = std::min(most_bytes, impl_.options.largest_body_bytes);
  const Result<void> read = co_await impl_.read_whole_body(most);
  if (read) co_return impl_.body;
  Error error = read.error();
  if (error.code == ErrorCode::timed_out) {
    error =
        Error{ErrorCode::request_timeout,
              cat("The request's body stopped coming for ", impl_.options.body_silence.count() / 1000, " s."),
              {},
              {}};
  } else if (error.code == ErrorCode::unreachable) {
    error.code = ErrorCode::cancelled;
  }
  co_return error;
}

std::optional<std::string_view> Exchange::body_at_hand() {
  const bool whole = impl_.framing.kind == Framing::length && impl_.framing.length <= impl_.unread().size() &&
                     impl_.framing.length <= impl_.options.largest_body_bytes;
  if (impl_.body_done || !whole || impl_.expects_continue) return std::nullopt;
  impl_.body = impl_.unread().substr(0, impl_.framing.length);
  impl_.buffer.consume(impl_.body.size());
  impl_.body_done = true;
  return impl_.body;
}

std::string_view Exchange::settle(std::span<const FieldName> fields) {
  if (impl_.long_body.capacity() == 0 && !impl_.body.empty()) {
    std::copy(impl_.body.begin(), impl_.body.end(), impl_.long_body.prepare(impl_.body.size()));
    impl_.long_body.commit(impl_.body.size());
    impl_.body = impl_.long_body.unread();
  }
  impl_.buffer.rest();
  impl_.settled = true;
  // One that is made anew: an assignment would keep the room of the long one.
  Headers kept = impl_.head.headers.only(fields);
  std::swap(impl_.head.headers, kept);
  std::string().swap(impl_.head.target);
  return impl_.body;
}

Task<Result<void>> Exchange::respond(int status, Headers headers, std::string body) {
  impl_.answer_started = true;
  impl_.status = status;
  // A body that was not read stands between this answer and the next request: the server decides then.
  const bool large_body_left = !impl_.body_done && impl_.framing.kind != Framing::length;
  if (large_body_left) impl_.keep_alive = false;
  headers.add("Content-Length", cat(body.size()));
  add_own_fields(headers, impl_);
  const std::string head = format_response_head(status, headers);
  impl_.stream.expire_after(impl_.options.write_silence);
  const std::string_view content = impl_.head.method == "HEAD" ? std::string_view{} : std::string_view(body);
  impl_.bytes_out += head.size() + content.size();
  const Result<void> written = co_await impl_.stream.write(head, content);
  if (written) impl_.answer_done = true;
  co_return written;
}

Task<Result<void>> Exchange::respond_json(int status, std::string json) {
  Headers headers{{"Content-Type", "application/json"}};
  Task<Result<void>> responding = respond(status, std::move(headers), std::move(json));
  const Result<void> written = co_await responding;
  co_return written;
}

Task<Result<void>> Exchange::respond_error(Error error, int retry_after_s) {
  Headers headers{{"Content-Type", "application/json"}};
  if (retry_after_s > 0) headers.add("Retry-After", cat(retry_after_s));
  std::string text = impl_.error_text(error);
  const int status = info(error.code).http_status;
  Task<Result<void>> responding = respond(status, std::move(headers), std::move(text));
  const Result<void> written = co_await responding;
  co_return written;
}

Stream::Writing Exchange::Impl::send(std::string_view bytes) {
  if (!std::exchange(holds_head, false)) return stream.write(bytes);
  return stream.write(answer_head, bytes);
}

void Exchange::Impl::hold_head(int with_status, Headers headers) {
  answer_started = true;
  status = with_status;
  add_own_fields(headers, *this);
  answer_head = format_response_head(with_status, headers);
  holds_head = true;
  bytes_out += answer_head.size();
  stream.expire_after(options.write_silence);
}

void Exchange::begin(int status, Headers headers) {
  impl_.chunked_answer = impl_.head.minor_version == 1;
  if (impl_.chunked_answer)
    headers.add("Transfer-Encoding", "chunked");
  else
    impl_.keep_alive = false;
  impl_.hold_head(status, std::move(headers));
}

void Exchange::begin_raw(int status, Headers headers) {
  impl_.chunked_answer = headers.find("Transfer-Encoding").has_value();
  impl_.hold_head(status, std::move(headers));
}

Task<Result<void>> Exchange::start(int status, Headers headers) {
  begin(status, std::move(headers));
  const Result<void> written = co_await impl_.send({});
  co_return written;
}

Task<Result<void>> Exchange::start_raw(int status, Headers headers) {
  begin_raw(status, std::move(headers));
  const Result<void> written = co_await impl_.send({});
  co_return written;
}

Task<Result<void>> Exchange::write(std::string_view data) {
  if (data.empty()) co_return Result<void>{};  // an empty chunk would end the body
  impl_.bytes_out += data.size();
  if (!impl_.chunked_answer) {
    const Result<void> plain = co_await impl_.send(data);
    co_return plain;
  }
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, data.size(), 16).ptr;
  std::string chunk(digits, end);
  chunk.append("\r\n").append(data).append("\r\n");
  const Result<void> written = co_await impl_.send(chunk);
  co_return written;
}

Task<Result<void>> Exchange::finish() {
  if (impl_.chunked_answer) {
    const Result<void> written = co_await impl_.send("0\r\n\r\n");
    if (!written) co_return written;
  } else if (impl_.holds_head) {
    const Result<void> written = co_await impl_.send({});
    if (!written) co_return written;
  }
  impl_.answer_done = true;
  co_return Result<void>{};
}

// Moving an empty string into a long one would keep its room.
void Exchange::let_go_of_head() {
  std::string().swap(impl_.answer_head);
  impl_.added.let_go();
}

Stream::Writing Exchange::write_raw(std::string_view bytes, bool last) {
  impl_.bytes_out += bytes.size();
  // Before it is written: a write that fails ends the connection all the same (finish_request).
  if (last) impl_.answer_done = true;
  return impl_.send(bytes);
}

Task<Result<Stream>> Exchange::hand_over(Headers headers) {
  if (!impl_.unread().empty() || !impl_.body_done)
    co_return Error{ErrorCode::bad_request, "The client did not wait for its 101.", {}, {}};
  impl_.answer_started = true;
  impl_.status = 101;
  headers.add("Connection", "Upgrade");
  const std::string head = format_response_head(101, headers);
  impl_.stream.expire_after(impl_.options.write_silence);
  const Result<void> written = co_await impl_.stream.write(head);
  if (!written) co_return written.error();
  impl_.stream.expire_after(Milliseconds{0});
  co_return std::move(impl_.stream);
}

void Exchange::abort() { impl_.aborted = true; }

void Exchange::on_disconnect(std::function<void()> gone) {
  impl_.gone = std::move(gone);
  Impl* impl = &impl_;
  // Of answers that may take long there may be ten thousand, and none of them asks again soon.
  const auto how = impl_.settled ? Stream::Watch::waits : Stream::Watch::reads_ahead;
  // The connection's coroutine unwatches before it lets go of impl_.
  const auto tell_gone = [impl] {
    const std::function<void()> tell = std::exchange(impl->gone, {});
    if (tell) tell();
  };
  impl_.stream.watch(tell_gone, how);
}

}  // namespace rbee::net
