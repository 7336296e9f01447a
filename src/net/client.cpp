#include "net/client.h"

#include "base/text.h"
#include "net/read_buffer.h"

#include <algorithm>

namespace rbee::net {
namespace {

// What is read at once: little while little comes, so that ten thousand connections that wait hold no more
// (an event has 250 bytes). A short answer comes whole with its head: in two reads it would be sent in two.
constexpr std::size_t first_read_bytes = 4096;
constexpr std::size_t least_read_bytes = 192;
constexpr std::size_t most_read_bytes = 16384;
// A chunk longer than this is passed on in parts: what follows a break in the middle of it cannot be mended.
constexpr std::size_t largest_held_chunk_bytes = 65536;

// For what comes next, where so much came last.
std::size_t room_after(std::size_t bytes) {
  return std::clamp(bytes + bytes / 4, least_read_bytes, most_read_bytes);
}

Error lost(const Endpoint& to, std::string_view when) {
  return Error{ErrorCode::unreachable, cat(to.text(), " closed the connection ", when, "."), {}, {}};
}

// Never nothing: zero would be no limit.
Milliseconds left_until(const Loop& loop, Instant deadline) {
  return std::max(deadline - loop.clock().now(), Milliseconds{1});
}

std::string head_of(const ClientRequest& request, const Endpoint& to, bool keep) {
  const bool has_body = !request.body.empty() || request.method == "POST";
  const std::string host = to.is_unix() ? "localhost" : to.text();
  const std::string length = has_body ? cat("Content-Length: ", request.body.size(), "\r\n") : "";
  const std::string_view connection = keep ? "" : "Connection: close\r\n";
  return cat(request.method, ' ', request.target, " HTTP/1.1\r\nHost: ", host, "\r\n", connection, length,
             request.headers.text(), "\r\n");
}

}  // namespace

struct ClientExchange::Impl : InRoom {
  Stream stream;
  Endpoint to;
  ResponseHead head;
  BodyFraming framing;
  ChunkedReader chunks;
  std::uint64_t left = 0;  // of a body with a length
  ReadBuffer buffer;
  std::string sent_head;  // until the answer's
  std::size_t read_bytes = first_read_bytes;
  std::size_t scanned = 0;  // read_raw: of what is unread, seen by `chunks`
  bool ended = false;
  bool answers_head_request = false;
  bool keep = false;           // the connection outlives the answer
  bool is_kept_there = false;  // by the other end, as its head says
  std::shared_ptr<SignOfLife> life;
  Instant last_byte{};

  void form_head(const ClientRequest& request);
  [[nodiscard]] std::string_view unread() const { return buffer.unread(); }
  // Room for what is read next, and what came into it: between them it is read. False: the end.
  [[nodiscard]] Stream::Reading fill();
  [[nodiscard]] Result<bool> filled(const Result<std::size_t>& got);
  // What of the answer's head has come: whether that is all of it.
  [[nodiscard]] Result<bool> take_head();
  [[nodiscard]] Result<void> begin_body();
  // As read_some() and read_all(), in the time that the stream has.
  Task<Result<std::string_view>> next();
  Task<Result<std::string>> read_whole(std::size_t limit_bytes);
  Task<Result<std::string_view>> read_more();
  Task<Result<Raw>> read_more_raw();
  Task<Result<Raw>> read_more_chunks();
  [[nodiscard]] std::string_view take(std::size_t bytes);
  // What of the body lies in the buffer: nothing where more has to be read first.
  [[nodiscard]] std::optional<Result<std::string_view>> decoded();
  [[nodiscard]] Result<std::string_view> decode();
  [[nodiscard]] std::optional<Result<Raw>> chunks_at_hand();
  [[nodiscard]] Result<std::size_t> scan_chunks();
};

ClientExchange::ClientExchange() = default;
ClientExchange::~ClientExchange() = default;
ClientExchange::ClientExchange(ClientExchange&&) noexcept = default;
ClientExchange& ClientExchange::operator=(ClientExchange&&) noexcept = default;

const ResponseHead& ClientExchange::head() const { return impl_->head; }
void ClientExchange::let_go_of_fields() { impl_->head.headers.let_go(); }
BodyFraming ClientExchange::framing() const { return impl_->framing; }
void ClientExchange::tell(std::shared_ptr<SignOfLife> life) {
  impl_->life = std::move(life);
  impl_->last_byte = impl_->stream.now();
}
Instant ClientExchange::last_byte() const { return impl_->last_byte; }
void ClientExchange::stop_waiting() {
  if (impl_) impl_->stream.stop_waiting();
}
void ClientExchange::close() {
  if (impl_) impl_->stream.close();
}

// Not one coroutine around the read: each chunk of each stream comes this way.
Stream::Reading ClientExchange::Impl::fill() {
  char* room = buffer.prepare(read_bytes);
  return stream.read_some(room, read_bytes);
}

Result<bool> ClientExchange::Impl::filled(const Result<std::size_t>& got) {
  if (!got) return got.error();
  buffer.commit(*got);
  read_bytes = *got == read_bytes ? std::min(4 * read_bytes, most_read_bytes) : room_after(*got);
  if (*got > 0 && life) {
    last_byte = stream.now();
    life->heard(last_byte);
  }
  return *got > 0;
}

Result<bool> ClientExchange::Impl::take_head() {
  while (true) {
    const std::size_t end = unread().find("\r\n\r\n");
    if (end == std::string_view::npos) break;
    Result<ResponseHead> parsed = parse_response_head(unread().substr(0, end + 4));
    if (!parsed) return parsed.error();
    buffer.consume(end + 4);
    const bool is_interim = parsed->status < 200 && parsed->status != 101;
    if (is_interim) continue;  // 100 Continue and its like come before the answer
    head = std::move(*parsed);
    std::string().swap(sent_head);
    // What follows is like what came behind the head, not like both together.
    if (!unread().empty()) read_bytes = room_after(unread().size());
    return true;
  }
  if (unread().size() > largest_head_bytes)
    return Error{
        ErrorCode::bad_request, cat("The head of the answer of ", to.text(), " has no end."), {}, {}};
  return false;
}

Result<void> ClientExchange::Impl::begin_body() {
  const Result<BodyFraming> of_body = response_framing(head, answers_head_request);
  if (!of_body) return of_body.error();
  framing = *of_body;
  left = framing.length;
  is_kept_there = keeps_alive(head.minor_version, head.headers);
  return {};
}

void ClientExchange::say_goodbye() {
  if (impl_) impl_->stream.shut_down_sending();
}

// A peer that answers before it has read all (413) also makes the write that follows fail: its answer is
// still there, and where it is not, reading the head says that the connection is lost.
void ClientExchange::Impl::form_head(const ClientRequest& request) {
  answers_head_request = request.method == "HEAD";
  sent_head = head_of(request, to, keep);
}

Task<Result<ClientExchange>> ClientExchange::begin(Loop& loop, Endpoint to, ClientRequest request,
                                                   Milliseconds within) {
  ClientExchange exchange;
  exchange.impl_ = std::make_unique<Impl>();
  Impl& impl = *exchange.impl_;
  impl.to = to;
  const Instant deadline = loop.clock().now() + within;
  Task<Result<Stream>> connecting = Stream::connect(loop, to, within);
  Result<Stream> connected = co_await connecting;
  if (!connected) co_return connected.error();
  impl.stream = std::move(*connected);
  impl.stream.expire_within(left_until(loop, deadline));
  impl.form_head(request);
  const Result<void> ignored = co_await impl.stream.write(impl.sent_head, request.body);
  static_cast<void>(ignored);
  co_return std::move(exchange);
}

// As a rule all of it fits into the socket, and this is no coroutine.
Task<Result<ClientExchange>> ClientExchange::begin_on(Stream stream, Endpoint to, ClientRequest request,
                                                      Milliseconds within, std::shared_ptr<SignOfLife> life) {
  ClientExchange exchange;
  exchange.impl_ = std::make_unique<Impl>();
  Impl& impl = *exchange.impl_;
  impl.to = std::move(to);
  impl.stream = std::move(stream);
  impl.keep = true;
  if (life) exchange.tell(std::move(life));
  impl.stream.expire_after(within);
  impl.form_head(request);
  std::string_view first = impl.sent_head;
  std::string_view second = request.body;
  const Result<bool> whole = impl.stream.write_at_once(first, second);
  if (!whole || *whole) return Task<Result<ClientExchange>>::done(std::move(exchange));
  return send_rest(std::move(exchange), first, second);
}

// What lies in the exchange and in the body, which both outlive it.
Task<Result<ClientExchange>> ClientExchange::send_rest(ClientExchange exchange, std::string_view first,
                                                       std::string_view second) {
  const Result<void> ignored = co_await exchange.impl_->stream.write(first, second);
  static_cast<void>(ignored);
  co_return std::move(exchange);
}

Task<Result<ClientExchange::Upgraded>> ClientExchange::upgrade(Stream stream, Endpoint to,
                                                               ClientRequest request, Milliseconds within) {
  request.headers.add("Connection", "Upgrade");
  Task<Result<ClientExchange>> beginning =
      begin_on(std::move(stream), std::move(to), std::move(request), within);
  Result<ClientExchange> exchange = co_await beginning;
  if (!exchange) co_return exchange.error();
  Task<Result<void>> reading = exchange->read_head(within);
  const Result<void> read = co_await reading;
  if (!read) co_return read.error();
  Impl& impl = *exchange->impl_;
  Upgraded upgraded;
  if (impl.head.status == 101) {
    impl.stream.expire_after(Milliseconds{0});
    upgraded.rest = std::string(impl.unread());
    upgraded.stream = std::move(impl.stream);
  } else {
    upgraded.refusal = std::move(*exchange);
  }
  co_return std::move(upgraded);
}

std::optional<Stream> ClientExchange::give_back() {
  if (!impl_) return std::nullopt;
  Impl& impl = *impl_;
  const bool over = impl.ended || impl.framing.kind == Framing::none ||
                    (impl.framing.kind == Framing::length && impl.left == 0);
  // Who answered before all of the request was there still waits for its rest.
  const bool clean = over && impl.unread().empty() && impl.stream.is_open() && !impl.stream.write_failed();
  if (!impl.keep || !clean || !impl.is_kept_there) return std::nullopt;
  impl.stream.expire_after(Milliseconds{0});
  return std::move(impl.stream);
}

Task<Result<Stream>> connect_secure(Loop& loop, Endpoint to, Secure secure, Milliseconds within) {
  const std::string name = to.text();
  Task<Result<Stream>> connecting = Stream::connect(loop, std::move(to), within);
  Result<Stream> connected = co_await connecting;
  if (!connected) co_return connected.error();
  Stream stream = std::move(*connected);
  if (!secure.context) co_return std::move(stream);
  Task<Result<void>> securing =
      stream.secure(std::move(secure.context), std::move(secure.pinned_key), name, within);
  const Result<void> secured = co_await securing;
  if (!secured) {
    Error error = secured.error();
    error.message = cat(name, ": ", error.message);
    co_return error;
  }
  co_return std::move(stream);
}

Task<Result<void>> ClientExchange::read_head(Milliseconds within) {
  Impl& impl = *impl_;
  impl.stream.expire_within(within);
  while (true) {
    const Result<bool> whole = impl.take_head();
    if (!whole) co_return whole.error();
    if (*whole) break;
    const Result<std::size_t> got = co_await impl.fill();
    const Result<bool> more = impl.filled(got);
    if (!more) co_return more.error();
    if (!*more) co_return lost(impl.to, "before it answered");
  }
  co_return impl.begin_body();
}

Task<Result<ClientExchange>> ClientExchange::send(Loop& loop, Endpoint to, ClientRequest request,
                                                  Milliseconds within) {
  const Instant deadline = loop.clock().now() + within;
  Task<Result<ClientExchange>> beginning = begin(loop, std::move(to), std::move(request), within);
  Result<ClientExchange> exchange = co_await beginning;
  if (!exchange) co_return exchange.error();
  const Result<void> read = co_await exchange->read_head(left_until(loop, deadline));
  if (!read) co_return read.error();
  co_return std::move(*exchange);
}

std::string_view ClientExchange::Impl::take(std::size_t bytes) {
  const std::string_view taken = unread().substr(0, bytes);
  buffer.consume(taken.size());
  return taken;
}

// Empty where more has to be read first, or at the end.
Result<std::string_view> ClientExchange::Impl::decode() {
  if (framing.kind == Framing::until_close) return take(unread().size());
  if (framing.kind != Framing::chunked) {
    const std::string_view data = take(std::min<std::uint64_t>(left, unread().size()));
    left -= data.size();
    ended = left == 0;
    return data;
  }
  while (!unread().empty() && !chunks.done()) {
    const Result<ChunkedReader::Step> step = chunks.next(unread());
    if (!step) return step.error();
    buffer.consume(step->used);
    if (!step->data.empty()) return step->data;
  }
  ended = chunks.done();
  return std::string_view{};
}

std::optional<Result<std::string_view>> ClientExchange::Impl::decoded() {
  Result<std::string_view> data = decode();
  if (data && data->empty() && !ended) return std::nullopt;
  return data;
}

Task<Result<std::string_view>> ClientExchange::read_some(Milliseconds silence) {
  impl_->stream.expire_after(silence);
  return impl_->next();
}

Task<Result<std::string_view>> ClientExchange::Impl::next() {
  if (std::optional<Result<std::string_view>> data = decoded())
    return Task<Result<std::string_view>>::done(std::move(*data));
  return read_more();
}

Task<Result<std::string_view>> ClientExchange::Impl::read_more() {
  while (true) {
    const Result<std::size_t> got = co_await fill();
    const Result<bool> more = filled(got);
    if (!more) co_return more.error();
    if (!*more && framing.kind != Framing::until_close) co_return lost(to, "in the middle of its answer");
    if (!*more) ended = true;
    const std::optional<Result<std::string_view>> data = decoded();
    if (data) co_return *data;
  }
}

// How many unread bytes end with a whole chunk.
Result<std::size_t> ClientExchange::Impl::scan_chunks() {
  std::size_t whole = 0;
  while (scanned < unread().size() && !chunks.done()) {
    const Result<ChunkedReader::Step> step = chunks.next(unread().substr(scanned));
    if (!step) return step.error();
    scanned += step->used;
    if (chunks.at_boundary() || chunks.done()) whole = scanned;
  }
  if (whole == 0 && unread().size() > largest_held_chunk_bytes) whole = unread().size();
  return whole;
}

std::optional<Result<ClientExchange::Raw>> ClientExchange::Impl::chunks_at_hand() {
  if (ended) return Raw{{}, true};
  const Result<std::size_t> whole = scan_chunks();
  if (!whole) return whole.error();
  if (*whole == 0) return std::nullopt;
  ended = chunks.done();
  scanned -= *whole;
  return Raw{take(*whole), ended};
}

// No coroutine: what is there already is not waited for, and a stream that waits holds the frame of one way
// and not of both.
Task<Result<ClientExchange::Raw>> ClientExchange::read_raw(Milliseconds silence) {
  Impl& impl = *impl_;
  impl.stream.expire_after(silence);
  if (impl.framing.kind == Framing::chunked) {
    if (std::optional<Result<Raw>> raw = impl.chunks_at_hand())
      return Task<Result<Raw>>::done(std::move(*raw));
    return impl.read_more_chunks();
  }
  const std::optional<Result<std::string_view>> data = impl.decoded();
  if (!data) return impl.read_more_raw();
  if (!*data) return Task<Result<Raw>>::done(data->error());
  return Task<Result<Raw>>::done(Raw{**data, impl.ended});
}

Task<Result<ClientExchange::Raw>> ClientExchange::Impl::read_more_raw() {
  const Result<std::string_view> data = co_await read_more();
  if (!data) co_return data.error();
  co_return Raw{*data, ended};
}

Task<Result<ClientExchange::Raw>> ClientExchange::Impl::read_more_chunks() {
  while (true) {
    const Result<std::size_t> got = co_await fill();
    const Result<bool> more = filled(got);
    if (!more) co_return more.error();
    if (!*more) co_return lost(to, "in the middle of its answer");
    const std::optional<Result<Raw>> raw = chunks_at_hand();
    if (raw) co_return *raw;
  }
}

Task<Result<std::string>> ClientExchange::read_all(std::size_t limit_bytes, Milliseconds silence) {
  impl_->stream.expire_after(silence);
  return impl_->read_whole(limit_bytes);
}

Task<Result<std::string>> ClientExchange::read_all_within(std::size_t limit_bytes, Milliseconds within) {
  impl_->stream.expire_within(within);
  return impl_->read_whole(limit_bytes);
}

Task<Result<std::string>> ClientExchange::Impl::read_whole(std::size_t limit_bytes) {
  std::string body;
  while (true) {
    const Result<std::string_view> data = co_await next();
    if (!data) co_return data.error();
    if (data->empty()) co_return body;
    if (body.size() + data->size() > limit_bytes) {
      co_return Error{ErrorCode::io_failed,
                      cat("The answer of ", to.text(), " is larger than ", bytes_text(limit_bytes), "."),
                      {},
                      {}};
    }
    body.append(*data);
  }
}

Task<void> ClientExchange::let_go(Milliseconds at_most) {
  Impl& impl = *impl_;
  impl.stream.shut_down_sending();
  impl.stream.expire_within(at_most);
  char thrown_away[4096];
  while (impl.stream.is_open()) {
    const Result<std::size_t> got = co_await impl.stream.read_some(thrown_away, sizeof thrown_away);
    if (!got || *got == 0) break;
  }
  impl.stream.close();
}

Task<Result<ClientResponse>> fetch(Loop& loop, Endpoint to, ClientRequest request, Milliseconds within,
                                   std::size_t limit_bytes) {
  const Instant deadline = loop.clock().now() + within;
  Task<Result<ClientExchange>> sending =
      ClientExchange::send(loop, std::move(to), std::move(request), within);
  Result<ClientExchange> exchange = co_await sending;
  if (!exchange) co_return exchange.error();
  Result<std::string> body = co_await exchange->read_all_within(limit_bytes, left_until(loop, deadline));
  if (!body) co_return body.error();
  ClientResponse response{exchange->head().status, exchange->head().headers, std::move(*body)};
  co_return std::move(response);
}

}  // namespace rbee::net
