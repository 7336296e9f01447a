// What memory an engine will take for a model, computed from its header before anything is loaded.
//
// Weights and cache follow the engine's own rules to the byte for llama-like models; compute buffers are
// an upper estimate, since they hang on how the engine packs its graph. Where an architecture is not
// known, the answer errs towards too much. All on the CPU, or all layers on one GPU.
#pragma once

#include "domain/backend.h"
#include "model/gguf.h"

#include <cstdint>

namespace rbee::model {

enum class CacheType { f16, q8_0 };

struct MemoryPlan {
  std::uint32_t context = 0;  // tokens that one slot may use
  int slots = 1;
  CacheType cache = CacheType::f16;
  bool unified = true;             // one pool of cells for all slots, as rbee starts its engines
  Backend backend = Backend::cpu;  // cpu: everything on the host
};

struct PoolNeed {  // bytes
  std::uint64_t weights = 0;
  std::uint64_t cache = 0;
  std::uint64_t compute = 0;
  std::uint64_t output = 0;
  std::uint64_t projector = 0;
  std::uint64_t overhead = 0;
  [[nodiscard]] std::uint64_t total() const;
};

struct Need {
  PoolNeed device;
  PoolNeed host;
};

[[nodiscard]] Need memory_need(const GgufHeader& header, const MemoryPlan& plan);

}  // namespace rbee::model
