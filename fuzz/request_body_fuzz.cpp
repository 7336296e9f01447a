// Any bytes as a request's body: an answer or an error, and every name that is taken is one that may be
// shown.
#include "keeper/request_head.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(static_cast<const char*>(static_cast<const void*>(data)), size);
  const auto head = rbee::keeper::read_request_head(body);
  if (!head) {
    if (head.error().message.empty()) std::abort();
    return 0;
  }
  const bool good = !head->model.empty() && head->model.size() <= rbee::keeper::longest_model_name &&
                    head->n >= 1 && head->n <= rbee::keeper::largest_n;
  if (!good) std::abort();
  return 0;
}
