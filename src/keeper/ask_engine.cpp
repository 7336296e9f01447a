#include "keeper/ask_engine.h"

#include "base/text.h"
#include "keeper/engine_request.h"
#include "keeper/grow.h"
#include "keeper/signs_of_waiting.h"
#include "keeper/take_up.h"
#include "keeper/trace_header.h"

namespace rbee::keeper {
namespace {

// An engine notices a departed client within its current batch, or after a second without news for anybody;
// one that has not let go by now is its hive's to judge.
constexpr Milliseconds let_go_within{60'000};
// In a hive's answer: the engine was gone before its first byte (docs/hive-api.md).
constexpr std::string_view lost_field = "x-rbee-lost";

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
net::Task<Attempt> take_error(Passage& passage, net::ClientExchange& engine, std::string worker) {
  const Result<std::string> body = co_await engine.read_all(largest_error_bytes, engine_connects_within);
  if (!body) co_return Attempt{.step = Step::lost};
  const int status = engine.head().status;
  if (status == 503 && says_loading(*body)) co_return Attempt{.step = Step::not_ready};
  if (passage.take_up) {
    // Nothing of it is for the client, who has part of an answer.
    Attempt refused{.step = Step::cut, .outcome = Outcome::engine_error};
    refused.relayed.failure =
        Error{ErrorCode::worker_lost, "Another worker refused to go on with this answer."};
    co_return refused;
  }
  Kept kept = keep(engine, passage.call.api, *body);
  const std::optional<TooLong> told = status == 400 ? too_long(*body) : std::nullopt;
  if (told && !passage.grown)
    co_return Attempt{.step = Step::too_small, .tokens = told->prompt_tokens, .kept = std::move(kept)};
  if (is_failure(status)) co_return Attempt{.step = Step::failed, .kept = std::move(kept)};
  net::Task<Attempt> passing = pass_on(passage, std::move(kept), worker);
  const Attempt passed = co_await passing;
  co_return passed;
}

net::Task<Attempt> take_answer(Passage& passage, net::ClientExchange& engine, std::string worker) {
  RelayJob job{.api = passage.call.api, .added = own_headers(passage, worker), .form = passage.call.form};
  if (!passage.take_up) {
    // What an engine before it may have begun is not with the client.
    if (passage.so_far) passage.so_far.emplace(passage.so_far->dialect());
    if (job.form != nullptr) job.form->begin_again();
  }
  if (passage.so_far && engine.head().status == 200) job.so_far = &*passage.so_far;
  Passage* at = &passage;
  job.when_lost = [at, worker] { return lost_error(*at->core, worker); };
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
    if (!at->take_up) at->core->metrics.first_token(at->model_label, at->seconds());
    if (at->ride->ticket != nullptr) at->ride->ticket->answered();
  };
  net::Task<Relayed> relaying =
      passage.take_up
          ? relay_rest(passage.exchange, engine, std::move(job), passage.take_up->wire, passage.ride->gone)
          : relay(passage.exchange, engine, std::move(job), passage.ride->gone);
  Attempt attempt;
  attempt.relayed = co_await relaying;
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
  co_return attempt;
}

// The slot counts as busy until the engine has closed: only then is it free for the next request.
net::Task<Attempt> leave_engine(net::ClientExchange& engine) {
  net::Task<void> leaving = engine.let_go(let_go_within);
  co_await leaving;
  co_return Attempt{.outcome = Outcome::client_gone};
}

}  // namespace

net::Headers own_headers(const Passage& passage, const std::string& worker) {
  net::Headers headers{{"x-rbee-request-id", passage.id}};
  if (!worker.empty()) headers.add("x-rbee-worker", worker);
  if (!passage.call.explain) return headers;
  const std::optional<routing::Explanation> told = passage.core->placing->explain_past(passage.id);
  if (told) headers.add("x-rbee-trace", trace_header(*told));
  return headers;
}

void tell_overhead(Passage& passage) {
  passage.own_time_ends();
  passage.exchange.add_to_answer("x-rbee-overhead-us", cat(passage.record.overhead_us));
  passage.core->metrics.overhead(static_cast<double>(passage.record.overhead_us) / 1e6);
}

net::Task<Attempt> pass_on(Passage& passage, Kept kept, std::string worker) {
  tell_overhead(passage);
  if (told_to_wait(passage)) {
    net::Task<bool> ending = end_in_stream(passage.exchange, passage.call.api, std::move(kept.body));
    const bool told = co_await ending;
    co_return Attempt{.outcome = told ? Outcome::engine_error : Outcome::client_gone};
  }
  net::Headers headers = own_headers(passage, worker);
  headers.add("Content-Type", std::move(kept.type));
  net::Task<Result<void>> responding =
      passage.exchange.respond(kept.status, std::move(headers), std::move(kept.body));
  const Result<void> answered = co_await responding;
  co_return Attempt{.outcome = answered ? Outcome::engine_error : Outcome::client_gone};
}

namespace {

net::ClientRequest request_of(const Passage& passage) {
  net::ClientRequest request{.method = passage.call.method,
                             .target = passage.call.target,
                             .headers = passage.call.headers,
                             .body = passage.take_up ? passage.take_up->body : passage.call.body};
  const TraceContext& trace = passage.record.trace;
  if (!trace.trace_id.empty() && !passage.record.attempts.empty()) {
    request.headers.add("traceparent", traceparent_of(trace, passage.record.attempts.back().span_id));
    if (!trace.state.empty()) request.headers.add("tracestate", trace.state);
  }
  return request;
}

}  // namespace

net::Task<Attempt> ask_engine(Passage& passage, FleetEngine chosen) {
  bool kept = true;
  net::ClientRequest request = request_of(passage);
  net::Task<Result<net::ClientExchange>> beginning = begin_at_engine(
      passage.core, passage.exchange.loop(), chosen, std::move(request), engine_connects_within, kept);
  Result<net::ClientExchange> engine = co_await beginning;
  if (!engine) co_return Attempt{.step = Step::lost};
  const Pointed<net::ClientExchange> pointed(passage.ride->engine, &*engine);
  std::optional<HiveConnections::Flight> flight;
  const bool is_own = passage.core->hives->is_own(chosen.hive);
  if (!is_own) flight.emplace(passage.core->hives, passage.exchange.loop(), chosen.hive, *engine);
  Result<void> head = Result<void>{};
  if (!passage.ride->gone) head = co_await engine->read_head(longest_engine_silence);
  if (!head && kept && !passage.ride->gone && head.error().code == ErrorCode::unreachable) {
    kept = false;
    request = request_of(passage);
    beginning = begin_at_engine(passage.core, passage.exchange.loop(), chosen, std::move(request),
                                engine_connects_within, kept);
    engine = co_await beginning;
    if (!engine) co_return Attempt{.step = Step::lost};
    if (!passage.ride->gone) head = co_await engine->read_head(longest_engine_silence);
  }
  Attempt attempt{.step = Step::lost};
  const bool there = head && !engine->head().headers.find(lost_field);
  if (there && !passage.ride->gone) {
    const bool refuses = engine->head().status >= 400;
    net::Task<Attempt> taking =
        refuses ? take_error(passage, *engine, chosen.worker) : take_answer(passage, *engine, chosen.worker);
    attempt = co_await taking;
  }
  const bool answered = attempt.step == Step::done && attempt.outcome != Outcome::client_gone;
  const bool again = attempt.step != Step::done && !passage.ride->gone;
  if (answered && is_own)
    passage.core->hives->give_back_engine(passage.exchange.loop(), chosen.socket, *engine);
  else if (answered)
    passage.core->hives->give_back(passage.exchange.loop(), chosen.hive, *engine);
  if (answered || again) co_return attempt;
  net::Task<Attempt> leaving = leave_engine(*engine);
  const Attempt left = co_await leaving;
  attempt.step = left.step;
  attempt.outcome = left.outcome;
  co_return attempt;
}

}  // namespace rbee::keeper
