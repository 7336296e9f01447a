#include "engine/launch.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace rbee::engine {
namespace {

// The engine has a thread for each open connection, and when they run out a healthy engine looks dead.
// Slots, probes and the connections that a keeper keeps for its next requests (64 at most) together stay
// below this; they cost no memory worth naming.
constexpr int spare_http_threads = 96;

// -ngl counts from the last layer; no model has more, and with -fit off nothing is moved back.
constexpr std::uint32_t all_layers = 999;

constexpr auto kept_names = std::to_array<std::string_view>(
    {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "RBEE_HOME", "HSA_OVERRIDE_GFX_VERSION"});
// XDG: mesa's shader cache and the Vulkan loader's search path. The others: what drivers read.
constexpr auto kept_prefixes = std::to_array<std::string_view>(
    {"XDG_", "VK_", "MESA_", "LP_", "RADV_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_"});
// Set below for the backend, so never inherited.
constexpr auto device_variables = std::to_array<std::string_view>(
    {"GGML_VK_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"});

std::string_view variable_of(Backend backend) {
  switch (backend) {
    case Backend::cuda: return "CUDA_VISIBLE_DEVICES";
    case Backend::rocm: return "HIP_VISIBLE_DEVICES";
    case Backend::vulkan: return "GGML_VK_VISIBLE_DEVICES";
    default: return {};
  }
}

std::string_view name_of(std::string_view variable) { return variable.substr(0, variable.find('=')); }

bool is_kept(std::string_view name) {
  const auto begins = [name](std::string_view prefix) { return name.starts_with(prefix); };
  return std::ranges::find(kept_names, name) != kept_names.end() ||
         std::ranges::any_of(kept_prefixes, begins);
}

}  // namespace

std::uint32_t batch_tokens(EngineUse use, std::uint32_t slot_context) {
  // The engine's own default; longer texts are read in several.
  constexpr std::uint32_t of_text = 512;
  // No further: the buffer that each token of it takes is memory that a larger model could use.
  constexpr std::uint32_t most = 2048;
  if (use == EngineUse::text) return of_text;
  return std::clamp(slot_context, of_text, most);
}

std::vector<std::string> engine_arguments(const EngineSpec& spec) {
  std::vector<std::string> arguments = {spec.server, "-m",     spec.model, "-a",
                                        spec.alias,  "--host", spec.socket};
  const auto add = [&arguments](std::initializer_list<std::string> more) {
    arguments.insert(arguments.end(), more);
  };
  // Without it an engine that lacks memory shrinks contexts and leaves layers on the CPU, silently.
  add({"-fit", "off"});
  // The pool is slots x context: a pool of fixed size is overbooked, and requests fail in the middle.
  add({"-np", cat(spec.slots), "-kvu", "--kv-unified-per-slot", cat(spec.slot_context)});
  if (spec.backend == Backend::cpu) {
    add({"-dev", "none"});
  } else {
    add({"-dev", spec.device, "-ngl", cat(spec.device_layers.value_or(all_layers))});
  }
  if (!spec.split.empty()) {
    std::vector<std::string> counts;
    for (const std::uint32_t layers : spec.split) counts.push_back(cat(layers));
    add({"-sm", "layer", "-ts", join(counts, ",")});
  }
  add({"-ctk", spec.cache_type, "-ctv", spec.cache_type});
  add({"-t", cat(spec.threads)});
  if (spec.use != EngineUse::text) {
    // A longer input than a batch is refused with a 500.
    const std::string batch = cat(batch_tokens(spec.use, spec.slot_context));
    add({spec.use == EngineUse::ranking ? "--reranking" : "--embeddings", "-b", batch, "-ub", batch});
  }
  add({"--cache-ram", cat(spec.cache_ram_mib)});  // 8 GiB by default, that no plan counts
  add({"--threads-http", cat(spec.slots + spare_http_threads)});
  add({"--metrics", "--slots", "--no-webui", "--offline"});
  if (!spec.projector.empty()) add({"--mmproj", spec.projector});
  arguments.insert(arguments.end(), spec.extra.begin(), spec.extra.end());
  add({"-lv", "4", "--log-jsonl"});  // 4: the least that tells of devices and memory (engine/log.h)
  return arguments;
}

std::vector<std::string> engine_environment(const EngineSpec& spec, std::span<const std::string> inherited) {
  std::vector<std::string> environment;
  const bool chosen = spec.backend == Backend::cpu || !spec.visible_id.empty() || !spec.ordinals.empty();
  for (const std::string& variable : inherited) {
    const std::string_view name = name_of(variable);
    const bool hidden = chosen && std::ranges::find(device_variables, name) != device_variables.end();
    if (is_kept(name) && !hidden) environment.push_back(variable);
  }
  // An abort with gdb installed takes 0.9 s for its backtrace; without, 10 ms and one line.
  environment.emplace_back("GGML_NO_BACKTRACE=1");
  if (spec.backend == Backend::cpu) {
    // Empty means none: a plug-in that lies beside must not open a device that a CPU engine never uses.
    for (const std::string_view name : device_variables) environment.push_back(cat(name, "="));
  } else if (!spec.visible_id.empty()) {
    environment.push_back(cat(variable_of(spec.backend), "=", spec.visible_id));
  } else if (!spec.ordinals.empty()) {
    environment.push_back(cat(variable_of(spec.backend), "=", spec.ordinals));
  }
  return environment;
}

}  // namespace rbee::engine
