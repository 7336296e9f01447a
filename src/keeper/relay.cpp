#include "keeper/relay.h"

#include "base/text.h"
#include "keeper/header_filter.h"
#include "net/pass_on.h"

#include <charconv>
#include <utility>

namespace rbee::keeper {
namespace {

// As a chunk, and the end of all chunks behind the last; an empty chunk would be that end.
std::string as_chunk(std::string_view text, bool last) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, text.size(), 16).ptr;
  std::string chunk = text.empty() ? "" : cat(std::string_view(digits, end), "\r\n", text, "\r\n");
  if (last) chunk += "0\r\n\r\n";
  return chunk;
}

net::Headers answer_headers(const net::ClientExchange& from, const net::Headers& added, bool raw) {
  net::Headers headers = to_client(from.head().headers);
  if (!raw) {
    const net::Headers passed = std::exchange(headers, {});
    for (const auto& [name, value] : passed) {
      if (!net::is_one_of(name, net::fields_of_the_framing)) headers.add(name, value);
    }
  }
  headers.add_all(added);
  return headers;
}

// An engine writes each event whole; of one that does not, the tail is waited for, so that nothing of an
// event is with the client when the engine is lost.
class EventTail {
 public:
  // A larger event passes as it comes.
  static constexpr std::size_t most_held_bytes = 1u << 20;
  // `chunked`: what passes are whole chunks, with their framing.
  explicit EventTail(bool chunked) : end_(chunked ? "\n\n\r\n" : "\n\n") {}
  [[nodiscard]] bool is_whole(std::string_view bytes) const { return bytes.ends_with(end_); }
  // What may go out now; valid until the next call.
  [[nodiscard]] std::string_view pass(std::string_view bytes, bool last) {
    held_.erase(0, std::exchange(passed_, 0));
    if (held_.empty() && is_whole(bytes)) return bytes;
    held_ += bytes;
    const std::size_t end = held_.rfind(end_);
    passed_ = end == std::string::npos ? 0 : end + end_.size();
    if (last || held_.size() - passed_ > most_held_bytes) passed_ = held_.size();
    return std::string_view(held_).substr(0, passed_);
  }

 private:
  std::string_view end_;
  std::string held_;
  std::size_t passed_ = 0;  // of what is held, and goes with the next call
};

// The answer's head goes out with its first piece.
void begin(net::Exchange& to, const net::ClientExchange& from, const RelayJob& job, bool raw) {
  net::Headers headers = answer_headers(from, job.added, raw);
  const int status = from.head().status;
  if (raw)
    to.begin_raw(status, std::move(headers));
  else
    to.begin(status, std::move(headers));
}

bool is_chunked(const net::ClientExchange& from) { return from.framing().kind == net::Framing::chunked; }

Wire wire_of(const net::Exchange& to, const net::ClientExchange& from) {
  // A head that is out already, with comments behind it, says that chunks follow.
  const bool raw = net::can_pass_framing(to, from) && (is_chunked(from) || !to.started());
  // A body of a known length cannot have an event more.
  return {.events = is_event_stream(from) && (is_chunked(from) || !raw), .raw = raw};
}

// An engine's error within a stream is put into this API's words.
bool looks_into(const RelayJob& job, Wire wire) { return job.api == Api::anthropic && wire.events; }

// A piece on its way to the client, behind the head where it is the first.
net::Task<void> send_piece(net::Exchange& to, net::ClientExchange& from, const RelayJob& job,
                           std::string_view bytes, bool last, Relayed& relayed) {
  const bool raw = relayed.wire.raw;
  if (job.before_piece != nullptr) {
    net::Task<void> preparing = (*job.before_piece)(bytes);
    co_await preparing;
  }
  if (looks_into(job, relayed.wire)) {
    if (std::optional<Error> told = engine_error_in(bytes))
      relayed.failure = std::make_shared<const Error>(std::move(*told));
  }
  if (!to.started()) begin(to, from, job, raw);
  if (relayed.failure) {
    net::Task<void> ending = end_lost(to, job.api, *relayed.failure, relayed.wire);
    co_await ending;
    co_return;
  }
  net::Task<Result<void>> passing = net::pass_piece(to, bytes, last, raw);
  const Result<void> passed = co_await passing;
  if (!passed) relayed.end = RelayEnd::client_gone;
}

// What becomes of an answer that breaks off: how it ends for its client.
RelayEnd broken_off(const Relayed& relayed, bool gone) {
  if (gone) return RelayEnd::client_gone;
  return relayed.chunks > 0 ? RelayEnd::lost_after : RelayEnd::lost_before;
}

// Where the caller takes the stream up, it ends it too.
net::Task<void> end_relay(net::Exchange& to, const RelayJob& job, const Relayed& relayed, bool taken_up) {
  if (relayed.end == RelayEnd::lost_after && !taken_up) {
    net::Task<void> ending = end_lost(to, job.api, job.when_lost(), relayed.wire);
    co_await ending;
  }
  if (relayed.end == RelayEnd::client_gone) to.abort();
}

}  // namespace

bool is_event_stream(const net::ClientExchange& from) {
  return from.head().headers.find("Content-Type").value_or("").starts_with("text/event-stream");
}

void look_for_event(RelayJob& job, std::string_view bytes) {
  if (bytes.find("data:") != std::string_view::npos) std::exchange(job.on_event, {})();
}

net::Task<void> end_lost(net::Exchange& to, Api api, Error error, Wire wire) {
  if (!wire.events || !wire.whole) {
    to.abort();
    co_return;
  }
  const std::string event = error_event(api, error);
  const std::string bytes = wire.raw ? as_chunk(event, true) : event;
  net::Task<Result<void>> passing = net::pass_piece(to, bytes, true, wire.raw);
  const Result<void> told = co_await passing;
  if (!told) to.abort();
}

net::Task<bool> write_comment(net::Exchange& to, std::string_view comment, Wire wire) {
  const std::string bytes = wire.raw ? as_chunk(comment, false) : std::string(comment);
  net::Task<Result<void>> passing = net::pass_piece(to, bytes, false, wire.raw);
  const Result<void> passed = co_await passing;
  co_return static_cast<bool>(passed);
}

net::Task<void> relay_rest(net::Exchange& to, net::ClientExchange& from, RelayJob& job, const bool& gone,
                           Relayed& relayed) {
  const Wire wire = relayed.wire;
  UsageReader usage;
  Seam seam(job.so_far->dialect(), job.so_far->told());
  bool last = false;
  bool first = true;
  while (!last && relayed.end == RelayEnd::whole) {
    net::Task<Result<std::string_view>> reading = from.read_some(longest_engine_silence);
    const Result<std::string_view> piece = co_await reading;
    if (gone || !piece) {
      relayed.end = gone ? RelayEnd::client_gone : RelayEnd::lost_after;
      break;
    }
    last = piece->empty();
    usage.pass(*piece);
    if (job.on_event) look_for_event(job, *piece);
    Result<std::string> events = seam.pass(*piece, last);
    if (!events) {
      relayed.end = RelayEnd::lost_after;
      relayed.failure = std::make_shared<const Error>(events.error());
      break;
    }
    const std::string told = job.form == nullptr ? *events : job.form->events(*events);
    const std::string bytes = wire.raw ? as_chunk(told, last) : told;
    job.so_far->add(*events, false);
    if (bytes.empty() && !last) continue;
    if (std::exchange(first, false) && job.on_first) job.on_first();
    relayed.bytes += bytes.size();
    ++relayed.chunks;
    net::Task<Result<void>> passing = net::pass_piece(to, bytes, last, wire.raw);
    const Result<void> passed = co_await passing;
    if (!passed) relayed.end = RelayEnd::client_gone;
  }
  relayed.usage = usage.usage();
  if (relayed.end == RelayEnd::client_gone) to.abort();
}

namespace {

// The head of the answer is out: what it was made of is not needed any more.
void let_go_of_heads(net::Exchange& to, net::ClientExchange& from, RelayJob& job) {
  net::Headers none;
  std::swap(job.added, none);  // moving an empty one into it would keep its room
  from.let_go_of_fields();
  to.let_go_of_head();
}

net::Task<void> relay_as_it_is(net::Exchange& to, net::ClientExchange& from, RelayJob& job, const bool& gone,
                               Relayed& relayed) {
  UsageReader usage;
  relayed.wire = wire_of(to, from);
  const bool raw = relayed.wire.raw;
  StreamSoFar* const so_far = relayed.wire.events ? job.so_far : nullptr;
  EventTail tail(raw && is_chunked(from));
  bool last = false;
  while (!last) {
    net::Task<Result<net::ClientExchange::Raw>> reading = net::next_piece(from, raw, longest_engine_silence);
    const Result<net::ClientExchange::Raw> piece = co_await reading;
    if (gone || !piece) {
      relayed.end = broken_off(relayed, gone);
      break;
    }
    last = piece->last;
    std::string_view bytes = piece->bytes;
    if (relayed.wire.events) bytes = tail.pass(bytes, last);
    if (bytes.empty() && !last) continue;
    if (relayed.chunks == 0 && job.on_first) job.on_first();
    if (relayed.wire.events && job.on_event) look_for_event(job, bytes);
    usage.pass(bytes);
    relayed.bytes += bytes.size();
    ++relayed.chunks;
    if (so_far != nullptr) so_far->add(bytes, raw);
    if (raw && job.before_piece == nullptr && !looks_into(job, relayed.wire)) {
      if (!to.started()) begin(to, from, job, raw);
      const Result<void> passed = co_await to.write_raw(bytes, last);
      if (!passed) relayed.end = RelayEnd::client_gone;
    } else {
      net::Task<void> sending = send_piece(to, from, job, bytes, last, relayed);
      co_await sending;
    }
    if (relayed.end != RelayEnd::whole || relayed.failure) break;
    relayed.wire.whole = tail.is_whole(bytes);
    if (relayed.chunks == 1 && !last) let_go_of_heads(to, from, job);
  }
  relayed.usage = usage.usage();
  if (relayed.end == RelayEnd::whole) co_return;
  net::Task<void> ending = end_relay(to, job, relayed, so_far != nullptr);
  co_await ending;
}

}  // namespace

net::Task<void> relay(net::Exchange& to, net::ClientExchange& from, RelayJob& job, const bool& gone,
                      Relayed& relayed) {
  return job.form != nullptr ? relay_formed(to, from, job, gone, relayed)
                             : relay_as_it_is(to, from, job, gone, relayed);
}

}  // namespace rbee::keeper
