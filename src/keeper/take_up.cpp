#include "keeper/take_up.h"

#include "base/text.h"
#include "keeper/ask_engine.h"
#include "keeper/engine_request.h"
#include "keeper/resume.h"

namespace rbee::keeper {
namespace {

net::Task<std::string> ask_template(Passage& passage, const FleetEngine& chosen, bool continued,
                                    bool reasoning) {
  const std::string question = template_question(continued, reasoning);
  net::ClientRequest request{.method = "POST",
                             .target = "/apply-template",
                             .headers = {{"Content-Type", "application/json"}},
                             .body = question};
  bool kept = false;
  net::Task<Result<net::ClientExchange>> beginning = begin_at_engine(
      passage.core, passage.exchange.loop(), chosen, std::move(request), engine_connects_within, kept);
  Result<net::ClientExchange> engine = co_await beginning;
  if (!engine) co_return "";
  const Result<void> head = co_await engine->read_head(engine_connects_within);
  if (!head || engine->head().status != 200) co_return "";
  Result<std::string> body = co_await engine->read_all(largest_error_bytes, engine_connects_within);
  co_return body ? std::move(*body) : "";
}

// Asked once of each start of an engine.
net::Task<bool> template_goes_on(Passage& passage, const FleetEngine& chosen, bool reasoning) {
  const std::string key = routing::engine_key(chosen);
  if (const std::optional<bool> known = passage.core->templates.find(key, reasoning)) co_return *known;
  net::Task<std::string> asking = ask_template(passage, chosen, false, reasoning);
  const std::string plain = co_await asking;
  asking = ask_template(passage, chosen, true, reasoning);
  const std::string continued = co_await asking;
  // One that does not answer is lost, which is found out by asking it for more.
  if (plain.empty() || continued.empty()) co_return true;
  const bool goes_on = keeper::template_goes_on(plain, continued, reasoning);
  passage.core->templates.put(key, reasoning, goes_on);
  co_return goes_on;
}

}  // namespace

Error lost_error(const Core& core, const std::string& worker) {
  const std::optional<WorkerReport> now = core.placing->worker(worker);
  if (now && now->state == WorkerState::paused) {
    return Error{ErrorCode::worker_lost,
                 cat("Worker '", worker, "' was paused before this answer was whole: ", now->reason, "."),
                 {},
                 {}};
  }
  return Error{
      ErrorCode::worker_lost, cat("Worker '", worker, "' was lost in the middle of this answer."), {}, {}};
}

net::Task<void> go_on(Passage& passage, const FleetEngine& chosen, Attempt& attempt) {
  const Dialect dialect = passage.so_far->dialect();
  const ToldSoFar& told = passage.so_far->told();
  const bool begins_anew = told.text.empty() && told.reasoning.empty();
  if (dialect != Dialect::completions && !begins_anew) {
    net::Task<bool> checking = template_goes_on(passage, chosen, !told.reasoning.empty());
    const bool goes_on = co_await checking;
    if (!goes_on) {
      attempt = Attempt{.step = Step::cut, .outcome = Outcome::engine_lost};
      attempt.relayed.failure = std::make_shared<const Error>(
          Error{ErrorCode::worker_lost, "The chat template of its model cannot go on where a text ends."});
      co_return;
    }
  }
  net::Task<void> asking = ask_engine(passage, chosen, attempt);
  co_await asking;
  if (attempt.step == Step::done && attempt.outcome == Outcome::ok) {
    passage.core->log->info(cat("Request ", passage.record.id, " went on with worker '", chosen.worker,
                                "' after ", told.tokens, " tokens."));
  }
}

net::Task<bool> plan_take_up(Passage& passage, const Attempt& attempt, std::string worker) {
  Error error = lost_error(*passage.core, worker);
  const Wire wire = passage.take_up ? passage.take_up->wire : attempt.relayed.wire;
  if (attempt.relayed.failure) {
    error.message += cat(' ', attempt.relayed.failure->message);
  } else {
    Result<std::string> body =
        continued_request(passage.so_far->dialect(), passage.call.body, passage.so_far->told());
    if (body) {
      const ToldSoFar& told = passage.so_far->told();
      const bool complete = has_all_tokens(passage.call.body, told);
      if (complete) passage.so_far->complete();
      passage.take_up =
          std::make_unique<TakeUp>(TakeUp{wire, std::move(*body), std::move(error), told.tokens, complete});
      co_return true;
    }
    error.message += cat(' ', body.error().message);
  }
  net::Task<void> ending = end_lost(passage.exchange, passage.call.api, std::move(error), wire);
  co_await ending;
  co_return false;
}

}  // namespace rbee::keeper
