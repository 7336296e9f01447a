// Backend: the compute framework that a device is driven through.
#pragma once

#include "base/error.h"

#include <array>
#include <optional>
#include <string_view>

namespace rbee {

enum class Backend { cuda, metal, rocm, vulkan, cpu };

inline constexpr std::array all_backends = {Backend::cuda, Backend::metal, Backend::rocm, Backend::vulkan,
                                            Backend::cpu};

// "CUDA", "Metal", "ROCm", "Vulkan", "CPU": as every list and log writes them.
[[nodiscard]] std::string_view backend_name(Backend backend);
// In any case. Fails with bad_usage and lists the five.
[[nodiscard]] Result<Backend> parse_backend(std::string_view text);

}  // namespace rbee
