// Heads of requests and answers, their framing, and chunks: whatever comes, a value or an error.
#include "net/http.h"

#include <cstdlib>

using namespace rbee::net;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto head = parse_request_head(text)) {
    const auto framing = request_framing(*head);
    if (head->path.find('\0') != std::string::npos) std::abort();
    static_cast<void>(query_value(head->query, "model"));
    static_cast<void>(framing);
  }
  if (const auto head = parse_response_head(text)) static_cast<void>(response_framing(*head, false));
  ChunkedReader reader;
  std::string_view rest = text;
  while (!rest.empty() && !reader.done()) {
    const auto step = reader.next(rest);
    if (!step) break;
    if (step->used == 0) std::abort();  // no progress would be an endless loop
    rest.remove_prefix(step->used);
  }
  return 0;
}
