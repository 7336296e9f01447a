#include "keeper/dispatch.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/ask_engine.h"
#include "keeper/grow.h"
#include "keeper/passage.h"
#include "keeper/signs_of_waiting.h"
#include "keeper/sleepers.h"
#include "keeper/take_up.h"

#include <algorithm>
#include <cmath>

namespace rbee::keeper {
namespace {

// A line of a log that can still be read.
constexpr std::size_t most_workers_logged = 8;
// Of what is asked for by Retry-After.
constexpr double jitter = 0.25;
// A prompt that just fits leaves no room for an answer.
constexpr std::uint64_t tokens_of_answer = 512;

// Of English, in most vocabularies.
constexpr std::uint64_t usual_token_bytes = 4;

// Of a stream that another engine had begun: the prompt of the last one had what was made before in it.
Usage of_all_engines(const Passage& passage, Usage usage) {
  if (!passage.take_up) return usage;
  const TakeUp& before = *passage.take_up;
  usage.prompt_tokens -= std::min(usage.prompt_tokens, before.tokens);
  usage.cached_tokens = std::min(usage.cached_tokens, usage.prompt_tokens);
  if (usage.tokens == 0) return usage;
  const std::uint64_t made = before.tokens + usage.tokens - (before.complete ? 1 : 0);
  // As if all of it had been made as fast as the last part.
  usage.tokens_ms *= static_cast<double>(made) / static_cast<double>(usage.tokens);
  usage.tokens = made;
  return usage;
}

std::uint64_t tokens_by_bytes(const Passage& passage) {
  const std::size_t text = passage.call.prompt.text_bytes;
  return (text > 0 ? text : passage.call.body.size()) / usual_token_bytes;
}

// Of several answers to one request an engine tells of one: the others are taken to be as long. Where they
// have a prompt each, those are known by their bytes alone.
Usage of_all_answers(const Passage& passage, Usage usage) {
  if (passage.call.slots == 1 || usage.tokens == 0) return usage;
  usage.prompt_tokens = std::max(usage.prompt_tokens, tokens_by_bytes(passage));
  usage.tokens *= static_cast<std::uint64_t>(passage.call.slots);
  usage.tokens_ms *= passage.call.slots;
  return usage;
}

// That a client has of a stream. Where it broke off, all engines' together.
std::uint64_t pieces_of(Passage& passage, const Relayed& relayed) {
  const bool broke_off = passage.take_up || relayed.end == RelayEnd::lost_after;
  if (!passage.so_far || !broke_off) return relayed.chunks;
  return std::max(relayed.chunks, passage.so_far->told().tokens);
}

// Of its key's tokens: by the engine's own words, and what it said nothing of (the prompt, or the answer
// where that was cut) by the bytes that were read and the pieces that came.
std::uint64_t tokens_used(Passage& passage, const Usage& usage, const Relayed& relayed) {
  const std::uint64_t prompt = usage.prompt_tokens > 0 ? usage.prompt_tokens : tokens_by_bytes(passage);
  const bool by_pieces = usage.tokens == 0 && passage.call.stream;
  return prompt + (by_pieces ? pieces_of(passage, relayed) : usage.tokens);
}

// Of an answer that comes whole, its first token came when the engine says that it began to write.
void count_tokens(Passage& passage, const Usage& usage) {
  passage.record.tokens = {.prompt = usage.prompt_tokens,
                           .cached = usage.cached_tokens,
                           .made = usage.tokens,
                           .prompt_s = usage.prompt_ms / 1e3,
                           .made_s = usage.tokens_ms / 1e3};
  passage.series->tokens(passage.record.tokens);
  const double first_s = passage.seconds() - passage.record.tokens.made_s;
  const bool is_told = !passage.call.stream && passage.call.slots == 1 && usage.tokens_ms > 0;
  if (is_told && first_s > 0) passage.series->first_token(first_s);
}

// Once, when nothing more of its answer comes.
void charge(Passage& passage, const Relayed& relayed, Outcome outcome) {
  Core& core = *passage.core;
  const Usage usage = of_all_answers(passage, of_all_engines(passage, relayed.usage));
  // Of an engine's refusal nothing is taken; part of an answer is one.
  if (outcome != Outcome::engine_error || passage.take_up)
    core.gate->spend(passage.call.visitor, tokens_used(passage, usage, relayed));
  count_tokens(passage, usage);
  core.state->count({lower(passage.call.model), 1, usage.prompt_tokens, usage.tokens});
}

void account(Passage& passage, const Attempt& attempt, const std::string& worker) {
  Core& core = *passage.core;
  core.metrics.relayed(attempt.relayed.bytes, attempt.relayed.chunks);
  if (attempt.step == Step::lost || attempt.outcome == Outcome::engine_lost) {
    core.metrics.engine_lost();
    core.log->warning(cat("Request ", passage.record.id, ": the engine on worker '", worker, "' was lost ",
                          attempt.step == Step::lost ? "before it answered; it is placed again."
                                                     : "in the middle of its answer."));
  }
  if (attempt.step == Step::done) charge(passage, attempt.relayed, attempt.outcome);
}

// Clients choose names: only those of models that are there become labels. A refusal that is not of a name
// speaks of a model that somebody has.
std::string model_label(const Passage& passage, const Error& refusal) {
  const bool is_of_name = refusal.code == ErrorCode::unknown_model || refusal.code == ErrorCode::unknown_name;
  return is_of_name ? "" : lower(passage.call.model);
}

// Whether an engine with more context is on its way for it. Where there is no room for an answer beside the
// prompt, the prompt alone must do.
net::Task<bool> grow(Passage& passage, const FleetEngine& engine, std::uint64_t tokens) {
  passage.grown = true;
  SignsOfWaiting signs(passage);
  const double asked = passage.call.max_tokens;
  const std::uint64_t answer = asked > 0 ? static_cast<std::uint64_t>(asked) : tokens_of_answer;
  const std::uint64_t room = std::min(answer, 64 * tokens_of_answer);
  net::Task<bool> asking = ask_more_context(passage.core, passage.exchange.loop(), engine, tokens + room);
  bool taken = co_await asking;
  if (!taken) {
    asking = ask_more_context(passage.core, passage.exchange.loop(), engine, tokens + 1);
    taken = co_await asking;
  }
  net::Task<void> ending = signs.end();
  co_await ending;
  co_return taken;
}

// Where the answer has begun the client can only be told within it.
net::Task<void> refuse_or_end(Passage& passage, Error error, int retry_after_s) {
  if (passage.take_up) {
    // Why its first worker was lost says more than that no other is there.
    Error lost = passage.take_up->lost.get();
    const Wire wire = passage.take_up->wire;
    net::Task<void> ending = end_lost(passage.exchange, passage.call.api, std::move(lost), wire);
    co_await ending;
    co_return;
  }
  tell_overhead(passage);
  if (told_to_wait(passage)) {
    const Wire wire{.events = true};
    net::Task<void> ending = end_lost(passage.exchange, passage.call.api, std::move(error), wire);
    co_await ending;
    co_return;
  }
  const int later = jittered(retry_after_s, passage.core->random);
  net::Task<void> refusing =
      refuse(passage.exchange, passage.call.api, std::move(error), later, own_headers(passage, ""));
  co_await refusing;
}

struct Ended {
  Outcome outcome = Outcome::client_gone;
  double predicted_s = 0;  // from its arrival
  std::uint64_t tokens = 0;
};

// One line. Where a queue is full that says all; else each worker has its reason.
void tell_of_refusal(Passage& passage, const Error& error) {
  Core& core = *passage.core;
  core.metrics.refused(info(error.code).name);
  passage.record.error = info(error.code).name;
  std::string why = error.message;
  if (error.code == ErrorCode::no_worker || error.code == ErrorCode::worker_lost) {
    if (const auto told = core.placing->explain_past(passage.record.id)) {
      why = routing::in_one_line(*told, most_workers_logged);
    }
  }
  core.log->info(cat("Request ", passage.record.id, " for '", passage.call.model, "' was refused: ", why));
}

Request request_of(const Call& call) {
  Request request;
  request.key = call.visitor.name();
  request.model = call.model;
  request.slots = call.slots;
  request.prompt_bytes = static_cast<double>(call.prompt.text_bytes);
  request.prefix = call.prompt.blocks;
  request.block_tokens = prompt_block_tokens;
  request.max_tokens = call.max_tokens;
  request.stream = call.stream;
  request.priority = call.priority;
  if (call.names) {
    request.worker = call.names->worker;
    request.user = call.names->user;
    request.session = call.names->session;
  }
  request.needs_tools = call.needs_tools;
  request.needs_vision = call.needs_vision;
  request.needs_embedding = call.target.find("/embed") != std::string::npos;
  return request;
}

// Nobody who is there has the model: perhaps a machine that sleeps.
net::Task<bool> wake_for(Passage& passage, const Error& refusal) {
  const bool may_help = refusal.code == ErrorCode::no_worker || refusal.code == ErrorCode::unknown_model;
  if (passage.woke || !may_help) co_return false;
  SignsOfWaiting signs(passage);
  net::Task<Woken> waking =
      wake_holders(passage.core, passage.exchange.loop(), passage.call.model, passage.ride->gone);
  const Woken woken = co_await waking;
  net::Task<void> ending = signs.end();
  co_await ending;
  passage.woke = woken != Woken::nobody;
  co_return woken == Woken::there;
}

// Whether it is asked anew: a machine that has its model was woken.
net::Task<bool> take_refusal_of_all(Passage& passage, Placing::Ticket& ticket, routing::Refuse no,
                                    Ended& ended) {
  net::Task<bool> waking = wake_for(passage, no.error);
  const bool woken = co_await waking;
  if (woken) {
    ticket.ask(request_of(passage.call), passage.record.id);
    co_return true;
  }
  if (passage.ride->gone) co_return false;
  if (passage.failure) {
    // What the engine said of this request tells more than that no other is there.
    Kept kept = std::move(*passage.failure);
    net::Task<Outcome> passing = pass_on(passage, std::move(kept), passage.record.worker());
    ended.outcome = co_await passing;
    co_return false;
  }
  ended.outcome = Outcome::refused;
  if (passage.record.model.empty()) passage.record.model = model_label(passage, no.error);
  tell_of_refusal(passage, no.error);
  const int retry_after_s = passage.woke ? retry_after_wake_s : no.retry_after_s;
  net::Task<void> refusing = refuse_or_end(passage, std::move(no.error), retry_after_s);
  co_await refusing;
  co_return false;
}

// A request that an engine failed may be at fault itself: nothing is loaded to find that out.
bool another_is_ready(const Passage& passage, const FleetEngine& failed) {
  const Fleet fleet = passage.core->placing->fleet();
  return std::ranges::any_of(fleet.engines, [&](const FleetEngine& engine) {
    return engine.id != failed.id && engine.state == EngineState::ready && engine.model_id == failed.model_id;
  });
}

// What was kept of an engine's answer is the client's after all.
net::Task<void> pass_kept(Passage& passage, Attempt& attempt, std::string worker) {
  Kept kept = std::move(*attempt.kept);
  net::Task<Outcome> passing = pass_on(passage, std::move(kept), std::move(worker));
  const Outcome outcome = co_await passing;
  attempt = Attempt{.outcome = outcome};
}

bool leaves_a_question(Step step) {
  return step == Step::too_small || step == Step::failed || step == Step::cut;
}

// What an engine that did not answer leads to: it grows, another is asked, or the client gets its words.
net::Task<void> judge(Passage& passage, const FleetEngine& engine, Attempt& attempt) {
  if (attempt.step == Step::too_small) {
    net::Task<bool> growing = grow(passage, engine, attempt.tokens);
    const bool comes = co_await growing;
    if (comes) {
      attempt = Attempt{.step = Step::grows};
      co_return;
    }
    net::Task<void> passing = pass_kept(passage, attempt, engine.worker);
    co_await passing;
  }
  if (attempt.step == Step::failed && !another_is_ready(passage, engine)) {
    if (passage.take_up) {
      attempt.step = Step::cut;
    } else {
      net::Task<void> passing = pass_kept(passage, attempt, engine.worker);
      co_await passing;
    }
  }
  if (attempt.step == Step::failed && !passage.take_up) passage.failure = std::move(attempt.kept);
  account(passage, attempt, engine.worker);
  if (attempt.step != Step::cut) co_return;
  net::Task<bool> planning = plan_take_up(passage, attempt, engine.worker);
  const bool goes_on = co_await planning;
  if (goes_on) co_return;
  attempt.step = Step::done;
  charge(passage, attempt.relayed, attempt.outcome);
}

// None of what follows until it is answered is a coroutine but what waits for an engine: a stream that passes
// pays for no frame that has nothing to do.

net::Task<void> ask(Passage& passage, const FleetEngine& chosen, Attempt& attempt) {
  passage.core->care.used(chosen.id, passage.core->clock.recent(), passage.call.keep_alive);
  return passage.take_up ? go_on(passage, chosen, attempt) : ask_engine(passage, chosen, attempt);
}

// An engine whose context is too small for it may start anew with more: then the request is not ready for it
// yet.
net::Task<void> grow_or_ask(Passage& passage, const FleetEngine& chosen, Attempt& attempt) {
  net::Task<bool> growing = grow(passage, chosen, passage.call.num_ctx);
  const bool comes = co_await growing;
  if (comes) attempt.step = Step::grows;
  if (comes) co_return;
  net::Task<void> asking = ask(passage, chosen, attempt);
  co_await asking;
}

net::Task<void> try_engine(Passage& passage, const FleetEngine& chosen, Attempt& attempt) {
  const bool wants_more = passage.call.num_ctx > chosen.context && !passage.grown;
  return wants_more ? grow_or_ask(passage, chosen, attempt) : ask(passage, chosen, attempt);
}

// What came of it is noted, where that is all there is to do. False: it has to be judged.
bool note(Passage& passage, const FleetEngine& engine, const Attempt& attempt) {
  if (attempt.step == Step::grows) return true;
  passage.core->care.used(engine.id, passage.core->clock.recent(), passage.call.keep_alive);
  if (leaves_a_question(attempt.step)) return false;
  account(passage, attempt, engine.worker);
  return true;
}

routing::Returned returned_for(Step step) {
  switch (step) {
    case Step::not_ready: return routing::Returned::not_ready;
    case Step::failed: return routing::Returned::failed;
    default: return routing::Returned::lost;
  }
}

// What is told of it when it is over.
void begin_attempt(Passage& passage, std::shared_ptr<const FleetEngine> chosen, std::int64_t asked_us,
                   std::int64_t now_us) {
  RequestRecord& record = passage.record;
  record.queued_us += now_us - asked_us;
  record.attempts.push_back({.engine = std::move(chosen),
                             .span_id = record.origin ? new_span_id(passage.core->random) : "",
                             .asked_us = asked_us,
                             .begun_us = now_us});
}

void end_attempt(Passage& passage, const Attempt& attempt) {
  AttemptRecord& told = passage.record.attempts.back();
  told.ended_us = passage.core->clock.now_us();
  told.outcome = attempt.outcome;
  told.placed_again = attempt.step != Step::done;
  passage.record.own.goes_on(told.ended_us);
}

net::Task<Ended> place_and_ask(Passage& passage, Placing::Ticket& ticket) {
  Ended ended;
  const Clock& clock = passage.core->clock;
  while (true) {
    const std::int64_t asked_us = clock.now_us();
    std::int64_t placed_us = asked_us;
    passage.record.own.waits(asked_us);
    const bool waited = !ticket.is_decided();
    if (waited) {
      SignsOfWaiting signs(passage);
      net::Task<void> waiting = ticket.until_decided();
      co_await waiting;
      net::Task<void> ending = signs.end();
      co_await ending;
    }
    std::unique_ptr<Decision> decision = ticket.take();
    if (waited) placed_us = clock.now_us();
    passage.record.own.goes_on(placed_us);
    if (!decision) break;
    if (auto* no = std::get_if<routing::Refuse>(decision.get())) {
      net::Task<bool> refusing = take_refusal_of_all(passage, ticket, std::move(*no), ended);
      const bool again = co_await refusing;
      if (!again) break;
      continue;
    }
    const auto& send = std::get<routing::Send>(*decision);
    const std::shared_ptr<const FleetEngine> chosen = send.engine;
    ended.predicted_s = send.predicted.own();
    passage.record.model = lower(passage.call.model);
    passage.series = &passage.core->metrics.of(passage.record.model, chosen->worker);
    passage.series->placed(send.waited_s);
    begin_attempt(passage, chosen, asked_us, placed_us);
    passage.late_after = Milliseconds{std::lround(send.late_after_s * 1000)};
    decision.reset();  // nothing of it is needed while the answer passes
    passage.record.own.waits(clock.now_us());
    const Metrics::Running running = passage.series->running();
    Attempt attempt;
    net::Task<void> trying = try_engine(passage, *chosen, attempt);
    co_await trying;
    const std::shared_ptr<const FleetEngine> engine = attempt.by ? attempt.by : chosen;
    if (!note(passage, *engine, attempt)) {
      trying = judge(passage, *engine, attempt);
      co_await trying;
    }
    end_attempt(passage, attempt);
    if (attempt.step == Step::grows) {
      ticket.give_back(routing::Returned::leaving);
      continue;
    }
    if (attempt.step == Step::done) {
      ended.outcome = attempt.outcome;
      ended.tokens = attempt.relayed.usage.tokens;
      routing::Spent spent = attempt.relayed.usage.spent();
      spent.answered = attempt.outcome == Outcome::ok;
      ticket.done(spent);
      co_return ended;
    }
    passage.core->metrics.placed_again();
    ticket.give_back(returned_for(attempt.step));
  }
  // Nobody went on with it, or its client did not wait for that.
  if (passage.take_up) charge(passage, {}, ended.outcome);
  co_return ended;
}

}  // namespace

net::Task<void> dispatch(std::shared_ptr<Core> core, net::Exchange& exchange, Call& call) {
  const auto ride = std::allocate_shared<Ride>(net::RoomAllocator<Ride>());
  RequestRecord& record = *call.record;
  const std::int64_t begun_us = core->clock.now_us();
  if (record.begun_us == 0) record.own.begin(begun_us);
  record.id = core->random.id();
  Passage passage{core, exchange, call, ride, begun_us, record};
  record.of_engine = true;
  record.stream = passage.call.stream;
  Placing::Ticket ticket(core->placing, exchange.loop());
  const Pointed<Placing::Ticket> pointed(ride->ticket, &ticket);
  exchange.on_disconnect([ride] { ride->client_left(); });
  const std::string_view target = passage.call.target;
  const std::optional<Dialect> dialect = dialect_of(target.substr(0, target.find('?')));
  if (dialect && passage.call.stream && core->resume_streams) passage.so_far.emplace(*dialect);
  if (may_lack_reports(*core)) {
    record.own.waits(core->clock.now_us());
    net::Task<void> waiting = wait_for_first_reports(core, exchange.loop(), passage.call.model);
    co_await waiting;
    waiting = {};  // a finished one would keep its frame while the answer passes
    record.own.goes_on(core->clock.now_us());
  }
  if (ride->gone) {
    record.outcome = Outcome::client_gone;
    core->metrics.of(passage.record.model, "").ended(record.outcome, passage.seconds());
    exchange.abort();
    co_return;
  }
  ticket.ask(request_of(passage.call), passage.record.id);
  net::Task<Ended> asking = place_and_ask(passage, ticket);
  const Ended ended = co_await asking;
  if (ended.outcome == Outcome::client_gone) exchange.abort();
  record.outcome = ended.outcome;
  const double seconds = passage.seconds();
  // Nobody served it: what is told of a model that nobody has is told under no name.
  if (passage.series == nullptr) passage.series = &core->metrics.of(passage.record.model, "");
  passage.series->ended(ended.outcome, seconds);
  // Only answers in words: nobody predicts how long an embedding's text takes by tokens that it makes.
  if (ended.outcome == Outcome::ok && ended.tokens > 0) core->metrics.predicted(ended.predicted_s, seconds);
}

int jittered(int retry_after_s, Random& random) {
  return retry_after_s + static_cast<int>(std::lround(retry_after_s * jitter * random.unit()));
}

net::Task<void> refuse(net::Exchange& exchange, Api api, Error error, int retry_after_s,
                       net::Headers headers) {
  headers.add("Content-Type", "application/json");
  if (retry_after_s > 0) headers.add("Retry-After", cat(retry_after_s));
  if (retry_after_s == 0 && !worth_retrying(error)) headers.add("x-should-retry", "false");
  std::string body = error_body(api, error);
  const int status = info(error.code).http_status;
  net::Task<Result<void>> responding = exchange.respond(status, std::move(headers), std::move(body));
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

}  // namespace rbee::keeper
