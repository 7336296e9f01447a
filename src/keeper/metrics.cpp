#include "keeper/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <tuple>

namespace rbee::keeper {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

// Whole answers last from an embedding's milliseconds to the minutes of a long text.
const Buckets& request_buckets() {
  static const Buckets buckets{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600};
  return buckets;
}
// A first byte comes in milliseconds from a warm engine, in minutes after a cold load or a long queue.
const Buckets& ttft_buckets() {
  static const Buckets buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                               1,     2.5,    5,     10,   20,    40,   80,  160};
  return buckets;
}
// 1 is a prediction that was right; within 0.8 and 1.25 is as good as lengths that nobody knows allow.
const Buckets& ratio_buckets() {
  static const Buckets buckets{0.1, 0.25, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 10};
  return buckets;
}

template <class Builder>
auto& make(Builder builder, const char* name, const char* help, prometheus::Registry& registry) {
  return builder.Name(name).Help(help).Register(registry);
}

// A number by rbee's name and by vLLM's.
struct TwoNames {
  std::string own, vllm;
};

class Counted {
 public:
  Counted(prometheus::Registry& registry, const TwoNames& names, const char* help)
      : own_(make(prometheus::BuildCounter(), names.own.c_str(), help, registry).Add({})),
        vllm_(make(prometheus::BuildCounter(), names.vllm.c_str(), help, registry).Add({})) {}
  void add(std::uint64_t value) {
    own_.Increment(static_cast<double>(value));
    vllm_.Increment(static_cast<double>(value));
  }

 private:
  Counter& own_;
  Counter& vllm_;
};

class Timed {
 public:
  Timed(prometheus::Registry& registry, const TwoNames& names, const char* help, const Buckets& buckets)
      : own_(make(prometheus::BuildHistogram(), names.own.c_str(), help, registry).Add({}, buckets)),
        vllm_(make(prometheus::BuildHistogram(), names.vllm.c_str(), help, registry).Add({}, buckets)) {}
  void add(double seconds) {
    own_.Observe(seconds);
    vllm_.Observe(seconds);
  }

 private:
  Histogram& own_;
  Histogram& vllm_;
};

class Gauged {
 public:
  Gauged(prometheus::Registry& registry, const TwoNames& names, const char* help)
      : own_(make(prometheus::BuildGauge(), names.own.c_str(), help, registry).Add({})),
        vllm_(make(prometheus::BuildGauge(), names.vllm.c_str(), help, registry).Add({})) {}
  void set(std::size_t value) {
    own_.Set(static_cast<double>(value));
    vllm_.Set(static_cast<double>(value));
  }

 private:
  Gauge& own_;
  Gauge& vllm_;
};

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

struct Metrics::Impl {
  Counter& counter(const char* name, const char* help) {
    return make(prometheus::BuildCounter(), name, help, registry).Add({});
  }

  prometheus::Registry registry;
  prometheus::Family<Counter>& requests =
      make(prometheus::BuildCounter(), "rbee_requests_total", "Requests that ended.", registry);
  prometheus::Family<Counter>& placements = make(prometheus::BuildCounter(), "rbee_placements_total",
                                                 "Requests that were sent to a worker.", registry);
  prometheus::Family<Counter>& refusals = make(prometheus::BuildCounter(), "rbee_requests_refused_total",
                                               "Requests that were refused, by reason.", registry);
  prometheus::Family<Gauge>& queued = make(prometheus::BuildGauge(), "rbee_queue_requests",
                                           "Requests that wait for a slot now, by model.", registry);
  Gauged running{
      registry, {"rbee_requests_running", "vllm:num_requests_running"}, "Requests that engines work on now."};
  Gauged waiting{
      registry, {"rbee_requests_waiting", "vllm:num_requests_waiting"}, "Requests that wait for a slot now."};
  Timed seconds{registry,
                {"rbee_request_seconds", "vllm:e2e_request_latency_seconds"},
                "From a request's last byte to its answer's.",
                request_buckets()};
  Timed ttft{registry,
             {"rbee_ttft_seconds", "vllm:time_to_first_token_seconds"},
             "From a request's last byte to its answer's first.",
             ttft_buckets()};
  Timed queue_seconds{registry,
                      {"rbee_queue_seconds", "vllm:request_queue_time_seconds"},
                      "What requests waited for a slot.",
                      ttft_buckets()};
  Counted prompt_tokens{registry,
                        {"rbee_prompt_tokens_total", "vllm:prompt_tokens_total"},
                        "Tokens of prompts, those of the cache included."};
  Counted cached_tokens{registry,
                        {"rbee_cached_tokens_total", "vllm:prefix_cache_hits_total"},
                        "Of them, those that an engine had in its cache."};
  Counted made_tokens{
      registry, {"rbee_generated_tokens_total", "vllm:generation_tokens_total"}, "Tokens of answers."};
  Counter& cache_queries =
      counter("vllm:prefix_cache_queries_total", "Tokens of prompts that were looked up in a cache.");
  Counter& predicted_seconds =
      counter("rbee_predicted_seconds_total", "Of whole answers: the time that was predicted.");
  Counter& actual_seconds = counter("rbee_actual_seconds_total", "Of the same answers: the time they took.");
  Histogram& predicted_ratio =
      make(prometheus::BuildHistogram(), "rbee_predicted_vs_actual_ratio",
           "Of whole answers: the time that was predicted by the time it took.", registry)
          .Add({}, ratio_buckets());
  Counter& again = counter("rbee_retries_total",
                           "Requests that came back from an engine before its answer, "
                           "and were placed again.");
  Counter& lost = counter("rbee_engine_lost_total", "Engines that went away with a request.");
  Counter& resumed = counter("rbee_streams_resumed_total",
                             "Streams that went on with another engine after theirs was lost.");
  Counter& script_failures = counter("rbee_script_failures_total",
                                     "Requests that routing.rhai failed to decide: rules and strategy did.");
  Counter& bytes = counter("rbee_relayed_bytes_total", "Bytes of answers passed on.");
  Counter& chunks = counter("rbee_relayed_chunks_total", "Pieces in which they were passed on.");

  std::mutex mutex;
  std::map<std::tuple<std::string, std::string, Outcome>, Counter*> series;
  std::map<std::pair<std::string, std::string>, Counter*> placed_series;
  std::map<std::string, Gauge*> queued_series;

  Counter& ended(const std::string& model, const std::string& worker, Outcome outcome) {
    const std::scoped_lock lock(mutex);
    const auto known = series.find({model, worker, outcome});
    if (known != series.end()) return *known->second;
    const bool full = series.size() >= most_series;
    const std::string shown_model = full ? "" : model;
    const std::string shown_worker = full ? "" : worker;
    Counter& added = requests.Add(
        {{"model", shown_model}, {"worker", shown_worker}, {"outcome", std::string(outcome_name(outcome))}});
    if (!full) series.emplace(std::tuple{model, worker, outcome}, &added);
    return added;
  }
  Counter& placed(const std::string& model, const std::string& worker) {
    const std::scoped_lock lock(mutex);
    const auto known = placed_series.find({model, worker});
    if (known != placed_series.end()) return *known->second;
    const bool full = placed_series.size() >= most_series;
    Counter& added = placements.Add({{"model", full ? "" : model}, {"worker", full ? "" : worker}});
    if (!full) placed_series.emplace(std::pair{model, worker}, &added);
    return added;
  }
  void show_queues(WaitingByModel by_model) {
    const std::scoped_lock lock(mutex);
    for (const auto& [model, gauge] : queued_series) gauge->Set(0);
    for (const auto& [model, count] : by_model) {
      const auto known = queued_series.find(model);
      if (known == queued_series.end() && queued_series.size() >= most_series) continue;
      Gauge*& gauge = queued_series[model];
      if (gauge == nullptr) gauge = &queued.Add({{"model", model}});
      gauge->Set(static_cast<double>(count));
    }
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::request_ended(const std::string& model, const std::string& worker, Outcome outcome,
                            double seconds) {
  impl_->ended(model, worker, outcome).Increment();
  impl_->seconds.add(seconds);
}

void Metrics::placed(const std::string& model, const std::string& worker, double waited_s) {
  impl_->placed(model, worker).Increment();
  impl_->queue_seconds.add(waited_s);
}

void Metrics::predicted(double predicted_s, double actual_s) {
  if (!(predicted_s > 0) || !(actual_s > 0)) return;
  impl_->predicted_seconds.Increment(predicted_s);
  impl_->actual_seconds.Increment(actual_s);
  impl_->predicted_ratio.Observe(predicted_s / actual_s);
}

void Metrics::tokens(const Tokens& tokens) {
  impl_->prompt_tokens.add(tokens.prompt);
  impl_->cached_tokens.add(tokens.cached);
  impl_->made_tokens.add(tokens.made);
  impl_->cache_queries.Increment(static_cast<double>(tokens.prompt));
}

void Metrics::placed_again() { impl_->again.Increment(); }
void Metrics::first_byte(double seconds) { impl_->ttft.add(seconds); }
void Metrics::script_failed() { impl_->script_failures.Increment(); }
void Metrics::engine_lost() { impl_->lost.Increment(); }

void Metrics::resumed() { impl_->resumed.Increment(); }
void Metrics::refused(std::string_view reason) {
  // One series for each kind of error: there are some thirty.
  impl_->refusals.Add({{"reason", std::string(reason)}}).Increment();
}
void Metrics::relayed(std::uint64_t bytes, std::uint64_t chunks) {
  impl_->bytes.Increment(static_cast<double>(bytes));
  impl_->chunks.Increment(static_cast<double>(chunks));
}

std::string Metrics::text(std::size_t running, std::size_t waiting, WaitingByModel by_model) {
  impl_->running.set(running);
  impl_->waiting.set(waiting);
  impl_->show_queues(by_model);
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace rbee::keeper
