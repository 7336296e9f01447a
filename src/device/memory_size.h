// Sizes of memory as they are sold and as a model may use them. Pure.
#pragma once

#include "domain/machine.h"

#include <cstdint>
#include <string_view>

namespace rbee::device {

// "GB as marketed": 24 for the 22.5 to 24 GiB that drivers leave of a 24 GB card.
[[nodiscard]] double marketed_gigabytes(std::uint64_t bytes);
// Of a partition: GiB with one decimal.
[[nodiscard]] double partition_gigabytes(std::uint64_t bytes);
// What is left of the machine's memory for a model: all but a tenth, and at most a GiB of that.
[[nodiscard]] std::uint64_t usable_of_system(const Cpu& cpu);
// Bytes a second of a part that is sold under that name; 0 for one that is not known.
[[nodiscard]] std::uint64_t bandwidth_by_name(std::string_view name);

}  // namespace rbee::device
