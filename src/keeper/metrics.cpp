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

using Buckets = prometheus::Histogram::BucketBoundaries;

// Whole answers last from an embedding's milliseconds to the minutes of a long text.
const Buckets& request_buckets() {
  static const Buckets buckets{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600};
  return buckets;
}
// A first byte comes in milliseconds from a warm engine, in a minute after a cold load.
const Buckets& ttft_buckets() {
  static const Buckets buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                               0.5,   1,      2.5,   5,    10,    30,   60};
  return buckets;
}

template <class Builder>
auto& make(Builder builder, const char* name, const char* help, prometheus::Registry& registry) {
  return builder.Name(name).Help(help).Register(registry);
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

struct Metrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      make(prometheus::BuildCounter(), "rbee_requests_total", "Requests that ended.", registry);
  prometheus::Gauge& running =
      make(prometheus::BuildGauge(), "rbee_requests_running", "Requests that engines work on now.", registry)
          .Add({});
  prometheus::Gauge& waiting =
      make(prometheus::BuildGauge(), "rbee_requests_waiting", "Requests that wait for a slot now.", registry)
          .Add({});
  prometheus::Histogram& seconds = make(prometheus::BuildHistogram(), "rbee_request_seconds",
                                        "From a request's last byte to its answer's.", registry)
                                       .Add({}, request_buckets());
  prometheus::Histogram& ttft = make(prometheus::BuildHistogram(), "rbee_ttft_seconds",
                                     "From a request's last byte to its answer's first.", registry)
                                    .Add({}, ttft_buckets());
  prometheus::Counter& lost = make(prometheus::BuildCounter(), "rbee_engine_lost_total",
                                   "Engines that went away with a request.", registry)
                                  .Add({});
  prometheus::Counter& script_failures =
      make(prometheus::BuildCounter(), "rbee_script_failures_total",
           "Requests that routing.rhai failed to decide: rules and strategy did.", registry)
          .Add({});
  prometheus::Family<prometheus::Counter>& refusals =
      make(prometheus::BuildCounter(), "rbee_requests_refused_total",
           "Requests that were refused, by reason.", registry);
  prometheus::Counter& bytes =
      make(prometheus::BuildCounter(), "rbee_relayed_bytes_total", "Bytes of answers passed on.", registry)
          .Add({});
  prometheus::Counter& chunks = make(prometheus::BuildCounter(), "rbee_relayed_chunks_total",
                                     "Pieces in which they were passed on.", registry)
                                    .Add({});

  std::mutex mutex;
  std::map<std::tuple<std::string, std::string, Outcome>, prometheus::Counter*> series;

  prometheus::Counter& counter(const std::string& model, const std::string& worker, Outcome outcome) {
    const std::scoped_lock lock(mutex);
    const auto known = series.find({model, worker, outcome});
    if (known != series.end()) return *known->second;
    const bool full = series.size() >= most_series;
    const std::string shown_model = full ? "" : model;
    const std::string shown_worker = full ? "" : worker;
    prometheus::Counter& added = requests.Add(
        {{"model", shown_model}, {"worker", shown_worker}, {"outcome", std::string(outcome_name(outcome))}});
    if (!full) series.emplace(std::tuple{model, worker, outcome}, &added);
    return added;
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::request_ended(const std::string& model, const std::string& worker, Outcome outcome,
                            double seconds) {
  impl_->counter(model, worker, outcome).Increment();
  impl_->seconds.Observe(seconds);
}

void Metrics::first_byte(double seconds) { impl_->ttft.Observe(seconds); }
void Metrics::script_failed() { impl_->script_failures.Increment(); }
void Metrics::engine_lost() { impl_->lost.Increment(); }
void Metrics::refused(std::string_view reason) {
  // One series for each kind of error: there are some thirty.
  impl_->refusals.Add({{"reason", std::string(reason)}}).Increment();
}
void Metrics::relayed(std::uint64_t bytes, std::uint64_t chunks) {
  impl_->bytes.Increment(static_cast<double>(bytes));
  impl_->chunks.Increment(static_cast<double>(chunks));
}

std::string Metrics::text(std::size_t running, std::size_t waiting) {
  impl_->running.Set(static_cast<double>(running));
  impl_->waiting.Set(static_cast<double>(waiting));
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace rbee::keeper
