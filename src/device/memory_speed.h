// How fast this machine's processor reads its memory: what bounds the speed of a model that computes on it.
#pragma once

#include "base/clock.h"
#include "domain/machine.h"

#include <cstdint>
#include <optional>

namespace rbee::device {

// Bytes a second, by all cores at once, the best of a few passes; takes some 0.1 s and is only worth
// something while nothing else runs. Nothing where too little memory is free to try.
[[nodiscard]] std::optional<std::uint64_t> measure_memory_speed(const Clock& clock, const Cpu& cpu);

// Of the device that is the CPU.
[[nodiscard]] std::optional<std::uint64_t> memory_speed_of(const Machine& machine);
void set_memory_speed(Machine& machine, std::optional<std::uint64_t> bytes_s);

}  // namespace rbee::device
