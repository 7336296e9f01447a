#include "keeper/metrics.h"

#include "base/brief_mutex.h"
#include "base/by_names.h"
#include "keeper/metric_names.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace rbee::keeper {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

// The bounds that OpenTelemetry's conventions give for each of these, and vLLM has; further ones above, for
// workers that are processors, and answers that last minutes.
const Buckets& request_buckets() {
  static const Buckets buckets{0.01, 0.02,  0.04,  0.08,  0.16,  0.32,   0.64,   1.28,  2.56,
                               5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36};
  return buckets;
}
const Buckets& ttft_buckets() {
  static const Buckets buckets{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5,
                               0.75,  1,     2.5,  5,    7.5,  10,   20,   40,  80,   160};
  return buckets;
}
const Buckets& token_buckets() {
  static const Buckets buckets{0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15,
                               0.2,    0.3,   0.4,  0.5,   0.75, 1,     2.5};
  return buckets;
}
const Buckets& size_buckets() {
  static const Buckets buckets{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576};
  return buckets;
}
// 1 is a prediction that was right; within 0.8 and 1.25 is as good as lengths that nobody knows allow.
const Buckets& ratio_buckets() {
  static const Buckets buckets{0.1, 0.25, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 10};
  return buckets;
}
// Some hundred microseconds are usual; a script, or a thousand workers, take milliseconds.
const Buckets& overhead_buckets() {
  static const Buckets buckets{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1};
  return buckets;
}

template <class Builder>
auto& make(Builder builder, const char* name, const char* help, prometheus::Registry& registry) {
  return builder.Name(name).Help(help).Register(registry);
}

// Model and worker.
using Names = std::pair<std::string, std::string>;

// Of one model: what is not asked for by worker.
struct OfModel {
  Gauge& running;
  Histogram& seconds;
  Histogram& ttft;
  Histogram& queue_seconds;
  Histogram& inter_token;
  Histogram& per_token;
  Histogram& prompt_size;
  Histogram& answer_size;
  Counter& prompt_tokens;
  Counter& cached_tokens;
  Counter& made_tokens;
};

// Of one model on one worker: what went to its engine, and what that did.
struct OfEngine {
  Counter& placements;
  Counter& prompt_tokens;
  Counter& prompt_seconds;
  Counter& tokens;
  Counter& token_seconds;
};

// As many gaps as there were, each of the mean: what came between two tokens is not looked at one by one.
void observe_gaps(Histogram& histogram, const Buckets& buckets, double mean_s, double gaps) {
  std::vector<double> counts(buckets.size() + 1, 0.0);
  const auto at = std::ranges::lower_bound(buckets, mean_s);
  counts[static_cast<std::size_t>(at - buckets.begin())] = gaps;
  histogram.ObserveMultiple(counts, mean_s * gaps);
}

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok: return "ok";
    case Outcome::refused: return "refused";
    case Outcome::engine_error: return "engine_error";
    case Outcome::engine_lost: return "engine_lost";
    case Outcome::client_gone: return "client_gone";
  }
  return "";
}

struct Metrics::Series::Impl {
  Impl(const OfModel& of_model, std::optional<OfEngine> of_engine, prometheus::Family<Counter>& family,
       prometheus::Labels names)
      : model(of_model), engine(of_engine), requests(family), labels(std::move(names)) {}
  OfModel model;
  std::optional<OfEngine> engine;  // where there is a worker
  prometheus::Family<Counter>& requests;
  prometheus::Labels labels;
  // By outcome, from the first one on.
  std::array<std::atomic<Counter*>, outcomes> ended = {};

  [[nodiscard]] Counter& ended_with(Outcome outcome) {
    std::atomic<Counter*>& known = ended[static_cast<std::size_t>(outcome)];
    if (Counter* counter = known.load(std::memory_order_relaxed); counter != nullptr) return *counter;
    prometheus::Labels all = labels;
    all.emplace("outcome", outcome_name(outcome));
    // Whoever comes at the same time gets the same one.
    Counter& added = requests.Add(all);
    known.store(&added, std::memory_order_relaxed);
    return added;
  }
};

struct Metrics::Impl {
  using Family = prometheus::Family<Counter>;
  using Times = prometheus::Family<Histogram>;
  Family& counters(const char* name, const char* help) {
    return make(prometheus::BuildCounter(), name, help, registry);
  }
  Counter& counter(const char* name, const char* help) { return counters(name, help).Add({}); }
  Times& times(const char* name, const char* help) {
    return make(prometheus::BuildHistogram(), name, help, registry);
  }
  Gauge& gauge(const char* name, const char* help) {
    return make(prometheus::BuildGauge(), name, help, registry).Add({});
  }

  prometheus::Registry registry;
  Family& requests = counters("rbee_requests_total", "Requests that ended.");
  Family& placements = counters("rbee_placements_total", "Requests that were sent to a worker.");
  Family& refusals = counters("rbee_requests_refused_total", "Requests that were refused, by reason.");
  prometheus::Family<Gauge>& queued = make(prometheus::BuildGauge(), "rbee_queue_requests",
                                           "Requests that wait for a slot now, by model.", registry);
  prometheus::Family<Gauge>& model_running = make(prometheus::BuildGauge(), "rbee_model_requests_running",
                                                  "Requests that engines work on now, by model.", registry);
  Gauge& running = gauge("rbee_requests_running", "Requests that engines work on now.");
  Gauge& waiting = gauge("rbee_requests_waiting", "Requests that wait for a slot now.");
  Times& seconds = times("rbee_request_seconds", "From a request's last byte to its answer's.");
  Times& ttft = times("rbee_ttft_seconds", "From a request's last byte to its answer's first token.");
  Times& queue_seconds = times("rbee_queue_seconds", "What requests waited for a slot.");
  Times& inter_token = times("rbee_inter_token_seconds", "From one token of an answer to the next.");
  Times& per_token = times("rbee_token_seconds", "Of each answer: the mean time of a token after the first.");
  Times& sizes = times("rbee_request_tokens", "Tokens of each request's prompt and answer.");
  Family& prompt_tokens =
      counters("rbee_prompt_tokens_total", "Tokens of prompts, those of the cache included.");
  Family& cached_tokens = counters("rbee_cached_tokens_total", "Of them, those that an engine had cached.");
  Family& made_tokens = counters("rbee_generated_tokens_total", "Tokens of answers.");
  Family& engine_prompt_tokens =
      counters("rbee_engine_prompt_tokens_total", "Tokens of prompts that an engine read.");
  Family& engine_prompt_seconds = counters("rbee_engine_prompt_seconds_total", "What it read them in.");
  Family& engine_tokens = counters("rbee_engine_tokens_total", "Tokens that an engine made.");
  Family& engine_token_seconds = counters("rbee_engine_token_seconds_total", "What it made them in.");
  Counter& predicted_seconds =
      counter("rbee_predicted_seconds_total", "Of whole answers: the time that was predicted.");
  Counter& actual_seconds = counter("rbee_actual_seconds_total", "Of the same answers: the time they took.");
  Histogram& predicted_ratio = times("rbee_predicted_vs_actual_ratio",
                                     "Of whole answers: the time that was predicted by the time it took.")
                                   .Add({}, ratio_buckets());
  Histogram& overhead =
      times("rbee_overhead_seconds", "The keeper's own time until an answer's head was out.")
          .Add({}, overhead_buckets());
  Counter& again = counter("rbee_retries_total",
                           "Requests that came back from an engine before its answer, "
                           "and were placed again.");
  Counter& lost = counter("rbee_engine_lost_total", "Engines that went away with a request.");
  Counter& resumed = counter("rbee_streams_resumed_total",
                             "Streams that went on with another engine after theirs was lost.");
  Counter& hedges = counter("rbee_hedges_total", "Streams that began late, and were put to a second engine.");
  Counter& hedges_won = counter("rbee_hedges_won_total", "Of those, how many the second engine answered.");
  Counter& script_failures = counter("rbee_script_failures_total",
                                     "Requests that routing.rhai failed to decide: rules and strategy did.");
  Counter& bytes = counter("rbee_relayed_bytes_total", "Bytes of answers passed on.");
  Counter& chunks = counter("rbee_relayed_chunks_total", "Pieces in which they were passed on.");
  Gauge& connections = gauge("rbee_connections", "Connections of clients that are open now.");
  Family& turned_away =
      counters("rbee_connections_refused_total", "Connections that were too many: of all, or of one client.");
  Counter& turned_away_of_all = turned_away.Add({{"limit", "all"}});
  Counter& turned_away_of_client = turned_away.Add({{"limit", "client"}});
  Counter& log_dropped = counter("rbee_access_log_dropped_total",
                                 "Lines of the access log that its file did not take fast enough.");
  Counter& spans_sent = counter("rbee_spans_sent_total", "Spans that the collector took.");
  Counter& spans_dropped =
      counter("rbee_spans_dropped_total", "Spans that the collector did not take, or not fast enough.");

  BriefMutex mutex;
  std::map<Names, Series, ByNames> series;
  std::optional<Series> others;  // all those beyond the limit
  std::map<std::string, OfModel> model_series;
  std::map<std::string, Gauge*> queued_series;

  Series& of(std::string_view model, std::string_view worker) {
    const std::scoped_lock lock(mutex);
    const auto known = series.find(std::pair(model, worker));
    if (known != series.end()) return known->second;
    if (series.size() >= most_series) {
      if (!others) others.emplace(add("", "", true));
      return *others;
    }
    const Names names{model, worker};
    return series.try_emplace(names, add(names.first, names.second, !worker.empty())).first->second;
  }
  std::unique_ptr<Series::Impl> add(const std::string& model, const std::string& worker, bool served) {
    const prometheus::Labels labels{{"model", model}, {"worker", worker}};
    std::optional<OfEngine> engine;
    if (served) engine.emplace(add_engine(labels));
    return std::make_unique<Series::Impl>(of_model(model), engine, requests, labels);
  }
  // What it points to is never taken away.
  const OfModel& of_model(const std::string& model) {
    const auto known = model_series.find(model);
    if (known != model_series.end()) return known->second;
    if (model_series.size() >= most_models) {
      const auto shared = model_series.find("");
      return shared != model_series.end() ? shared->second : add_model("");
    }
    return add_model(model);
  }
  const OfModel& add_model(const std::string& model) {
    const prometheus::Labels labels{{"model", model}};
    const prometheus::Labels input{{"model", model}, {"kind", "input"}};
    const prometheus::Labels output{{"model", model}, {"kind", "output"}};
    // From the first request on, and not only once somebody waited: a board shows 0 then.
    if (queued_series.size() < most_series && !queued_series.contains(model))
      queued_series.emplace(model, &queued.Add(labels));
    const OfModel added{.running = model_running.Add(labels),
                        .seconds = seconds.Add(labels, request_buckets()),
                        .ttft = ttft.Add(labels, ttft_buckets()),
                        .queue_seconds = queue_seconds.Add(labels, ttft_buckets()),
                        .inter_token = inter_token.Add(labels, token_buckets()),
                        .per_token = per_token.Add(labels, token_buckets()),
                        .prompt_size = sizes.Add(input, size_buckets()),
                        .answer_size = sizes.Add(output, size_buckets()),
                        .prompt_tokens = prompt_tokens.Add(labels),
                        .cached_tokens = cached_tokens.Add(labels),
                        .made_tokens = made_tokens.Add(labels)};
    return model_series.emplace(model, added).first->second;
  }
  OfEngine add_engine(const prometheus::Labels& labels) {
    return {.placements = placements.Add(labels),
            .prompt_tokens = engine_prompt_tokens.Add(labels),
            .prompt_seconds = engine_prompt_seconds.Add(labels),
            .tokens = engine_tokens.Add(labels),
            .token_seconds = engine_token_seconds.Add(labels)};
  }
  void show_queues(const Gauges& now) {
    const std::scoped_lock lock(mutex);
    for (const auto& [model, gauge] : queued_series) gauge->Set(0);
    for (const auto& [model, count] : now.waiting_by_model) {
      const auto known = queued_series.find(model);
      if (known == queued_series.end() && queued_series.size() >= most_series) continue;
      Gauge*& gauge = queued_series[model];
      if (gauge == nullptr) gauge = &queued.Add({{"model", model}});
      gauge->Set(static_cast<double>(count));
    }
  }
  // Counted elsewhere, from the start on: two who ask at once must not add the same twice.
  void show_counts(const Gauges& now) {
    const std::scoped_lock lock(mutex);
    const auto raise = [](Counter& counter, std::uint64_t to) {
      const double more = static_cast<double>(to) - counter.Value();
      if (more > 0) counter.Increment(more);
    };
    raise(turned_away_of_all, now.connections_refused);
    raise(turned_away_of_client, now.connections_refused_of_client);
    raise(log_dropped, now.log_lines_dropped);
    raise(spans_sent, now.spans_sent);
    raise(spans_dropped, now.spans_dropped);
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Metrics::Series& Metrics::of(std::string_view model, std::string_view worker) {
  return impl_->of(model, worker);
}

Metrics::Series::Series(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Metrics::Series::~Series() = default;

void Metrics::Series::ended(Outcome outcome, double seconds) {
  impl_->ended_with(outcome).Increment();
  impl_->model.seconds.Observe(seconds);
}

void Metrics::Series::placed(double waited_s) {
  impl_->engine->placements.Increment();
  impl_->model.queue_seconds.Observe(waited_s);
}

Metrics::Running::Running(Gauge& gauge) : gauge_(gauge) { gauge_.Increment(); }
Metrics::Running::~Running() { gauge_.Decrement(); }
Metrics::Running Metrics::Series::running() { return Running(impl_->model.running); }

void Metrics::Series::first_token(double seconds) { impl_->model.ttft.Observe(seconds); }

void Metrics::Series::tokens(const Tokens& tokens) {
  if (tokens.prompt == 0 && tokens.made == 0) return;
  const OfModel& model = impl_->model;
  const auto prompt = static_cast<double>(tokens.prompt);
  const auto cached = static_cast<double>(tokens.cached);
  const auto made = static_cast<double>(tokens.made);
  model.prompt_tokens.Increment(prompt);
  model.cached_tokens.Increment(cached);
  model.made_tokens.Increment(made);
  model.prompt_size.Observe(prompt);
  if (tokens.made > 0) model.answer_size.Observe(made);  // a vector has none
  if (tokens.made > 1 && tokens.made_s > 0) {
    const double gaps = made - 1;
    model.per_token.Observe(tokens.made_s / gaps);
    observe_gaps(model.inter_token, token_buckets(), tokens.made_s / gaps, gaps);
  }
  const OfEngine& engine = *impl_->engine;
  engine.prompt_tokens.Increment(std::max(prompt - cached, 0.0));
  engine.prompt_seconds.Increment(std::max(tokens.prompt_s, 0.0));
  engine.tokens.Increment(made);
  engine.token_seconds.Increment(std::max(tokens.made_s, 0.0));
}

void Metrics::predicted(double predicted_s, double actual_s) {
  if (!(predicted_s > 0) || !(actual_s > 0)) return;
  impl_->predicted_seconds.Increment(predicted_s);
  impl_->actual_seconds.Increment(actual_s);
  impl_->predicted_ratio.Observe(predicted_s / actual_s);
}

void Metrics::placed_again() { impl_->again.Increment(); }
void Metrics::overhead(double seconds) { impl_->overhead.Observe(seconds); }
void Metrics::script_failed() { impl_->script_failures.Increment(); }
void Metrics::engine_lost() { impl_->lost.Increment(); }

void Metrics::hedged() { impl_->hedges.Increment(); }
void Metrics::hedge_won() { impl_->hedges_won.Increment(); }
void Metrics::resumed() { impl_->resumed.Increment(); }
void Metrics::refused(std::string_view reason) {
  // One series for each kind of error: there are some thirty.
  impl_->refusals.Add({{"reason", std::string(reason)}}).Increment();
}
void Metrics::relayed(std::uint64_t bytes, std::uint64_t chunks) {
  impl_->bytes.Increment(static_cast<double>(bytes));
  impl_->chunks.Increment(static_cast<double>(chunks));
}

std::string Metrics::text(const Gauges& now) {
  impl_->running.Set(static_cast<double>(now.running));
  impl_->waiting.Set(static_cast<double>(now.waiting));
  impl_->connections.Set(static_cast<double>(now.connections));
  impl_->show_queues(now);
  impl_->show_counts(now);
  return metrics_text(impl_->registry.Collect());
}

}  // namespace rbee::keeper
