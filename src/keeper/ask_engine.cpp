#include "keeper/ask_engine.h"

#include "base/text.h"
#include "keeper/engine_request.h"
#include "keeper/grow.h"
#include "keeper/header_filter.h"
#include "keeper/hedge.h"
#include "keeper/signs_of_waiting.h"
#include "keeper/take_up.h"
#include "keeper/trace_header.h"

namespace rbee::keeper {
namespace {

// In a hive's answer: the engine was gone before its first byte (docs/hive-api.md).
constexpr net::FieldName lost_field = "x-rbee-lost";

bool says_loading(std::string_view body) { return body.find("Loading model") != std::string_view::npos; }

Kept keep(const net::ClientExchange& engine, Api api, std::string body) {
  const int status = engine.head().status;
  if (std::optional<std::string> formed = engine_error_body(api, status, body))
    return {status, "application/json", std::move(*formed)};
  return {status, std::string(engine.head().headers.find("Content-Type").value_or("application/json")),
          std::move(body)};
}

bool is_failure(int status) { return status == 500 || status == 502 || status == 504; }

// An engine's refusal goes to the client in the form of its API, but for what another engine, a later moment
// or more context may mend.
net::Task<void> take_error(Passage& passage, net::ClientExchange& engine, const std::string& worker,
                           Attempt& attempt) {
  const Result<std::string> body = co_await engine.read_all(largest_error_bytes, engine_connects_within);
  if (!body) co_return;
  const int status = engine.head().status;
  if (status == 503 && says_loading(*body)) {
    attempt.step = Step::not_ready;
    co_return;
  }
  if (passage.take_up) {
    // Nothing of it is for the client, who has part of an answer. Another one may go on with it.
    attempt = Attempt{.step = Step::failed, .outcome = Outcome::engine_error};
    attempt.relayed.failure = std::make_shared<const Error>(
        Error{ErrorCode::worker_lost, "Another worker refused to go on with this answer."});
    co_return;
  }
  attempt.kept = std::make_unique<Kept>(keep(engine, passage.call.api, *body));
  const std::optional<TooLong> told = status == 400 ? too_long(*body) : std::nullopt;
  if (told && !passage.grown) {
    attempt.step = Step::too_small;
    attempt.tokens = told->prompt_tokens;
    co_return;
  }
  attempt.step = is_failure(status) ? Step::failed : Step::done;
  if (attempt.step == Step::failed) co_return;
  Kept kept = std::move(*attempt.kept);
  net::Task<Outcome> passing = pass_on(passage, std::move(kept), worker);
  attempt.outcome = co_await passing;
}

RelayJob job_for(Passage& passage, const net::ClientExchange& engine, const std::string& worker) {
  RelayJob job{.api = passage.call.api, .added = own_headers(passage, worker), .form = passage.call.form};
  if (!passage.take_up) {
    // What an engine before it may have begun is not with the client.
    if (passage.so_far) passage.so_far.emplace(passage.so_far->dialect());
    if (job.form != nullptr) job.form->begin_again();
  }
  if (passage.so_far && engine.head().status == 200) job.so_far = &*passage.so_far;
  Passage* at = &passage;
  // It is a name in the engine's own record, which whoever relays from it holds.
  job.when_lost = [at, lost = &worker] { return lost_error(*at->core, *lost); };
  job.on_first = [at] {
    if (at->take_up) {
      at->core->metrics.resumed();
    } else {
      at->record.first_us = at->core->clock.now_us();
      tell_overhead(*at);
    }
  };
  // A body that is not streamed comes whole, at its end: that says nothing of when its prompt was read.
  job.on_event = [at] {
    if (!at->take_up) at->series->first_token(at->seconds());
    if (at->ride->ticket != nullptr) at->ride->ticket->answered();
  };
  return job;
}

net::Task<void> take_answer(Passage& passage, net::ClientExchange& engine, const std::string& worker,
                            Attempt& attempt) {
  RelayJob job = job_for(passage, engine, worker);
  attempt.relayed = {};
  if (passage.take_up) attempt.relayed.wire = passage.take_up->wire;
  net::Task<void> relaying =
      passage.take_up ? relay_rest(passage.exchange, engine, job, passage.ride->gone, attempt.relayed)
                      : relay(passage.exchange, engine, job, passage.ride->gone, attempt.relayed);
  co_await relaying;
  attempt.step = Step::done;
  switch (attempt.relayed.end) {
    case RelayEnd::whole:
      attempt.outcome = attempt.relayed.failure ? Outcome::engine_error : Outcome::ok;
      break;
    case RelayEnd::lost_before: attempt.step = Step::lost; break;
    case RelayEnd::lost_after:
      attempt.outcome = Outcome::engine_lost;
      if (passage.so_far && attempt.relayed.wire.events) attempt.step = Step::cut;
      break;
    case RelayEnd::client_gone: attempt.outcome = Outcome::client_gone; break;
  }
}

// The slot counts as busy until the engine has closed: only then is it free for the next request.
net::Task<void> leave_engine(net::ClientExchange& engine, Attempt& attempt) {
  net::Task<void> leaving = engine.let_go(engine_lets_go_within);
  co_await leaving;
  attempt.step = Step::done;
  attempt.outcome = Outcome::client_gone;
}

}  // namespace

net::Headers own_headers(const Passage& passage, const std::string& worker) {
  net::Headers headers{{"x-rbee-request-id", passage.record.id}};
  if (!worker.empty()) headers.add("x-rbee-worker", worker);
  if (!passage.call.explain) return headers;
  const std::optional<routing::Explanation> told = passage.core->placing->explain_past(passage.record.id);
  if (told) headers.add("x-rbee-trace", trace_header(*told));
  return headers;
}

void tell_overhead(Passage& passage) {
  passage.own_time_ends();
  passage.exchange.add_to_answer("x-rbee-overhead-us", cat(passage.record.overhead_us));
  passage.core->metrics.overhead(static_cast<double>(passage.record.overhead_us) / 1e6);
}

net::Task<Outcome> pass_on(Passage& passage, Kept kept, std::string worker) {
  tell_overhead(passage);
  if (told_to_wait(passage)) {
    net::Task<bool> ending = end_in_stream(passage.exchange, passage.call.api, std::move(kept.body));
    const bool told = co_await ending;
    co_return told ? Outcome::engine_error : Outcome::client_gone;
  }
  net::Headers headers = own_headers(passage, worker);
  headers.add("Content-Type", std::move(kept.type));
  net::Task<Result<void>> responding =
      passage.exchange.respond(kept.status, std::move(headers), std::move(kept.body));
  const Result<void> answered = co_await responding;
  co_return answered ? Outcome::engine_error : Outcome::client_gone;
}

net::ClientRequest engine_request(const Passage& passage, std::string_view span_id) {
  net::ClientRequest request{.method = std::string(passage.call.method),
                             .target = std::string(passage.call.target),
                             .headers = to_engine(passage.exchange.head().headers),
                             .body = passage.take_up ? passage.take_up->body : passage.call.body};
  if (passage.record.origin && !span_id.empty()) {
    const TraceContext& trace = passage.record.origin->trace;
    request.headers.add("traceparent", traceparent_of(trace, span_id));
    if (!trace.state.empty()) request.headers.add("tracestate", trace.state);
  }
  return request;
}

bool begins_answer(const net::ClientExchange& engine) {
  return engine.head().status == 200 && !engine.head().headers.find(lost_field);
}

namespace {

net::ClientRequest request_of(const Passage& passage) {
  const std::vector<AttemptRecord>& attempts = passage.record.attempts;
  return engine_request(passage, attempts.empty() ? std::string_view{} : attempts.back().span_id);
}

net::Task<Result<net::ClientExchange>> begin(Passage& passage, const FleetEngine& chosen, bool& kept) {
  return begin_at_engine(passage.core, passage.exchange.loop(), chosen, request_of(passage),
                         engine_connects_within, kept);
}

// Whether the head of an answer is there. A kept connection may be at its end without anybody knowing: then
// it is asked once more, on a new one.
net::Task<bool> wait_for_head(Passage& passage, const FleetEngine& chosen, net::ClientExchange& engine,
                              bool kept, Attempt& attempt) {
  const bool& gone = passage.ride->gone;
  if (gone) co_return false;
  const bool hedges = passage.late_after > Milliseconds{0} && !passage.take_up;
  net::Task<Result<void>> reading = hedges ? read_head_or_hedge(passage, chosen, engine, attempt.by)
                                           : engine.read_head(longest_engine_silence);
  Result<void> head = co_await reading;
  if (!head && kept && !attempt.by && !gone && head.error().code == ErrorCode::unreachable) {
    kept = false;
    net::Task<Result<net::ClientExchange>> beginning = begin(passage, chosen, kept);
    Result<net::ClientExchange> begun = co_await beginning;
    if (!begun) co_return false;
    // Also where nobody waits any more: the caller takes leave of what was asked last.
    engine = std::move(*begun);
    if (gone) co_return false;
    reading = engine.read_head(longest_engine_silence);
    head = co_await reading;
  }
  co_return head && !engine.head().headers.find(lost_field) && !gone;
}

}  // namespace

net::Task<void> ask_engine(Passage& passage, const FleetEngine& chosen, Attempt& attempt) {
  bool kept = true;
  attempt = Attempt{.step = Step::lost};
  net::Task<Result<net::ClientExchange>> beginning = begin(passage, chosen, kept);
  Result<net::ClientExchange> begun = co_await beginning;
  if (!begun) co_return;
  beginning = {};  // a finished one would keep its frame while the answer passes
  net::ClientExchange& engine = *begun;
  const std::shared_ptr<HiveConnections>& hives = passage.core->hives;
  net::Loop& loop = passage.exchange.loop();
  const Pointed<net::ClientExchange> pointed(passage.ride->engine, &engine);
  auto flight = HiveConnections::flight_to(hives, loop, chosen.hive, engine);
  net::Task<bool> waiting = wait_for_head(passage, chosen, engine, kept, attempt);
  const bool there = co_await waiting;
  waiting = {};  // a finished one would keep its frame while the answer passes
  const std::shared_ptr<const FleetEngine> other = attempt.by;
  const FleetEngine& by = other ? *other : chosen;
  if (other) {
    flight.reset();  // before there is one of the same exchange
    flight = HiveConnections::flight_to(hives, loop, by.hive, engine);
  }
  if (there) {
    const bool refuses = engine.head().status >= 400;
    net::Task<void> taking = refuses ? take_error(passage, engine, by.worker, attempt)
                                     : take_answer(passage, engine, by.worker, attempt);
    co_await taking;
    attempt.by = other;
  }
  const bool answered = attempt.step == Step::done && attempt.outcome != Outcome::client_gone;
  const bool again = attempt.step != Step::done && !passage.ride->gone;
  if (answered && !flight)
    passage.core->engines->give_back(loop, by.socket, engine);
  else if (answered)
    hives->give_back(loop, by.hive, engine);
  if (answered || again) co_return;
  net::Task<void> leaving = leave_engine(engine, attempt);
  co_await leaving;
}

}  // namespace rbee::keeper
