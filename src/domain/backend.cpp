#include "domain/backend.h"

#include "base/text.h"

namespace rbee {

std::string_view backend_name(Backend backend) {
  switch (backend) {
    case Backend::cuda: return "CUDA";
    case Backend::metal: return "Metal";
    case Backend::rocm: return "ROCm";
    case Backend::vulkan: return "Vulkan";
    case Backend::cpu: return "CPU";
  }
  return "";
}

Result<Backend> parse_backend(std::string_view text) {
  for (const Backend backend : all_backends) {
    if (equal_ignoring_case(text, backend_name(backend))) return backend;
  }
  return Error{ErrorCode::bad_usage, cat("There is no backend '", text, "'."),
               "The backends are cuda, metal, rocm, vulkan and cpu."};
}

}  // namespace rbee
