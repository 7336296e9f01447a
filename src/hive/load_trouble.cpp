#include "hive/load_trouble.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace rbee::hive {
namespace {

// Words of ggml's backends and of llama.cpp where memory is short.
constexpr auto memory_words = std::to_array<std::string_view>(
    {"out of memory", "outofdevicememory", "outofhostmemory", "failed to allocate", "unable to allocate",
     "cannot allocate", "device memory allocation", "cudamalloc failed", "hipmalloc failed", "bad_alloc"});

bool is_about_memory(std::string_view reason) {
  const std::string words = lower(reason);
  return std::any_of(memory_words.begin(), memory_words.end(),
                     [&](std::string_view word) { return words.find(word) != std::string::npos; });
}

std::string memory_hint(const FailedLoad& load) {
  return cat("It needs about ", bytes_text(load.needs_bytes), "; '", load.worker, "' has ",
             bytes_text(load.free_bytes), " free of ", bytes_text(load.memory_bytes),
             ", and other programs may hold more of that than they did. End what else uses ", load.device,
             ", or take a smaller quantization, context or number of slots.");
}

std::string fallback_hint(const FailedLoad& load) {
  return cat(
      load.device, " has ", bytes_text(load.memory_bytes), " for models and got nothing through ",
      backend_name(load.backend), " of the ", bytes_text(load.needs_bytes),
      " that this one needs. `rbee doctor` names what its driver or its engine pack lacks; `rbee worker "
      "start --backend vulkan` takes the device over through Vulkan.");
}

std::string slow_hint(const FailedLoad& load) {
  std::string text = cat("It reads ", bytes_text(load.needs_bytes), " from the disk");
  if (load.layers < load.of_layers)
    text +=
        cat(" and keeps ", load.of_layers - load.layers, " of its ", load.of_layers, " layers on the CPU");
  return cat(text, ". A smaller quantization loads and answers faster; `rbee doctor` says what slows ",
             load.device, ".");
}

}  // namespace

std::string load_hint(const FailedLoad& load) {
  if (load.reason.find("fell back to the CPU") != std::string::npos) return fallback_hint(load);
  if (is_about_memory(load.reason)) return memory_hint(load);
  if (load.reason.find("was not ready after") != std::string::npos) return slow_hint(load);
  return {};
}

}  // namespace rbee::hive
