// What an engine is started with: from the facts that were planned to argv and environment. Pure.
//
// Everything that matters is said outright, because what is left open the engine decides by itself (it
// shrinks contexts, leaves layers on the CPU, takes 8 GiB of host memory, obeys LLAMA_ARG_* variables).
#pragma once

#include "base/error.h"
#include "domain/backend.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rbee::engine {

// What an engine is for: one that makes embeddings or ranks reads each input in one batch.
enum class EngineUse { text, embeddings, ranking };

struct EngineSpec {
  std::string server;  // path of llama-server
  std::string model;   // path of the GGUF
  std::string alias;   // the name that answers carry
  Backend backend = Backend::cpu;
  // The engine's own name: "CPU", "Vulkan0", "CUDA0"; of several devices "CUDA0,CUDA1".
  std::string device = "CPU";
  std::vector<std::uint32_t> split = {};  // layers on each of several
  // Which device alone it may see, which is the backend's number 0 then: of CUDA by its UUID, of Vulkan and
  // ROCm by a number looked up now.
  // Of several devices all of them, with commas, in their order.
  std::string visible_id = {};
  std::string ordinals = {};
  EngineUse use = EngineUse::text;
  // How many layers lie on the device, the output counted first; nothing: all.
  std::optional<std::uint32_t> device_layers = {};
  std::string cache_type = "f16";  // of keys and values, as the engine writes it
  int slots = 1;
  std::uint32_t slot_context = 4096;  // tokens that one request may use
  int threads = 1;
  std::string projector = {};           // path of the file that turns images into what the model reads
  std::vector<std::string> extra = {};  // of a user's configuration, checked (allowed_args.h)
  std::string socket;                   // at most net::longest_socket_path bytes, must not exist
  std::uint64_t cache_ram_mib = 0;      // host memory for prompts that were pushed out of a slot
};

// Tokens of one batch: the longest input of an engine for embeddings, and what its compute buffer grows with.
[[nodiscard]] std::uint32_t batch_tokens(EngineUse use, std::uint32_t slot_context);

[[nodiscard]] std::vector<std::string> engine_arguments(const EngineSpec& spec);

// "NAME=value" each: of `inherited` PATH, HOME, LANG, TMPDIR, XDG_*, RBEE_HOME and what the driver of the
// backend reads; never LLAMA_ARG_*, LD_LIBRARY_PATH, LD_PRELOAD, keys or proxies.
[[nodiscard]] std::vector<std::string> engine_environment(const EngineSpec& spec,
                                                          std::span<const std::string> inherited);

}  // namespace rbee::engine
