#include "keeper/relay.h"

#include "base/text.h"
#include "keeper/header_filter.h"
#include "net/pass_on.h"

#include <charconv>

namespace rbee::keeper {
namespace {

std::string as_last_chunks(std::string_view text) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, text.size(), 16).ptr;
  return cat(std::string_view(digits, end), "\r\n", text, "\r\n0\r\n\r\n");
}

net::Headers answer_headers(const net::ClientExchange& from, const net::Headers& added, bool raw) {
  net::Headers headers;
  const net::Headers passed = to_client(from.head().headers);
  for (const auto& [name, value] : passed.all()) {
    const bool framing =
        equal_ignoring_case(name, "Content-Length") || equal_ignoring_case(name, "Transfer-Encoding");
    if (raw || !framing) headers.add(name, value);
  }
  for (const auto& [name, value] : added.all()) headers.add(name, value);
  return headers;
}

bool is_event_stream(const net::ClientExchange& from) {
  return from.head().headers.find("Content-Type").value_or("").starts_with("text/event-stream");
}

// The client has part of an answer that will not go on. In a stream of events it is told so, in one of them;
// any other body can only be cut.
net::Task<void> end_broken(net::Exchange& to, Api api, Error error, bool events, bool raw,
                           bool between_chunks) {
  if (!events || (raw && !between_chunks)) {
    to.abort();
    co_return;
  }
  const std::string event = error_event(api, error);
  const std::string bytes = raw ? as_last_chunks(event) : event;
  net::Task<Result<void>> passing = net::pass_piece(to, bytes, true, raw);
  const Result<void> told = co_await passing;
  if (!told) to.abort();
}

}  // namespace

net::Task<Relayed> relay(net::Exchange& to, net::ClientExchange& from, RelayJob job, const bool& gone) {
  Relayed relayed;
  UsageReader usage;
  const bool raw = net::can_pass_framing(to, from);
  const bool chunked = from.framing().kind == net::Framing::chunked;
  bool between_chunks = true;
  bool last = false;
  while (!last) {
    net::Task<Result<net::ClientExchange::Raw>> reading = net::next_piece(from, raw, longest_engine_silence);
    const Result<net::ClientExchange::Raw> piece = co_await reading;
    if (gone) {
      relayed.end = RelayEnd::client_gone;
      break;
    }
    if (!piece) {
      relayed.end = to.started() ? RelayEnd::lost_after : RelayEnd::lost_before;
      break;
    }
    last = piece->last;
    if (job.before_piece) {
      net::Task<void> preparing = job.before_piece(piece->bytes);
      co_await preparing;
    }
    if (!to.started()) {
      if (job.on_first) job.on_first();
      net::Headers headers = answer_headers(from, job.added, raw);
      const int status = from.head().status;
      net::Task<Result<void>> starting =
          raw ? to.start_raw(status, std::move(headers)) : to.start(status, std::move(headers));
      const Result<void> started = co_await starting;
      if (!started) {
        relayed.end = RelayEnd::client_gone;
        break;
      }
    }
    usage.pass(piece->bytes);
    relayed.bytes += piece->bytes.size();
    ++relayed.chunks;
    between_chunks = !chunked || piece->bytes.ends_with("\r\n");
    net::Task<Result<void>> passing = net::pass_piece(to, piece->bytes, last, raw);
    const Result<void> passed = co_await passing;
    if (!passed) {
      relayed.end = RelayEnd::client_gone;
      break;
    }
  }
  relayed.usage = usage.usage();
  if (relayed.end == RelayEnd::lost_after) {
    const bool events = is_event_stream(from) && (chunked || !raw);
    net::Task<void> ending = end_broken(to, job.api, job.when_lost(), events, raw, between_chunks);
    co_await ending;
  }
  if (relayed.end == RelayEnd::client_gone) to.abort();
  co_return relayed;
}

}  // namespace rbee::keeper
