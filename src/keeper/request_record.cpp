#include "keeper/request_record.h"

#include "base/calendar.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

namespace rbee::keeper {
namespace {

double ms_of(std::int64_t us) { return static_cast<double>(us) / 1000; }

void add_engine_part(const RequestRecord& record, Json& line) {
  line["outcome"] = outcome_name(record.outcome);
  line["stream"] = record.stream;
  if (!record.model.empty()) line["model"] = record.model;
  if (!record.attempts.empty()) line["worker"] = record.worker();
  line["attempts"] = record.attempts.size();
  line["queue_ms"] = ms_of(record.queued_us);
  if (record.first_us != 0) line["first_ms"] = ms_of(record.first_us - record.begun_us);
  if (record.overhead_us > 0) line["overhead_us"] = record.overhead_us;
  if (record.tokens.prompt == 0 && record.tokens.made == 0) return;
  line["prompt_tokens"] = record.tokens.prompt;
  line["cached_tokens"] = record.tokens.cached;
  line["tokens"] = record.tokens.made;
}

}  // namespace

std::string access_line(const RequestRecord& record) {
  Json line{{"time", iso_time_ms(record.origin->begun_unix_ms)},
            {"client", record.origin->client},
            {"method", record.origin->method},
            {"path", record.origin->path},
            {"status", record.status},
            {"total_ms", ms_of(record.ended_us - record.begun_us)},
            {"bytes_in", record.bytes_in},
            {"bytes_out", record.bytes_out},
            {"trace_id", record.origin->trace.trace_id}};
  if (!record.id.empty()) line["id"] = record.id;
  if (!record.key.empty()) line["key"] = record.key;
  if (!record.error.empty()) line["error"] = record.error;
  if (record.of_engine) add_engine_part(record, line);
  return dump_json(line) + '\n';
}

}  // namespace rbee::keeper
