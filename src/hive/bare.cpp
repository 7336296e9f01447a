// What a benchmark asks of a hive beside its engines: llama-bench of the pack on a worker's device, and a
// model's pages forgotten. Its memory is promised by the ledger like an engine's, and who goes away ends it.
#include "hive/agent.h"
#include "hive/engine_spec.h"
#include "hive/load_settings.h"
#include "hive/wanted_field.h"

#include "base/json.h"
#include "base/text.h"
#include "engine/bench.h"
#include "engine/child.h"
#include "engine/pack.h"
#include "model/model_parts.h"
#include "model/page_cache.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace rbee::hive {
namespace {

// A device as slow as one core takes minutes for a large model; whoever asked may leave before.
constexpr Milliseconds longest_bench{10 * 60'000};
// A driver gives the memory of an engine that has ended back some moments later.
constexpr Milliseconds free_within{5'000};
constexpr Milliseconds between_looks{250};
constexpr Milliseconds longest_quiet{1'000};
constexpr std::int64_t most_tokens = 1 << 16;
constexpr std::int64_t most_runs = 100;

struct BareRequest {
  std::string model;
  engine::BenchSize size = {};
  LoadSettings settings = {};
};

Result<BareRequest> parse_bare(const Result<std::string_view>& body) {
  if (!body) return body.error();
  const Result<Json> json = parse_json(*body);
  if (!json) return json.error();
  BareRequest request;
  const Result<std::string> model = wanted_string(*json, "model");
  if (!model) return model.error();
  request.model = *model;
  const auto number = [&json](std::string_view key, std::int64_t most) -> Result<int> {
    const std::int64_t value = get_int(*json, key).value_or(0);
    if (value >= 1 && value <= most) return static_cast<int>(value);
    return Error{ErrorCode::bad_request, cat("'", key, "' is a number from 1 to ", most, "."), {}, {}};
  };
  const Result<int> prompt = number("prompt_tokens", most_tokens);
  if (!prompt) return prompt.error();
  const Result<int> tokens = number("tokens", most_tokens);
  if (!tokens) return tokens.error();
  const Result<int> runs = number("runs", most_runs);
  if (!runs) return runs.error();
  request.size = {.prompt_tokens = *prompt, .tokens = *tokens, .runs = *runs};
  const Result<LoadSettings> settings = load_settings_from_json(*json);
  if (!settings) return settings.error();
  request.settings = *settings;
  // A sequence of its own, as long as the longer of both.
  request.settings.slots = 1;
  request.settings.context = static_cast<std::uint32_t>(std::max(*prompt, *tokens));
  return request;
}

struct BareFigures {
  std::vector<double> prompt = {};
  std::vector<double> made = {};
};

struct BareWork {
  ProbeSettings probe;
  Load load;
  double usable_cpus = 1;
  engine::BenchSize size = {};
  std::shared_ptr<std::atomic<bool>> cancel = {};
};

// Blocks for as long as it takes.
Result<BareFigures> run_bare(const BareWork& work) {
  std::vector<std::string> device_ids = {work.load.device_id};
  for (const WorkerDevice& other : work.load.others) device_ids.push_back(other.id);
  const Result<Prepared> prepared = prepare_engine(work.probe, work.load.backend, device_ids);
  if (!prepared) return prepared.error();
  const engine::EngineSpec spec = engine_spec(work.load, *prepared, work.usable_cpus);
  BareFigures figures;
  std::string last_words;
  const engine::ChildRun run{.arguments = engine::bench_arguments(spec, work.size),
                             .environment = engine::engine_environment(spec, work.probe.environment),
                             .on_line =
                                 [&](std::string_view line) {
                                   const auto read = engine::parse_bench_line(line);
                                   if (read)
                                     (read->prompt ? figures.prompt : figures.made) = read->tokens_per_s;
                                   else if (!trim(line).empty())
                                     last_words = trim(line);
                                 },
                             .cancel = work.cancel.get(),
                             .within = longest_bench};
  const Result<engine::ExitStatus> ended = engine::run_child(run);
  if (!ended) return ended.error();
  if (!ended->ok() || figures.prompt.empty() || figures.made.empty()) {
    return Error{ErrorCode::engine_failed,
                 cat("llama-bench of the engine pack ", ended->text(), " without figures."),
                 {},
                 last_words};
  }
  return figures;
}

std::string result_event(const Result<BareFigures>& figures) {
  if (!figures) return net::format_sse("error", dump_json(error_json(figures.error())));
  return net::format_sse("result",
                         dump_json(Json{{"prompt_speeds", figures->prompt}, {"speeds", figures->made}}));
}

}  // namespace

// Reserved under an id of its own until `release_bench`.
net::Task<Result<Load>> Agent::plan_bench(std::string worker, std::string model_id, LoadSettings settings) {
  co_await wait_for_probes();
  const Error closing{ErrorCode::no_worker, "This hive is ending.", "Try again when it is back.", {}};
  if (stopping_ || !runner_) co_return closing;
  const Result<ModelFile> known = find_model(model_id);
  if (!known) co_return known.error();
  const Result<std::string> there = supervisor_.engine_of(worker, model_id, clock_.now());
  if (!there) co_return there.error();
  const Backend backend = supervisor_.find_worker(worker)->backend;
  const std::string id = cat("bench.", runner_->new_engine_id(model_id));
  const Instant begun = clock_.now();
  while (true) {
    std::function<Facts()> looking = look(backend, model_id);
    const Facts facts = co_await work_->run(loop_, std::move(looking));
    if (stopping_ || !runner_) co_return closing;
    if (!facts.header) co_return facts.header.error();
    const WorkerSpec* spec = supervisor_.find_worker(worker);
    if (spec == nullptr) co_return supervisor_.engine_of(worker, model_id, clock_.now()).error();
    WorkerSpec now = *spec;
    describe_devices(now, machine_);
    Ledger& ledger = supervisor_.ledger();
    for (const auto& [pool, seen] : facts.pools) supervisor_.see_pool(pool, seen);
    Load load = plan_load(*facts.header, *known, now, ledger, settings, corrections_);
    load.engine_id = id;
    const Ledger::Asker asker{.id = load.engine_id, .model = load.model.id, .worker = load.worker};
    const Result<void> reserved = ledger.reserve(asker, load.needs);
    const bool may_come_free = !reserved && ledger.fits_but_for_seen(load.needs);
    ledger.forget_seen();
    if (reserved) co_return load;
    if (!may_come_free || clock_.now() - begun >= free_within) co_return reserved.error();
    co_await net::sleep_for(loop_, between_looks);
    if (stopping_ || !runner_) co_return closing;
  }
}

void Agent::release_bench(const Load& load) {
  supervisor_.ledger().release(load.engine_id);
  bench_devices_.clear();
  bench_cancel_.reset();
  changed();
}

net::Task<void> Agent::post_bare(net::Exchange& exchange, std::string worker) {
  const std::shared_ptr<Agent> self = shared_from_this();
  const Result<std::string_view> body = co_await exchange.read_body();
  const Result<BareRequest> request = parse_bare(body);
  Result<Load> load = request ? Result<Load>(Load{}) : Result<Load>(request.error());
  if (load && bench_cancel_) {
    load = Error{ErrorCode::in_use,
                 cat("'", options_.name, "' measures something else now."),
                 "Ask again when it is done.",
                 {}};
  }
  const auto cancel = std::make_shared<std::atomic<bool>>(false);
  if (load) {
    bench_cancel_ = cancel;
    net::Task<Result<Load>> planning = plan_bench(std::move(worker), request->model, request->settings);
    Result<Load> planned = co_await planning;
    load = std::move(planned);
    if (!load) bench_cancel_.reset();
  }
  if (!load) {
    Error error = load.error();
    (void)co_await exchange.respond_error(std::move(error));
    co_return;
  }
  // Of a device that llama-bench has, nothing is concluded about other programs.
  bench_devices_.insert(load->device_id);
  for (const WorkerDevice& other : load->others) bench_devices_.insert(other.id);
  changed();
  exchange.on_disconnect([cancel] { cancel->store(true); });
  const BareWork work{.probe = probe_settings(),
                      .load = *load,
                      .usable_cpus = machine_.cpu.usable_cpus,
                      .size = request->size,
                      .cancel = cancel};
  const auto outcome = std::make_shared<std::optional<Result<BareFigures>>>();
  const auto news = std::make_shared<net::Signal>(loop_);
  const bool taken = benches_->post([work, outcome, news, weak = weak_from_this(), loop = &loop_] {
    Result<BareFigures> figures = run_bare(work);
    loop->post([outcome, news, weak, load = work.load, figures = std::move(figures)] {
      if (const auto agent = weak.lock()) agent->release_bench(load);
      outcome->emplace(figures);
      news->notify();
    });
  });
  if (!taken) release_bench(*load);
  net::Headers headers{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}};
  const Result<void> started = co_await exchange.start(200, headers);
  if (!started) cancel->store(true);
  while (taken && !*outcome) {
    const bool told = co_await news->wait(longest_quiet);
    if (told || cancel->load()) continue;
    const std::string alive = ": still at it\n\n";
    const Result<void> written = co_await exchange.write(alive);
    if (!written) cancel->store(true);
  }
  if (!started) co_return;
  const std::string event = result_event(
      *outcome ? **outcome
               : Result<BareFigures>(Error{ErrorCode::internal, "The hive has too much to do.", {}, {}}));
  const Result<void> told = co_await exchange.write(event);
  if (told) (void)co_await exchange.finish();
}

net::Task<Result<std::string>> Agent::post_cold(std::string id) {
  const Result<ModelFile> known = find_model(id);
  if (!known) co_return known.error();
  std::function<Result<std::string>()> forget = [file = *known]() -> Result<std::string> {
    const Result<model::ModelParts> parts = model::read_model(file.path);
    if (!parts) return parts.error();
    std::vector<std::filesystem::path> files = parts->files;
    if (!file.projector.empty()) files.emplace_back(file.projector);
    model::CachedBytes sum;
    for (const std::filesystem::path& one : files) {
      const Result<model::CachedBytes> bytes = model::forget_pages(one);
      if (!bytes) return bytes.error();
      sum = {sum.of + bytes->of, sum.before + bytes->before, sum.after + bytes->after};
    }
    return dump_json(Json{{"bytes", sum.of}, {"cached_before", sum.before}, {"cached_after", sum.after}});
  };
  Result<std::string> text = co_await benches_->run(loop_, std::move(forget));
  co_return text;
}

}  // namespace rbee::hive
