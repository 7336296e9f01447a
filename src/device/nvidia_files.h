// Of this layer only: what the files of NVIDIA's driver say, for read_gpu_files().
#pragma once

#include "device/gpu_files.h"

namespace rbee::device {

[[nodiscard]] NvidiaFiles read_nvidia_files(const RootedFiles& files);

}  // namespace rbee::device
