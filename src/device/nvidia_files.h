// Of this layer only: what the files of NVIDIA's driver say, for read_gpu_files().
#pragma once

#include "device/gpu_files.h"

namespace rbee::device {

[[nodiscard]] NvidiaFiles read_nvidia_files(const RootedFiles& files);
// Of those only whether it is a board of NVIDIA's (Jetson), and then its GPU's load and temperature.
[[nodiscard]] NvidiaFiles read_tegra_figures(const RootedFiles& files);

}  // namespace rbee::device
