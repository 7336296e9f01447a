// Of this layer only: where the libraries of CUDA's toolkit lie, which the driver does not bring.
#pragma once

#include "device/rooted_files.h"

#include <string>
#include <vector>

namespace rbee::device {

// Folders of that machine, best first: the loader's, those of toolkits, those of Python packages.
[[nodiscard]] std::vector<std::string> cuda_library_folders(const RootedFiles& files);
// "cuBLAS", "cuDNN": those that are there.
[[nodiscard]] std::vector<std::string> toolkits_of(const RootedFiles& files);

}  // namespace rbee::device
