// What memory an engine will take for a model, computed from its header before anything is loaded.
//
// Weights and cache follow the engine's own rules to the byte. Compute buffers are estimated from the tensors
// that are alive at once, since they hang on how the engine packs its graph. All on the CPU, all layers on
// one device, or the last ones there and the rest on the host.
#pragma once

#include "domain/backend.h"
#include "model/gguf.h"

#include <cstdint>
#include <optional>

namespace rbee::model {

enum class CacheType { f16, q8_0 };

struct MemoryPlan {
  std::uint32_t context = 0;  // tokens that one slot may use
  int slots = 1;
  CacheType cache = CacheType::f16;
  bool unified = true;             // one pool of cells for all slots, as rbee starts its engines
  Backend backend = Backend::cpu;  // cpu: everything on the host
  std::uint32_t batch = 512;       // tokens computed in one go (-ub); 512 is the engine's default
  // Of them on the device, the output counted as one (the engine's -ngl); nothing: all.
  std::optional<std::uint32_t> gpu_layers = std::nullopt;
};

struct PoolNeed {  // bytes
  std::uint64_t weights = 0;
  std::uint64_t cache = 0;
  std::uint64_t compute = 0;
  std::uint64_t output = 0;
  std::uint64_t projector = 0;
  std::uint64_t overhead = 0;
  [[nodiscard]] std::uint64_t total() const;
  [[nodiscard]] std::uint64_t logged() const;  // of it, what an engine's log tells of
};

struct Need {
  PoolNeed device;
  PoolNeed host;
};

// Whether its rules were compared with what the engine reserves; else the general ones are used.
[[nodiscard]] bool is_known_architecture(const GgufHeader& header);

[[nodiscard]] Need memory_need(const GgufHeader& header, const MemoryPlan& plan);

}  // namespace rbee::model
