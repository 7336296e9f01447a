#include "keeper/spans.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace rbee::keeper {
namespace {

// opentelemetry.proto.trace.v1: Span.SpanKind and Status.StatusCode.
constexpr int kind_internal = 1;
constexpr int kind_server = 2;
constexpr int kind_client = 3;
constexpr int status_error = 2;

// A wait that nobody would look for.
constexpr std::int64_t shortest_queue_us = 1'000;

// 64-bit numbers are text in the JSON form of protobuf.
Json time_of(const RequestRecord& record, std::int64_t us) {
  const std::int64_t ns = record.origin->begun_unix_ms * 1'000'000 + (us - record.begun_us) * 1'000;
  return cat(ns);
}

void add(Json& attributes, std::string_view key, std::string_view value) {
  if (!value.empty()) attributes.push_back({{"key", key}, {"value", {{"stringValue", value}}}});
}
void add(Json& attributes, std::string_view key, std::int64_t value) {
  attributes.push_back({{"key", key}, {"value", {{"intValue", cat(value)}}}});
}

struct Shape {
  std::string span_id;
  std::string parent_id;
  std::string name;
  int kind = kind_internal;
  std::int64_t begun_us = 0;
  std::int64_t ended_us = 0;
};

Json span_of(const RequestRecord& record, const Shape& shape, Json attributes, bool failed) {
  Json span{{"traceId", record.origin->trace.trace_id},
            {"spanId", shape.span_id},
            {"name", shape.name},
            {"kind", shape.kind},
            {"startTimeUnixNano", time_of(record, shape.begun_us)},
            {"endTimeUnixNano", time_of(record, shape.ended_us)},
            {"attributes", std::move(attributes)}};
  if (!shape.parent_id.empty()) span["parentSpanId"] = shape.parent_id;
  if (!record.origin->trace.state.empty()) span["traceState"] = record.origin->trace.state;
  if (failed) span["status"] = {{"code", status_error}};
  return span;
}

std::string_view operation_of(std::string_view path) {
  if (path.find("embed") != std::string_view::npos) return "embeddings";
  if (path.find("chat") != std::string_view::npos || path.ends_with("/messages")) return "chat";
  return "text_completion";
}

Json root_of(const RequestRecord& record) {
  Json attributes = Json::array();
  add(attributes, "http.request.method", record.origin->method);
  add(attributes, "url.path", record.origin->path);
  add(attributes, "http.response.status_code", static_cast<std::int64_t>(record.status));
  add(attributes, "client.address", record.origin->client);
  add(attributes, "error.type", record.error);
  std::string name = cat(record.origin->method, " ", record.origin->path);
  if (record.of_engine) {
    const std::string_view operation = operation_of(record.origin->path);
    name = record.model.empty() ? std::string(operation) : cat(operation, " ", record.model);
    add(attributes, "gen_ai.operation.name", operation);
    add(attributes, "gen_ai.request.model", record.model);
    add(attributes, "gen_ai.usage.input_tokens", static_cast<std::int64_t>(record.tokens.prompt));
    add(attributes, "gen_ai.usage.output_tokens", static_cast<std::int64_t>(record.tokens.made));
    add(attributes, "rbee.request_id", record.id);
    add(attributes, "rbee.worker", record.worker());
    add(attributes, "rbee.outcome", outcome_name(record.outcome));
    add(attributes, "rbee.overhead_us", record.overhead_us);
  }
  const Shape shape{.span_id = record.origin->trace.span_id,
                    .parent_id = record.origin->trace.parent_id,
                    .name = std::move(name),
                    .kind = kind_server,
                    .begun_us = record.begun_us,
                    .ended_us = record.ended_us};
  const bool failed = record.status >= 500 || record.outcome == Outcome::engine_lost;
  return span_of(record, shape, std::move(attributes), failed);
}

bool waited(const AttemptRecord& attempt) { return attempt.begun_us - attempt.asked_us >= shortest_queue_us; }

Json queue_of(const RequestRecord& record, const AttemptRecord& attempt, Random& random) {
  const Shape shape{.span_id = new_span_id(random),
                    .parent_id = record.origin->trace.span_id,
                    .name = "queue",
                    .begun_us = attempt.asked_us,
                    .ended_us = attempt.begun_us};
  return span_of(record, shape, Json::array(), false);
}

Json attempt_of(const RequestRecord& record, const AttemptRecord& attempt) {
  Json attributes = Json::array();
  add(attributes, "rbee.worker", attempt.engine->worker);
  add(attributes, "rbee.hive", attempt.engine->hive);
  add(attributes, "rbee.outcome", attempt.placed_again ? "placed again" : outcome_name(attempt.outcome));
  const Shape shape{.span_id = attempt.span_id,
                    .parent_id = record.origin->trace.span_id,
                    .name = cat("engine on ", attempt.engine->worker),
                    .kind = kind_client,
                    .begun_us = attempt.begun_us,
                    .ended_us = attempt.ended_us};
  return span_of(record, shape, std::move(attributes), attempt.placed_again);
}

}  // namespace

std::size_t span_count(const RequestRecord& record) {
  std::size_t count = 1 + record.attempts.size();
  for (const AttemptRecord& attempt : record.attempts) count += waited(attempt) ? 1 : 0;
  return count;
}

std::string otlp_json(std::span<const RequestRecord> records, std::string_view version, Random& random) {
  Json spans = Json::array();
  for (const RequestRecord& record : records) {
    spans.push_back(root_of(record));
    for (const AttemptRecord& attempt : record.attempts) {
      if (waited(attempt)) spans.push_back(queue_of(record, attempt, random));
      spans.push_back(attempt_of(record, attempt));
    }
  }
  Json resource = Json::array();
  add(resource, "service.name", "rbee-keeper");
  add(resource, "service.version", version);
  const Json scope{{"scope", {{"name", "rbee"}, {"version", version}}}, {"spans", std::move(spans)}};
  const Json traces{{"resource", {{"attributes", std::move(resource)}}},
                    {"scopeSpans", Json::array({scope})}};
  return dump_json(Json{{"resourceSpans", Json::array({traces})}});
}

}  // namespace rbee::keeper
