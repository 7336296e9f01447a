#include "keeper/header_filter.h"
#include "keeper/relay.h"

#include "base/text.h"
#include "net/pass_on.h"

#include <utility>

namespace rbee::keeper {
namespace {

// A whole answer is written anew in one piece; vectors of a long list of texts are the largest.
constexpr std::size_t largest_whole_bytes = 64u << 20;

net::Headers formed_headers(const net::ClientExchange& from, const RelayJob& job, std::string_view type) {
  net::Headers headers;
  const net::Headers passed = to_client(from.head().headers);
  for (const auto& [name, value] : passed) {
    const bool replaced = net::is_one_of(name, net::fields_of_the_framing) || name == "Content-Type";
    if (!replaced) headers.add(name, value);
  }
  headers.add("Content-Type", std::string(type));
  headers.add_all(job.added);
  return headers;
}

net::Task<void> relay_whole(net::Exchange& to, net::ClientExchange& from, const RelayJob& job,
                            const bool& gone, Relayed& relayed) {
  net::Task<Result<std::string>> reading = from.read_all(largest_whole_bytes, longest_engine_silence);
  const Result<std::string> body = co_await reading;
  if (gone || !body) {
    relayed.end = gone ? RelayEnd::client_gone : RelayEnd::lost_before;
    co_return;
  }
  if (job.on_first) job.on_first();
  UsageReader usage;
  usage.pass(*body);
  relayed.usage = usage.usage();
  relayed.chunks = 1;
  Result<std::string> told = job.form->whole(*body);
  const int status = told ? from.head().status : info(told.error().code).http_status;
  std::string text = told ? std::move(*told) : error_body(job.api, told.error());
  relayed.bytes = text.size();
  net::Task<Result<void>> responding;
  if (to.started()) {
    responding = net::pass_piece(to, text, true, false);
  } else {
    net::Headers headers = formed_headers(from, job, "application/json");
    responding = to.respond(status, std::move(headers), std::move(text));
  }
  const Result<void> passed = co_await responding;
  if (!passed) relayed.end = RelayEnd::client_gone;
}

// The head goes out with the first line, or was needed before, by comments for a client that waits.
net::Task<Result<void>> write_line(net::Exchange& to, net::ClientExchange& from, const RelayJob& job,
                                   std::string line) {
  if (!to.started()) {
    net::Headers headers = formed_headers(from, job, job.form->stream_type());
    to.begin(from.head().status, std::move(headers));
  }
  if (line.empty()) co_return Result<void>{};
  net::Task<Result<void>> writing = to.write(line);
  Result<void> written = co_await writing;
  co_return written;
}

// Where the caller takes the stream up, it ends it too.
net::Task<void> end_formed(net::Exchange& to, const RelayJob& job, Relayed& relayed) {
  if (relayed.end == RelayEnd::whole) {
    net::Task<Result<void>> finishing = to.finish();
    const Result<void> finished = co_await finishing;
    if (!finished) relayed.end = RelayEnd::client_gone;
  }
  if (relayed.end == RelayEnd::lost_after && job.so_far == nullptr) {
    net::Task<void> ending = end_lost(to, job.api, job.when_lost(), relayed.wire);
    co_await ending;
  }
  if (relayed.end == RelayEnd::client_gone) to.abort();
}

}  // namespace

net::Task<void> relay_formed(net::Exchange& to, net::ClientExchange& from, RelayJob& job, const bool& gone,
                             Relayed& relayed) {
  if (!is_event_stream(from)) {
    net::Task<void> whole = relay_whole(to, from, job, gone, relayed);
    co_await whole;
    co_return;
  }
  relayed.wire = {.events = true};
  UsageReader usage;
  WholeEvents cutter;
  bool last = false;
  while (!last && relayed.end == RelayEnd::whole) {
    net::Task<Result<std::string_view>> reading = from.read_some(longest_engine_silence);
    const Result<std::string_view> piece = co_await reading;
    const Result<std::string> events = piece ? cutter.take(*piece) : piece.error();
    if (gone || !events) {
      // Comments may have gone out before: they are nothing of it.
      relayed.end = gone                 ? RelayEnd::client_gone
                    : relayed.chunks > 0 ? RelayEnd::lost_after
                                         : RelayEnd::lost_before;
      break;
    }
    last = piece->empty();
    usage.pass(*piece);
    if (job.on_event && events) look_for_event(job, *events);
    if (job.so_far != nullptr) job.so_far->add(*events, false);
    std::string line = job.form->events(*events);
    if (line.empty() && !last) continue;
    if (relayed.chunks == 0 && job.on_first) job.on_first();
    relayed.bytes += line.size();
    ++relayed.chunks;
    net::Task<Result<void>> writing = write_line(to, from, job, std::move(line));
    const Result<void> written = co_await writing;
    if (!written) relayed.end = RelayEnd::client_gone;
  }
  relayed.usage = usage.usage();
  net::Task<void> ending = end_formed(to, job, relayed);
  co_await ending;
}

}  // namespace rbee::keeper
