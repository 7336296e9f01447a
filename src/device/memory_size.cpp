#include "device/memory_size.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace rbee::device {
namespace {

constexpr auto sold_sizes =
    std::to_array<int>({1,  2,  3,  4,  5,  6,  8,   10,  11,  12,  16,  20,  24,  32,
                        40, 48, 64, 80, 94, 96, 128, 141, 144, 180, 186, 192, 256, 288});
// Some drivers tell a little more than the size that is sold; ECC on GDDR hides a sixteenth.
constexpr double most_above = 1.002;
constexpr double least_share = 0.93;

double gibibytes(std::uint64_t bytes) { return static_cast<double>(bytes) / (1u << 30); }
double one_decimal(double value) { return std::round(value * 10) / 10; }

// What the rest of the machine is left with when a model takes all it may: a tenth, and no more than a
// GiB, which is what the kernel and a desktop need to go on without swapping.
constexpr std::uint64_t largest_margin_bytes = 1u << 30;
constexpr std::uint64_t margin_divisor = 10;

struct NamedBandwidth {
  std::string_view word;  // lower case; the first that is part of the name counts
  std::uint64_t gigabytes_s;
};
// By the makers' data sheets, for parts whose drivers do not tell.
constexpr auto named_bandwidths = std::to_array<NamedBandwidth>({
    {"m1 ultra", 800}, {"m1 max", 400},   {"m1 pro", 200},   {"apple m1", 68},  {"m2 ultra", 800},
    {"m2 max", 400},   {"m2 pro", 200},   {"apple m2", 100}, {"m3 ultra", 819}, {"m3 max", 400},
    {"m3 pro", 150},   {"apple m3", 100}, {"m4 max", 546},   {"m4 pro", 273},   {"apple m4", 120},
    {"gb10", 273},     {"orin", 204},     {"8060s", 256},    {"8050s", 256},    {"arc a770", 560},
    {"arc a750", 512}, {"arc a380", 186}, {"arc b580", 456}, {"arc b570", 380},
});

}  // namespace

double marketed_gigabytes(std::uint64_t bytes) {
  const double size = gibibytes(bytes);
  for (const int sold : sold_sizes) {
    if (size > sold * most_above) continue;
    return size >= sold * least_share ? sold : one_decimal(size);
  }
  return one_decimal(size);
}

double partition_gigabytes(std::uint64_t bytes) { return one_decimal(gibibytes(bytes)); }

std::uint64_t usable_of_system(const Cpu& cpu) {
  const std::uint64_t all = std::min(cpu.memory_bytes, cpu.memory_limit_bytes.value_or(cpu.memory_bytes));
  const std::uint64_t available = cpu.available_bytes.value_or(all);
  return available - std::min(available / margin_divisor, largest_margin_bytes);
}

std::uint64_t bandwidth_by_name(std::string_view name) {
  const std::string words = replace_all(replace_all(lower(name), "(r)", ""), "(tm)", "");
  for (const auto& [word, gigabytes] : named_bandwidths) {
    if (words.find(word) != std::string::npos) return gigabytes * 1'000'000'000;
  }
  return 0;
}

}  // namespace rbee::device
