#include "device/memory_speed.h"

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace rbee::device {
namespace {

// Far more than a core's share of any cache, so that it is memory that is read.
constexpr std::size_t bytes_each = 64u << 20;
constexpr std::size_t fewest_bytes = 256u << 20;
constexpr std::size_t most_threads = 32;
constexpr int passes = 4;
// What may be free at least, for the try to disturb nobody.
constexpr std::uint64_t memory_margin = 8;

// Four sums side by side: one alone would wait for its own addition.
std::uint64_t read_all(const std::uint64_t* words, std::size_t count) {
  std::uint64_t sums[4] = {};
  for (std::size_t i = 0; i + 4 <= count; i += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane) sums[lane] += words[i + lane];
  }
  return sums[0] + sums[1] + sums[2] + sums[3];
}

}  // namespace

std::optional<std::uint64_t> measure_memory_speed(const Clock& clock, const Cpu& cpu) {
  const auto wanted = static_cast<std::size_t>(std::max(1.0, std::min<double>(cpu.cores, cpu.usable_cpus)));
  const std::size_t threads = std::min(wanted, most_threads);
  const std::size_t share = std::max(bytes_each, fewest_bytes / threads);
  if (cpu.available_bytes.value_or(0) / memory_margin < threads * share) return std::nullopt;
  const std::size_t words = share / sizeof(std::uint64_t);
  std::int64_t best_us = 0;
  std::int64_t began_us = 0;
  // Each pass begins and ends together; its time is taken by whoever comes last.
  std::barrier together(static_cast<std::ptrdiff_t>(threads), [&]() noexcept {
    const std::int64_t now_us = clock.now_us();
    const std::int64_t took_us = now_us - began_us;
    if (began_us != 0 && (best_us == 0 || took_us < best_us)) best_us = took_us;
    began_us = now_us;
  });
  std::vector<std::uint64_t> kept(threads);  // so that no reading is left out as useless
  std::vector<std::jthread> readers;
  for (std::size_t i = 0; i < threads; ++i) {
    readers.emplace_back([&, i] {
      // Written by the thread that reads it: it lies in the memory nearest to it.
      const std::unique_ptr<std::uint64_t[]> memory(new std::uint64_t[words]);
      std::fill_n(memory.get(), words, i);
      for (int pass = 0; pass < passes; ++pass) {
        together.arrive_and_wait();
        kept[i] += read_all(memory.get(), words);
      }
      together.arrive_and_wait();
    });
  }
  readers.clear();
  if (best_us <= 0 || kept.front() == 1) return std::nullopt;
  return static_cast<std::uint64_t>(static_cast<double>(threads * share) * 1e6 /
                                    static_cast<double>(best_us));
}

std::optional<std::uint64_t> memory_speed_of(const Machine& machine) {
  for (const Device& device : machine.devices) {
    if (device.kind == DeviceKind::cpu) return device.bandwidth_bytes_s;
  }
  return std::nullopt;
}

void set_memory_speed(Machine& machine, std::optional<std::uint64_t> bytes_s) {
  for (Device& device : machine.devices) {
    if (device.kind == DeviceKind::cpu) device.bandwidth_bytes_s = bytes_s;
  }
}

}  // namespace rbee::device
