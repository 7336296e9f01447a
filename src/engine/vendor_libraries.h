// Of this layer only: the vendor's own libraries that a plug-in needs and that a pack may not carry. The
// driver does not bring CUDA's runtime and cuBLAS; without them the plug-in does not load, and the engine
// would say nothing but that there is no such device. They are linked into the pack, beside the plug-in,
// which looks there first ($ORIGIN): so nothing depends on the environment that an engine is started with.
#pragma once

#include "base/error.h"

#include <filesystem>
#include <string>
#include <vector>

namespace rbee::engine {

struct VendorLibraries {
  std::vector<std::filesystem::path> found;  // the file of each name, links not followed
  std::vector<std::string> missing;          // the names that no folder has
};

// A folder that has them all comes before one that has some: those fit each other.
[[nodiscard]] VendorLibraries find_libraries(const std::vector<std::string>& names,
                                             const std::vector<std::string>& folders);

// What LD_LIBRARY_PATH, CUDA_HOME and CUDA_PATH of the environment name, then `folders`; absolute ones only.
[[nodiscard]] std::vector<std::string> all_library_folders(const std::vector<std::string>& environment,
                                                           const std::vector<std::string>& folders);

// Puts a link to each into the pack's folder; one that is there is replaced. Fails with io_failed.
[[nodiscard]] Result<void> link_libraries(const VendorLibraries& libraries,
                                          const std::filesystem::path& pack);

}  // namespace rbee::engine
