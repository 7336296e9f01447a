// Of this layer only: which CUDA engine runs on this machine's cards with its driver and libraries. Pure.
//
// A plug-in has machine code for some cards and PTX, which the driver compiles, for others. A driver compiles
// no PTX that is newer than itself: there the plug-in loads, lists the card, and fails at the first kernel.
#pragma once

#include "base/error.h"
#include "engine/pack_lock.h"

#include <span>
#include <string>
#include <vector>

namespace rbee::engine {

// What is known of CUDA on this machine.
struct CudaHere {
  std::vector<int> capabilities = {};       // of its cards, 89 for sm_89; none: not known
  int driver = 0;                           // the newest CUDA that it has, 12080 for 12.8; 0: not known
  std::vector<std::string> libraries = {};  // of those that plug-ins need the ones that are here
  std::string compiler = {};                // nvcc's path; empty: there is none
};

// All names that a plug-in of the lock may need.
[[nodiscard]] std::vector<std::string> cuda_library_names();

// Why it cannot serve these cards; empty: it can.
[[nodiscard]] std::string obstacle(const CudaPlugin& plugin, const CudaHere& here);

// The first of them that can serve; null where none can and the compiler can make one. Fails with
// unsupported, each one's obstacle, and the ways out.
[[nodiscard]] Result<const CudaPlugin*> choose_cuda(std::span<const CudaPlugin> plugins,
                                                    const CudaHere& here);

}  // namespace rbee::engine
