// `traceparent` of any client: nothing, or a trace whose own line is right again and the same.
#include "keeper/trace_context.h"

#include <cstdlib>

using namespace rbee::keeper;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto trace = parse_traceparent(text);
  if (!trace) return 0;
  const auto again = parse_traceparent(traceparent_of(*trace, trace->parent_id));
  if (!again || again->trace_id != trace->trace_id || again->parent_id != trace->parent_id ||
      again->sampled != trace->sampled) {
    std::abort();
  }
  return 0;
}
