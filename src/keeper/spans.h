// What a request's record is as spans of OpenTelemetry, in OTLP's JSON (opentelemetry-proto, trace/v1).
//
// A request is one span of a server; below it one for each wait in the queue, and one of a client for each
// time that an engine was asked, by whose id the engine's hive gets its `traceparent`. Pure.
#pragma once

#include "keeper/request_record.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace rbee::keeper {

// How many spans it will be.
[[nodiscard]] std::size_t span_count(const RequestRecord& record);
// An ExportTraceServiceRequest. `version`: rbee's.
[[nodiscard]] std::string otlp_json(std::span<const RequestRecord> records, std::string_view version,
                                    Random& random);

}  // namespace rbee::keeper
