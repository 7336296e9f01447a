// The processor's figures, read from files that cannot block; nothing on a Mac.
#pragma once

#include "device/figures.h"
#include "device/rooted_files.h"

#include <string>

namespace rbee::device {

class CpuWatch {
 public:
  explicit CpuWatch(RootedFiles files);
  // The load is that since the call before: the first has none.
  [[nodiscard]] CpuFigures look();

 private:
  RootedFiles files_;
  bool has_memory_limit_ = false;  // of a container: its groups are then read each time
  std::string sensor_;             // the file with its temperature; empty: none is known
  std::string stat_;
};

}  // namespace rbee::device
