#include "keeper/benchmark_shot.h"

#include "base/text.h"
#include "keeper/engine_request.h"
#include "keeper/usage.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr Milliseconds connect_within{5'000};
// The slowest engine that can still be called one makes a token in that time; a hive ends those that hang.
constexpr Milliseconds longest_silence{120'000};
// An engine notices who left within its batch; longer is its hive's to judge.
constexpr Milliseconds let_go_within{60'000};
constexpr std::size_t largest_answer_bytes = 1u << 20;

// Any language would do; each prompt begins somewhere else in it.
constexpr std::string_view page =
    "A worker is one device in service through one backend. It holds no model of its own: models are loaded "
    "as requests need them, and leave when nobody has asked for a while. What a machine can do is looked up, "
    "with a reason for each no; what memory a model takes is computed from its header; and how fast it is "
    "has "
    "to be measured, because nothing that is printed on a box says it. So somebody reads a page like this "
    "one, "
    "again and again, and writes a few words after it, while a clock runs beside.";

Request request_of(const BenchmarkTarget& target, double prompt_tokens, double tokens) {
  Request request;
  request.model = target.model_id;
  request.worker = target.worker;
  request.key = benchmark_key;
  request.priority = Priority::low;
  request.prompt_tokens = prompt_tokens;
  request.max_tokens = tokens;
  request.stream = true;
  return request;
}

std::string body_of(const Shot& shot, const std::vector<int>& text, std::size_t begin) {
  Json prompt = Json::array();
  for (int i = 0; i < shot.prompt_tokens; ++i)
    prompt.push_back(text[(begin + static_cast<std::size_t>(i)) % text.size()]);
  return dump_json(Json{{"prompt", std::move(prompt)},
                        {"n_predict", shot.tokens},
                        {"ignore_eos", true},
                        {"cache_prompt", false},
                        {"temperature", 0},
                        {"stream", true}});
}

struct Mine {
  Arrivals tokens = {};
  double ttft_ms = 0;
  Usage usage = {};
  bool whole = false;
};

// Shared by a shot's requests and by the watch on live work, which may call at any time.
struct ShotRun {
  ShotRun(net::Loop& on, std::size_t count) : loop(on), over(on), mine(count) {}
  std::shared_ptr<Core> core = {};
  net::Loop& loop;
  net::Signal over;
  BenchmarkTarget target = {};
  Shot shot = {};
  std::shared_ptr<const std::vector<int>> text = {};
  std::shared_ptr<BenchmarkStop> stop = {};
  std::vector<Mine> mine;
  std::size_t held = 0;  // requests that the scheduler has of this shot
  std::size_t left = 0;
  bool disturbed = false;
  std::optional<Error> refusal = {};

  void look() {
    if (disturbed || core->placing->live_on(target.worker, held) == 0) return;
    disturbed = true;
    stop->let_go();
  }
};

// An event of `/completion` for each token but those within a character; the last tells of the timings.
void take_events(std::string_view bytes, double at_s, Mine& mine) {
  constexpr std::string_view token = "\"stop\":false";
  for (std::size_t at = bytes.find(token); at != std::string_view::npos; at = bytes.find(token, at + 1))
    mine.tokens.at_s.push_back(at_s);
}

net::Task<void> read_answer(std::shared_ptr<ShotRun> run, net::ClientExchange& engine, Mine& mine,
                            std::int64_t begun_us) {
  const Clock& clock = run->core->clock;
  UsageReader usage;
  // An event may come in two pieces: what stands behind the last line's end waits for the rest.
  std::string rest;
  while (true) {
    net::Task<Result<std::string_view>> reading = engine.read_some(longest_silence);
    const Result<std::string_view> bytes = co_await reading;
    if (!bytes) co_return;
    if (bytes->empty()) break;
    const std::int64_t now_us = clock.now_us();
    rest += *bytes;
    const std::size_t end = rest.rfind('\n');
    if (end == std::string::npos) continue;
    const std::string_view whole = std::string_view(rest).substr(0, end + 1);
    usage.pass(whole);
    const std::size_t before = mine.tokens.at_s.size();
    take_events(whole, static_cast<double>(now_us) / 1e6, mine);
    const bool last = whole.find("\"stop\":true") != std::string_view::npos;
    if (before == 0 && (last || !mine.tokens.at_s.empty()))
      mine.ttft_ms = static_cast<double>(now_us - begun_us) / 1e3;
    mine.whole = mine.whole || last;
    rest.erase(0, end + 1);
  }
  mine.usage = usage.usage();
  const std::size_t events = mine.tokens.at_s.size();
  if (events > 0) mine.tokens.scale = static_cast<double>(mine.usage.tokens) / static_cast<double>(events);
}

net::Task<void> ask_one(std::shared_ptr<ShotRun> run, std::size_t index, FleetEngine engine,
                        std::int64_t begun_us) {
  const std::size_t begin = index * 37 + static_cast<std::size_t>(begun_us % 101);
  const std::string body = body_of(run->shot, *run->text, begin);
  net::ClientRequest request{.method = "POST",
                             .target = "/completion",
                             .headers = {{"Content-Type", "application/json"}},
                             .body = body};
  bool kept = false;
  net::Task<Result<net::ClientExchange>> beginning =
      begin_at_engine(run->core, run->loop, engine, std::move(request), connect_within, kept);
  Result<net::ClientExchange> exchange = co_await beginning;
  if (!exchange) co_return;
  net::ClientExchange* at = &*exchange;
  bool left = run->disturbed || run->stop->cancelled();
  const BenchmarkStop::Underway underway(*run->stop, [at, &left] {
    left = true;
    at->say_goodbye();
  });
  const auto flight = HiveConnections::flight_to(run->core->hives, run->loop, engine.hive, *exchange);
  if (!left) {
    net::Task<Result<void>> heading = exchange->read_head(longest_silence);
    const Result<void> head = co_await heading;
    if (head && exchange->head().status == 200 && !left) {
      net::Task<void> reading = read_answer(run, *exchange, run->mine[index], begun_us);
      co_await reading;
    }
  }
  // The slot is free when the engine has closed.
  net::Task<void> leaving = exchange->let_go(let_go_within);
  co_await leaving;
}

net::Task<void> run_one(std::shared_ptr<ShotRun> run, std::size_t index) {
  {
    Placing::Ticket ticket(run->core->placing, run->loop);
    Placing::Ticket* at = &ticket;
    const BenchmarkStop::Underway underway(*run->stop, [at] { at->leave(); });
    const std::int64_t begun_us = run->core->clock.now_us();
    ++run->held;
    ticket.ask(request_of(run->target, run->shot.prompt_tokens, run->shot.tokens), run->core->random.id());
    net::Task<std::optional<Decision>> waiting = ticket.wait();
    std::optional<Decision> decision = co_await waiting;
    if (decision) {
      if (auto* no = std::get_if<routing::Refuse>(&*decision)) {
        run->refusal = std::move(no->error);
      } else {
        const FleetEngine engine = *std::get<routing::Send>(*decision).engine;
        ModelCare& care = run->core->care;
        care.used(engine.id, run->core->clock.now(), {});
        net::Task<void> asking = ask_one(run, index, engine, begun_us);
        co_await asking;
        ticket.done({});
      }
    }
  }
  --run->held;
  if (--run->left == 0) run->over.notify();
}

ShotFigures figures_of(const ShotRun& run, double seconds) {
  ShotFigures figures{.seconds = seconds};
  std::vector<Arrivals> arrivals;
  std::vector<double> prompt, ttft, server;
  for (const Mine& mine : run.mine) {
    arrivals.push_back(mine.tokens);
    ttft.push_back(mine.ttft_ms);
    const Usage& usage = mine.usage;
    const auto read = static_cast<double>(usage.prompt_tokens - usage.cached_tokens);
    if (usage.prompt_ms > 0) prompt.push_back(1000 * read / usage.prompt_ms);
    if (usage.tokens_ms > 0) server.push_back(1000 * static_cast<double>(usage.tokens) / usage.tokens_ms);
  }
  const Flow flow = flow_of(arrivals);
  figures.each = flow.each;
  figures.together = flow.together;
  figures.prompt_speed = median(prompt);
  figures.ttft_ms = median(ttft);
  figures.server_speed = median(server);
  return figures;
}

net::Task<Result<Json>> ask_json(std::shared_ptr<Core> core, net::Loop& loop, FleetEngine engine,
                                 net::ClientRequest request) {
  bool kept = false;
  net::Task<Result<net::ClientExchange>> beginning =
      begin_at_engine(core, loop, engine, std::move(request), connect_within, kept);
  Result<net::ClientExchange> exchange = co_await beginning;
  if (!exchange) co_return exchange.error();
  net::Task<Result<void>> heading = exchange->read_head(longest_silence);
  const Result<void> head = co_await heading;
  if (!head) co_return head.error();
  net::Task<Result<std::string>> reading = exchange->read_all(largest_answer_bytes, longest_silence);
  const Result<std::string> body = co_await reading;
  if (!body) co_return body.error();
  co_return parse_json(*body);
}

}  // namespace

Flow flow_of(const std::vector<Arrivals>& requests) {
  double from = 0, to = 0;
  bool any = false;
  for (const Arrivals& one : requests) {
    if (one.at_s.empty()) return {};
    from = any ? std::max(from, one.at_s.front()) : one.at_s.front();
    to = any ? std::min(to, one.at_s.back()) : one.at_s.back();
    any = true;
  }
  if (!any || to <= from) return {};
  double tokens = 0;
  for (const Arrivals& one : requests) {
    const auto counted = std::ranges::count_if(one.at_s, [&](double at) { return at > from && at <= to; });
    tokens += static_cast<double>(counted) * one.scale;
  }
  const double together = tokens / (to - from);
  return {together / static_cast<double>(requests.size()), together};
}

net::Task<ShotOutcome> take_shot(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                                 Shot shot, std::shared_ptr<const std::vector<int>> text,
                                 std::shared_ptr<BenchmarkStop> stop) {
  const auto run = std::make_shared<ShotRun>(loop, static_cast<std::size_t>(shot.requests));
  run->core = core;
  run->target = std::move(target);
  run->shot = shot;
  run->text = std::move(text);
  run->stop = stop;
  run->left = run->mine.size();
  const auto watch = std::make_shared<const std::function<void()>>([weak = std::weak_ptr(run), on = &loop] {
    on->post([weak] {
      if (const std::shared_ptr<ShotRun> at = weak.lock()) at->look();
    });
  });
  core->placing->watch_live(watch);
  const Instant begun = core->clock.now();
  const std::int64_t begun_us = core->clock.now_us();
  const std::int64_t begun_ms = core->clock.unix_ms();
  for (std::size_t i = 0; i < run->mine.size(); ++i) loop.spawn(run_one(run, i));
  // What came between the look before this shot and the watch.
  loop.post([run] { run->look(); });
  while (run->left > 0) {
    net::Task<bool> waiting = run->over.wait(longest_silence);
    const bool told = co_await waiting;
    static_cast<void>(told);
  }
  ShotOutcome outcome;
  const Milliseconds took = core->clock.now() - begun;
  const Milliseconds by_calendar{core->clock.unix_ms() - begun_ms};
  outcome.slept = clocks_disagree(took, by_calendar);
  outcome.figures = figures_of(*run, static_cast<double>(core->clock.now_us() - begun_us) / 1e6);
  if (run->refusal) {
    outcome.end = ShotEnd::refused;
    outcome.error = run->refusal;
  } else if (run->disturbed || stop->cancelled() || outcome.slept) {
    outcome.end = ShotEnd::disturbed;
  } else {
    const bool whole = std::ranges::all_of(run->mine, &Mine::whole);
    outcome.end = whole ? ShotEnd::done : ShotEnd::lost;
  }
  co_return outcome;
}

net::Task<Result<FleetEngine>> have_loaded(std::shared_ptr<Core> core, net::Loop& loop,
                                           BenchmarkTarget target, std::shared_ptr<BenchmarkStop> stop) {
  Placing::Ticket ticket(core->placing, loop);
  Placing::Ticket* at = &ticket;
  const BenchmarkStop::Underway underway(*stop, [at] { at->leave(); });
  ticket.ask(request_of(target, 1, 1), core->random.id());
  net::Task<std::optional<Decision>> waiting = ticket.wait();
  std::optional<Decision> decision = co_await waiting;
  if (!decision) co_return Error{ErrorCode::cancelled, "The benchmark was interrupted.", {}, {}};
  if (auto* no = std::get_if<routing::Refuse>(&*decision)) co_return std::move(no->error);
  const FleetEngine engine = *std::get<routing::Send>(*decision).engine;
  core->care.used(engine.id, core->clock.now(), {});
  ticket.done({});
  co_return engine;
}

net::Task<Result<EngineFacts>> ask_engine_facts(std::shared_ptr<Core> core, net::Loop& loop,
                                                FleetEngine engine) {
  const std::string question = dump_json(Json{{"content", page}});
  net::ClientRequest tokenize{.method = "POST",
                              .target = "/tokenize",
                              .headers = {{"Content-Type", "application/json"}},
                              .body = question};
  net::Task<Result<Json>> asking = ask_json(core, loop, engine, std::move(tokenize));
  const Result<Json> tokens = co_await asking;
  if (!tokens) co_return tokens.error();
  std::vector<int> text;
  for (const Json& token : get_array(*tokens, "tokens")) {
    if (token.is_number_integer()) text.push_back(token.get<int>());
  }
  if (text.empty()) co_return Error{ErrorCode::engine_failed, "The engine made no tokens of a text.", {}, {}};
  EngineFacts facts;
  facts.text = std::make_shared<const std::vector<int>>(std::move(text));
  net::ClientRequest props{.target = "/props"};
  asking = ask_json(core, loop, engine, std::move(props));
  const Result<Json> told = co_await asking;
  if (told) facts.version = text_of(*told, "build_info");
  co_return facts;
}

}  // namespace rbee::keeper
