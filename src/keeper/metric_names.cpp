#include "keeper/metric_names.h"

#include <prometheus/text_serializer.h>

#include <array>
#include <string_view>

namespace rbee::keeper {
namespace {

// vLLM calls a model so; a dashboard made for it asks for nothing else.
constexpr std::string_view vllm_model = "model_name";
// OpenTelemetry's conventions for generative AI, as its Prometheus exporter writes them.
constexpr std::string_view otel_model = "gen_ai_request_model";

struct OtherName {
  std::string_view own;
  std::string_view other;
  std::string_view model;  // what its label for the model is called
};

constexpr auto other_names = std::to_array<OtherName>({
    {"rbee_model_requests_running", "vllm:num_requests_running", vllm_model},
    {"rbee_queue_requests", "vllm:num_requests_waiting", vllm_model},
    {"rbee_request_seconds", "vllm:e2e_request_latency_seconds", vllm_model},
    {"rbee_request_seconds", "gen_ai_server_request_duration_seconds", otel_model},
    {"rbee_ttft_seconds", "vllm:time_to_first_token_seconds", vllm_model},
    {"rbee_ttft_seconds", "gen_ai_server_time_to_first_token_seconds", otel_model},
    {"rbee_inter_token_seconds", "vllm:inter_token_latency_seconds", vllm_model},
    {"rbee_token_seconds", "vllm:request_time_per_output_token_seconds", vllm_model},
    {"rbee_token_seconds", "gen_ai_server_time_per_output_token_seconds", otel_model},
    {"rbee_queue_seconds", "vllm:request_queue_time_seconds", vllm_model},
    {"rbee_prompt_tokens_total", "vllm:prompt_tokens_total", vllm_model},
    {"rbee_prompt_tokens_total", "vllm:prefix_cache_queries_total", vllm_model},
    {"rbee_cached_tokens_total", "vllm:prefix_cache_hits_total", vllm_model},
    {"rbee_generated_tokens_total", "vllm:generation_tokens_total", vllm_model},
    {"rbee_request_tokens", "gen_ai_client_token_usage", otel_model},
    {"rbee_engine_prompt_tokens_total", "llamacpp:prompt_tokens_total", "model"},
    {"rbee_engine_prompt_seconds_total", "llamacpp:prompt_seconds_total", "model"},
    {"rbee_engine_tokens_total", "llamacpp:tokens_predicted_total", "model"},
    {"rbee_engine_token_seconds_total", "llamacpp:tokens_predicted_seconds_total", "model"},
});

prometheus::MetricFamily renamed(prometheus::MetricFamily family, const OtherName& name) {
  family.name = name.other;
  for (prometheus::ClientMetric& metric : family.metric) {
    for (auto& label : metric.label) {
      if (label.name == "model") label.name = name.model;
      if (label.name == "kind") label.name = "gen_ai_token_type";
    }
  }
  return family;
}

}  // namespace

std::string metrics_text(const std::vector<prometheus::MetricFamily>& families) {
  std::vector<prometheus::MetricFamily> all;
  all.reserve(families.size() + other_names.size());
  for (const prometheus::MetricFamily& family : families) {
    all.push_back(family);
    for (const OtherName& name : other_names) {
      if (name.own == family.name) all.push_back(renamed(family, name));
    }
  }
  return prometheus::TextSerializer().Serialize(all);
}

}  // namespace rbee::keeper
