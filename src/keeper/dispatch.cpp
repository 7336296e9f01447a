#include "keeper/dispatch.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/grow.h"
#include "keeper/relay.h"
#include "keeper/resume.h"
#include "keeper/sleepers.h"
#include "keeper/trace_header.h"
#include "net/client.h"

#include <algorithm>
#include <cmath>

namespace rbee::keeper {
namespace {

// An engine's socket is on this machine and takes a connection in microseconds, or it is stuck.
constexpr Milliseconds connect_within{5'000};
// An engine notices a departed client within its current batch, or after a second without news for anybody;
// one that has not let go by now is its hive's to judge.
constexpr Milliseconds let_go_within{60'000};
// A line of a log that can still be read.
constexpr std::size_t most_workers_logged = 8;
// Of what is asked for by Retry-After.
constexpr double jitter = 0.25;
// The 503 of an engine that still loads, and the 400 for a prompt that is too long, have some hundred bytes.
constexpr std::size_t largest_error_bytes = 65536;
// A prompt that just fits leaves no room for an answer.
constexpr std::uint64_t tokens_of_answer = 512;

// Of English, in most vocabularies.
constexpr std::uint64_t usual_token_bytes = 4;

// In a hive's answer: the engine was gone before its first byte (docs/hive-api.md).
constexpr std::string_view lost_field = "x-rbee-lost";

// Shared with the callback of a client's departure, which may come at any time.
struct Ride {
  bool gone = false;
  Placing::Ticket* ticket = nullptr;
  net::ClientExchange* engine = nullptr;

  void client_left() {
    gone = true;
    if (engine != nullptr) engine->say_goodbye();
    if (ticket != nullptr) ticket->leave();
  }
};

// What is pointed to is on a coroutine's frame: no longer pointed to when that ends.
template <class T>
class Pointed {
 public:
  Pointed(T*& place, T* to) : place_(place) { place_ = to; }
  ~Pointed() { place_ = nullptr; }
  Pointed(const Pointed&) = delete;
  Pointed& operator=(const Pointed&) = delete;

 private:
  T*& place_;
};

// cut: the client has part of the answer, and another engine may go on with it. grows: its engine starts anew
// with more context.
enum class Step { done, lost, not_ready, too_small, cut, grows };

// An answer that is kept while it is not clear whether the client gets it.
struct Kept {
  int status = 0;
  std::string type;
  std::string body;
};

struct Attempt {
  Step step = Step::done;
  Outcome outcome = Outcome::ok;
  Relayed relayed = {};
  std::uint64_t tokens = 0;  // of too_small: what the prompt has
  Kept kept = {};            // of too_small: the engine's own words
};

// A stream that goes on: how the client gets it, and what is asked for in place of the client's own body.
struct TakeUp {
  Wire wire = {};
  std::string body;
  Error lost = {};  // told where nobody can go on
};

struct Passage {
  std::shared_ptr<Core> core;
  net::Exchange& exchange;
  Call call;
  std::string id;
  std::shared_ptr<Ride> ride;
  std::int64_t begun_us = 0;
  std::string model_label = {};            // for metrics
  bool woke = false;                       // a machine was woken for it: once is enough
  bool grown = false;                      // an engine was asked to start anew for it: once is enough
  std::optional<StreamSoFar> so_far = {};  // where its stream can be taken up
  std::optional<TakeUp> take_up = {};      // a stream was cut, and this goes on with it

  [[nodiscard]] double seconds() const { return static_cast<double>(core->clock.now_us() - begun_us) / 1e6; }
};

// A worker that its owner took back has said why.
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

bool says_loading(std::string_view body) { return body.find("Loading model") != std::string_view::npos; }

net::Headers own_headers(const Passage& passage, const std::string& worker) {
  net::Headers headers{{"x-rbee-request-id", passage.id}};
  if (!worker.empty()) headers.add("x-rbee-worker", worker);
  if (!passage.call.explain) return headers;
  const std::optional<routing::Explanation> told = passage.core->placing->explain_past(passage.id);
  if (told) headers.add("x-rbee-trace", trace_header(*told));
  return headers;
}

Kept keep(const net::ClientExchange& engine, std::string body) {
  return {engine.head().status,
          std::string(engine.head().headers.find("Content-Type").value_or("application/json")),
          std::move(body)};
}

net::Task<Attempt> pass_on(Passage& passage, Kept kept, std::string worker) {
  net::Headers headers = own_headers(passage, worker);
  headers.add("Content-Type", std::move(kept.type));
  net::Task<Result<void>> responding =
      passage.exchange.respond(kept.status, std::move(headers), std::move(kept.body));
  const Result<void> answered = co_await responding;
  co_return Attempt{.outcome = answered ? Outcome::engine_error : Outcome::client_gone};
}

// A 503 is either "not yet", which the client need not know, or an answer like any other.
net::Task<Attempt> take_503(Passage& passage, net::ClientExchange& engine, const std::string& worker) {
  const Result<std::string> body = co_await engine.read_all(largest_error_bytes, connect_within);
  if (!body) co_return Attempt{.step = Step::lost};
  if (says_loading(*body)) co_return Attempt{.step = Step::not_ready};
  Kept kept = keep(engine, *body);
  net::Task<Attempt> passing = pass_on(passage, std::move(kept), worker);
  const Attempt passed = co_await passing;
  co_return passed;
}

// A 400 that says the prompt is too long is not the last word where the engine could have more context.
net::Task<Attempt> take_400(Passage& passage, net::ClientExchange& engine, const std::string& worker) {
  const Result<std::string> body = co_await engine.read_all(largest_error_bytes, connect_within);
  if (!body) co_return Attempt{.step = Step::lost};
  Kept kept = keep(engine, *body);
  const std::optional<TooLong> told = too_long(*body);
  if (told && !passage.grown)
    co_return Attempt{.step = Step::too_small, .tokens = told->prompt_tokens, .kept = std::move(kept)};
  net::Task<Attempt> passing = pass_on(passage, std::move(kept), worker);
  const Attempt passed = co_await passing;
  co_return passed;
}

net::Task<Attempt> take_answer(Passage& passage, net::ClientExchange& engine, const std::string& worker) {
  RelayJob job{.api = passage.call.api, .added = own_headers(passage, worker)};
  if (passage.so_far && engine.head().status == 200) job.so_far = &*passage.so_far;
  Passage* at = &passage;
  job.when_lost = [at, worker] { return lost_error(*at->core, worker); };
  job.on_first = [at] {
    if (at->take_up) {
      at->core->metrics.resumed();
    } else {
      at->core->metrics.first_byte(at->seconds());
    }
    // A body that is not streamed comes whole, at its end: that says nothing of when its prompt was read.
    if (at->call.stream && at->ride->ticket != nullptr) at->ride->ticket->answered();
  };
  net::Task<Relayed> relaying =
      passage.take_up
          ? relay_rest(passage.exchange, engine, std::move(job), passage.take_up->wire, passage.ride->gone)
          : relay(passage.exchange, engine, std::move(job), passage.ride->gone);
  Attempt attempt;
  attempt.relayed = co_await relaying;
  switch (attempt.relayed.end) {
    case RelayEnd::whole:
      attempt.outcome = engine.head().status < 400 ? Outcome::ok : Outcome::engine_error;
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

// What an engine says to a request that was to go on with a stream: nothing of it is for the client.
net::Task<Attempt> take_refusal(net::ClientExchange& engine) {
  const Result<std::string> body = co_await engine.read_all(largest_error_bytes, connect_within);
  if (!body) co_return Attempt{.step = Step::lost};
  if (engine.head().status == 503 && says_loading(*body)) co_return Attempt{.step = Step::not_ready};
  Attempt attempt{.step = Step::cut, .outcome = Outcome::engine_error};
  attempt.relayed.failure =
      Error{ErrorCode::worker_lost, "Another worker refused to go on with this answer."};
  co_return attempt;
}

// On this machine straight to the engine's socket; elsewhere through its hive.
net::Task<Result<net::ClientExchange>> begin_request(Passage& passage, const FleetEngine& chosen,
                                                     net::ClientRequest request) {
  HiveConnections& hives = *passage.core->hives;
  if (hives.is_own(chosen.hive)) {
    net::Endpoint socket{.unix_path = chosen.socket};
    return net::ClientExchange::begin(passage.exchange.loop(), std::move(socket), std::move(request),
                                      connect_within);
  }
  request.target = cat("/engines/", net::percent_encode(chosen.id), request.target);
  return HiveConnections::begin(passage.core->hives, passage.exchange.loop(), chosen.hive, std::move(request),
                                connect_within);
}

net::Task<Attempt> ask_engine(Passage& passage, const FleetEngine& chosen) {
  net::ClientRequest request{.method = passage.call.method,
                             .target = passage.call.target,
                             .headers = passage.call.headers,
                             .body = passage.take_up ? passage.take_up->body : passage.call.body};
  net::Task<Result<net::ClientExchange>> beginning = begin_request(passage, chosen, std::move(request));
  Result<net::ClientExchange> engine = co_await beginning;
  if (!engine) co_return Attempt{.step = Step::lost};
  const Pointed<net::ClientExchange> pointed(passage.ride->engine, &*engine);
  std::optional<HiveConnections::Flight> flight;
  if (!passage.core->hives->is_own(chosen.hive))
    flight.emplace(passage.core->hives, passage.exchange.loop(), chosen.hive, *engine);
  Result<void> head = Result<void>{};
  if (!passage.ride->gone) head = co_await engine->read_head(longest_engine_silence);
  Attempt attempt{.step = Step::lost};
  const bool there = head && !engine->head().headers.find(lost_field);
  if (there && !passage.ride->gone) {
    const int status = engine->head().status;
    net::Task<Attempt> taking = passage.take_up && status != 200 ? take_refusal(*engine)
                                : status == 503                  ? take_503(passage, *engine, chosen.worker)
                                : status == 400                  ? take_400(passage, *engine, chosen.worker)
                                                : take_answer(passage, *engine, chosen.worker);
    attempt = co_await taking;
  }
  const bool answered = attempt.step == Step::done && attempt.outcome != Outcome::client_gone;
  const bool again = attempt.step != Step::done && !passage.ride->gone;
  if (answered) passage.core->hives->give_back(passage.exchange.loop(), chosen.hive, *engine);
  if (answered || again) co_return attempt;
  net::Task<Attempt> leaving = leave_engine(*engine);
  const Attempt left = co_await leaving;
  attempt.step = left.step;
  attempt.outcome = left.outcome;
  co_return attempt;
}

// Of its key's tokens: by the engine's own words, or, where it said nothing (an answer that was cut, a
// vector), by the bytes that were read and the pieces that came.
std::uint64_t tokens_used(const Passage& passage, const Relayed& relayed) {
  const std::uint64_t told = relayed.usage.prompt_tokens + relayed.usage.tokens;
  if (told > 0) return told;
  const std::size_t text = passage.call.prompt.text_bytes;
  const std::uint64_t read = (text > 0 ? text : passage.call.body.size()) / usual_token_bytes;
  return read + (passage.call.stream ? relayed.chunks : 0);
}

void account(const Passage& passage, const Attempt& attempt, const std::string& worker) {
  Core& core = *passage.core;
  core.metrics.relayed(attempt.relayed.bytes, attempt.relayed.chunks);
  if (attempt.step == Step::lost || attempt.outcome == Outcome::engine_lost) {
    core.metrics.engine_lost();
    core.log->warning(cat("Request ", passage.id, ": the engine on worker '", worker, "' was lost ",
                          attempt.step == Step::lost ? "before it answered; it is placed again."
                                                     : "in the middle of its answer."));
  }
  if (attempt.step != Step::done) return;
  const Usage& usage = attempt.relayed.usage;
  if (attempt.outcome != Outcome::engine_error)
    core.gate->spend(passage.call.visitor, tokens_used(passage, attempt.relayed));
  core.metrics.tokens({usage.prompt_tokens, usage.cached_tokens, usage.tokens});
  core.state->count({lower(passage.call.model), 1, usage.prompt_tokens, usage.tokens});
}

// Clients choose names: only those of models that are there become labels.
std::string model_label(const Core& core, const std::string& model) {
  for (const ModelFile& file : core.placing->models()) {
    if (answers_to(file, model)) return lower(model);
  }
  return "";
}

// Whether an engine with more context is on its way for it. Where there is no room for an answer beside the
// prompt, the prompt alone must do.
net::Task<bool> grow(Passage& passage, FleetEngine engine, std::uint64_t tokens) {
  passage.grown = true;
  const double asked = passage.call.max_tokens;
  const std::uint64_t answer = asked > 0 ? static_cast<std::uint64_t>(asked) : tokens_of_answer;
  const std::uint64_t room = std::min(answer, 64 * tokens_of_answer);
  net::Task<bool> asking = ask_more_context(passage.core, passage.exchange.loop(), engine, tokens + room);
  const bool taken = co_await asking;
  if (taken) co_return true;
  asking = ask_more_context(passage.core, passage.exchange.loop(), engine, tokens + 1);
  const bool taken_without = co_await asking;
  co_return taken_without;
}

net::Task<std::string> ask_template(Passage& passage, FleetEngine chosen, bool continued, bool reasoning) {
  const std::string question = template_question(continued, reasoning);
  net::ClientRequest request{.method = "POST",
                             .target = "/apply-template",
                             .headers = {{"Content-Type", "application/json"}},
                             .body = question};
  net::Task<Result<net::ClientExchange>> beginning = begin_request(passage, chosen, std::move(request));
  Result<net::ClientExchange> engine = co_await beginning;
  if (!engine) co_return "";
  const Result<void> head = co_await engine->read_head(connect_within);
  if (!head || engine->head().status != 200) co_return "";
  Result<std::string> body = co_await engine->read_all(largest_error_bytes, connect_within);
  co_return body ? std::move(*body) : "";
}

// Asked once of each start of an engine.
net::Task<bool> template_goes_on(Passage& passage, FleetEngine chosen, bool reasoning) {
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

// The chosen engine goes on with the stream, where its chat template lets a text go on.
net::Task<Attempt> go_on(Passage& passage, FleetEngine chosen) {
  const Dialect dialect = passage.so_far->dialect();
  const ToldSoFar& told = passage.so_far->told();
  const bool begins_anew = told.text.empty() && told.reasoning.empty();
  if (dialect != Dialect::completions && !begins_anew) {
    net::Task<bool> checking = template_goes_on(passage, chosen, !told.reasoning.empty());
    const bool goes_on = co_await checking;
    if (!goes_on) {
      Attempt attempt{.step = Step::cut, .outcome = Outcome::engine_lost};
      attempt.relayed.failure =
          Error{ErrorCode::worker_lost, "The chat template of its model cannot go on where a text ends."};
      co_return attempt;
    }
  }
  net::Task<Attempt> asking = ask_engine(passage, chosen);
  Attempt attempt = co_await asking;
  if (attempt.step == Step::done && attempt.outcome == Outcome::ok) {
    passage.core->log->info(cat("Request ", passage.id, " went on with worker '", chosen.worker, "' after ",
                                told.tokens, " tokens."));
  }
  co_return attempt;
}

// Whether what the client has can be the beginning of another engine's answer; if not, the client is told.
net::Task<bool> plan_take_up(Passage& passage, Attempt attempt, std::string worker) {
  Error error = lost_error(*passage.core, worker);
  const Wire wire = passage.take_up ? passage.take_up->wire : attempt.relayed.wire;
  if (attempt.relayed.failure) {
    error.message += cat(' ', attempt.relayed.failure->message);
  } else {
    Result<std::string> body =
        continued_request(passage.so_far->dialect(), passage.call.body, passage.so_far->told());
    if (body) {
      passage.take_up = TakeUp{wire, std::move(*body), std::move(error)};
      co_return true;
    }
    error.message += cat(' ', body.error().message);
  }
  net::Task<void> ending = end_lost(passage.exchange, passage.call.api, std::move(error), wire);
  co_await ending;
  co_return false;
}

// Later by up to a quarter, so that all who were refused at once do not come back at once.
int jittered(int retry_after_s, Random& random) {
  return retry_after_s + static_cast<int>(std::lround(retry_after_s * jitter * random.unit()));
}

// Where the answer has begun the client can only be told within it.
net::Task<void> refuse_or_end(Passage& passage, Error error, int retry_after_s) {
  if (passage.take_up) {
    // Why its first worker was lost says more than that no other is there.
    Error lost = passage.take_up->lost;
    const Wire wire = passage.take_up->wire;
    net::Task<void> ending = end_lost(passage.exchange, passage.call.api, std::move(lost), wire);
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
  std::string worker = {};
  double predicted_s = 0;  // from its arrival
  std::uint64_t tokens = 0;
};

// One line. Where a queue is full that says all; else each worker has its reason.
void tell_of_refusal(const Passage& passage, const Error& error) {
  Core& core = *passage.core;
  core.metrics.refused(info(error.code).name);
  std::string why = error.message;
  if (error.code == ErrorCode::no_worker || error.code == ErrorCode::worker_lost) {
    if (const auto told = core.placing->explain_past(passage.id)) {
      why = routing::in_one_line(*told, most_workers_logged);
    }
  }
  core.log->info(cat("Request ", passage.id, " for '", passage.call.model, "' was refused: ", why));
}

Request request_of(const Call& call) {
  Request request;
  request.key = call.visitor.name();
  request.model = call.model;
  request.worker = call.worker;
  request.slots = call.slots;
  request.prompt_bytes = static_cast<double>(call.prompt.text_bytes);
  request.prefix = call.prompt.blocks;
  request.block_tokens = prompt_block_tokens;
  request.max_tokens = call.max_tokens;
  request.stream = call.stream;
  request.priority = call.priority;
  request.user = call.user;
  request.session = call.session;
  request.needs_tools = call.needs_tools;
  request.needs_vision = call.needs_vision;
  request.needs_embedding = call.target.find("/embed") != std::string::npos;
  return request;
}

// Nobody who is there has the model: perhaps a machine that sleeps.
net::Task<bool> wake_for(Passage& passage, const Error& refusal) {
  const bool may_help = refusal.code == ErrorCode::no_worker || refusal.code == ErrorCode::unknown_model;
  if (passage.woke || !may_help) co_return false;
  net::Task<Woken> waking =
      wake_holders(passage.core, passage.exchange.loop(), passage.call.model, passage.ride->gone);
  const Woken woken = co_await waking;
  passage.woke = woken != Woken::nobody;
  co_return woken == Woken::there;
}

// Whether it is asked anew: a machine that has its model was woken.
net::Task<bool> take_refusal_of_all(Passage& passage, Placing::Ticket& ticket, routing::Refuse no,
                                    Ended& ended) {
  net::Task<bool> waking = wake_for(passage, no.error);
  const bool woken = co_await waking;
  if (woken) {
    ticket.ask(request_of(passage.call), passage.id);
    co_return true;
  }
  if (passage.ride->gone) co_return false;
  ended.outcome = Outcome::refused;
  tell_of_refusal(passage, no.error);
  const int retry_after_s = passage.woke ? retry_after_wake_s : no.retry_after_s;
  net::Task<void> refusing = refuse_or_end(passage, std::move(no.error), retry_after_s);
  co_await refusing;
  co_return false;
}

// Asks the chosen engine; one whose context is too small for it may start anew with more: then the request is
// not ready for it yet.
net::Task<Attempt> try_engine(Passage& passage, FleetEngine chosen) {
  if (passage.call.num_ctx > chosen.context && !passage.grown) {
    net::Task<bool> growing = grow(passage, chosen, passage.call.num_ctx);
    const bool comes = co_await growing;
    if (comes) co_return Attempt{.step = Step::grows};
  }
  ModelCare& care = passage.core->care;
  care.used(chosen.id, passage.core->clock.now(), passage.call.keep_alive);
  net::Task<Attempt> asking = passage.take_up ? go_on(passage, chosen) : ask_engine(passage, chosen);
  Attempt attempt = co_await asking;
  care.used(chosen.id, passage.core->clock.now(), passage.call.keep_alive);
  if (attempt.step == Step::too_small) {
    net::Task<bool> growing = grow(passage, chosen, attempt.tokens);
    const bool comes = co_await growing;
    if (comes) co_return Attempt{.step = Step::grows};
    net::Task<Attempt> passing = pass_on(passage, std::move(attempt.kept), chosen.worker);
    attempt = co_await passing;
  }
  account(passage, attempt, chosen.worker);
  if (attempt.step == Step::cut) {
    net::Task<bool> planning = plan_take_up(passage, attempt, chosen.worker);
    const bool goes_on = co_await planning;
    if (!goes_on) attempt.step = Step::done;
  }
  co_return attempt;
}

net::Task<Ended> place_and_ask(Passage& passage, Placing::Ticket& ticket) {
  Ended ended;
  while (true) {
    std::optional<Decision> decision = co_await ticket.wait();
    if (!decision) break;
    if (auto* no = std::get_if<routing::Refuse>(&*decision)) {
      net::Task<bool> refusing = take_refusal_of_all(passage, ticket, std::move(*no), ended);
      const bool again = co_await refusing;
      if (!again) break;
      continue;
    }
    const auto& send = std::get<routing::Send>(*decision);
    const FleetEngine chosen = *send.engine;
    ended.worker = chosen.worker;
    ended.predicted_s = send.predicted.own();
    passage.core->metrics.placed(passage.model_label, chosen.worker, send.waited_s);
    net::Task<Attempt> trying = try_engine(passage, chosen);
    const Attempt attempt = co_await trying;
    if (attempt.step == Step::grows) {
      ticket.give_back(routing::Returned::lost);
      continue;
    }
    ended.outcome = attempt.outcome;
    ended.tokens = attempt.relayed.usage.tokens;
    if (attempt.step == Step::done) {
      ticket.done(attempt.relayed.usage.spent());
      break;
    }
    passage.core->metrics.placed_again();
    ticket.give_back(attempt.step == Step::not_ready ? routing::Returned::not_ready
                                                     : routing::Returned::lost);
  }
  co_return ended;
}

}  // namespace

net::Task<void> dispatch(std::shared_ptr<Core> core, net::Exchange& exchange, Call call) {
  const std::shared_ptr<Ride> ride = std::make_shared<Ride>();
  Passage passage{core, exchange, std::move(call), core->random.id(), ride, core->clock.now_us()};
  passage.model_label = model_label(*core, passage.call.model);
  Placing::Ticket ticket(core->placing, exchange.loop());
  const Pointed<Placing::Ticket> pointed(ride->ticket, &ticket);
  exchange.on_disconnect([ride] { ride->client_left(); });
  const std::optional<Dialect> dialect = dialect_of(exchange.head().path);
  if (dialect && passage.call.stream && core->resume_streams) passage.so_far.emplace(*dialect);
  net::Task<void> waiting = wait_for_first_reports(core, exchange.loop(), passage.call.model);
  co_await waiting;
  if (ride->gone) {
    exchange.abort();
    co_return;
  }
  ticket.ask(request_of(passage.call), passage.id);
  net::Task<Ended> asking = place_and_ask(passage, ticket);
  const Ended ended = co_await asking;
  if (ended.outcome == Outcome::client_gone) exchange.abort();
  const double seconds = passage.seconds();
  core->metrics.request_ended(passage.model_label, ended.worker, ended.outcome, seconds);
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
