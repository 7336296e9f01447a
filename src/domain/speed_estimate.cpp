#include "domain/speed_estimate.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace rbee {
namespace {

// What is typical of a backend, where the device itself is not known better.
struct Usual {
  double bandwidth;      // bytes/s
  double prompt_factor;  // how much faster a prompt is read than an answer is written
  double layer_s;        // of each layer and token, beside its bytes
  double slowdown;       // of each for every further request
};
// Of a layer, measured with llama-bench: 38 us on an H100 (1.5B parameters in f16: 548 tokens/s, where the
// bytes alone would allow 1,109), and 65 to 90 us on CPUs. Of the other GPUs nobody has measured it here:
// theirs is taken to be CUDA's.
Usual usual_of(Backend backend) {
  switch (backend) {
    case Backend::cuda: return {700e9, 45, 38e-6, 0.1};
    case Backend::metal: return {300e9, 14, 38e-6, 0.3};
    case Backend::rocm: return {600e9, 25, 38e-6, 0.12};
    case Backend::vulkan: return {300e9, 15, 38e-6, 0.2};
    case Backend::cpu: return {40e9, 6, 75e-6, 0.5};
  }
  return {40e9, 6, 75e-6, 0.5};
}

// Of the CPU's speed that a software device reaches: llvmpipe was measured at an eightieth of it with the
// demo model, and at a fiftieth or less with others.
constexpr double software_share = 0.02;
// Bandwidths and flops beyond these are no device's.
constexpr double least_bandwidth = 1e9, most_bandwidth = 100e12;
constexpr double least_flops = 1e8, most_flops = 1e17;
// Tokens of a prompt that an engine computes at once: each such batch costs the layers' own time once.
constexpr double batch_tokens = 512;
constexpr double flops_per_parameter = 2;
constexpr double least_bytes = 1e6;

bool is_within(double value, double least, double most) { return value >= least && value <= most; }

struct Rates {
  double bandwidth = 0;
  bool bandwidth_known = false;
  double flops = 0;  // 0: not known
  double layer_s = 0;
  double prompt_factor = 0;
};

Rates rates_of(const DevicePower& device) {
  const Usual usual = usual_of(device.software ? Backend::cpu : device.backend);
  Rates rates{.bandwidth = usual.bandwidth, .layer_s = usual.layer_s, .prompt_factor = usual.prompt_factor};
  rates.bandwidth_known = is_within(device.bandwidth, least_bandwidth, most_bandwidth);
  if (rates.bandwidth_known) rates.bandwidth = device.bandwidth;
  if (is_within(device.flops, least_flops, most_flops)) rates.flops = device.flops;
  if (device.software) {
    rates.bandwidth *= software_share;
    rates.flops *= software_share;
    rates.layer_s /= software_share;
  }
  return rates;
}

std::string amount(double value) { return fixed(value, value < 10 ? 1 : 0); }

std::string flops_text(double flops) {
  return flops >= 1e12 ? cat(amount(flops / 1e12), " TFLOP/s") : cat(amount(flops / 1e9), " GFLOP/s");
}

std::string source_of(const PlacedWork& part, const Rates& rates) {
  const std::string device =
      part.device.software ? "software" : std::string(backend_name(part.device.backend));
  const std::string read =
      cat("weights at ", amount(rates.bandwidth / 1e9), " GB/s",
          rates.bandwidth_known ? "" : " (its own is not known; as others of its backend)");
  const std::string layers =
      cat(fixed(rates.layer_s * 1e6, 0), " us for each of ", fixed(part.work.layers, 0), " layers");
  const std::string prompts =
      rates.flops > 0 ? cat("prompts at ", flops_text(rates.flops))
                      : cat("prompts ", fixed(rates.prompt_factor, 0), " times as fast as answers");
  return cat(device, ": ", read, ", ", layers, ", ", prompts);
}

// Peak of 16-bit matrix products for each byte of bandwidth, by the makers' data sheets of one card of each
// kind. The bandwidth is what the driver tells, so a smaller card of the kind gets less.
struct FlopsPerByte {
  std::string_view architecture;  // the beginning of it
  double flops_per_byte;
};
constexpr auto by_architecture = std::to_array<FlopsPerByte>({
    {"sm_12", 117},   // RTX 5090: 210 TFLOP/s, 1,792 GB/s
    {"sm_10", 281},   // B200: 2,250 TFLOP/s, 8,000 GB/s
    {"sm_90", 295},   // H100 SXM: 989, 3,350
    {"sm_89", 164},   // RTX 4090: 165, 1,008
    {"sm_86", 76},    // RTX 3090: 71, 936
    {"sm_80", 200},   // A100: 312, 1,555
    {"sm_75", 203},   // T4: 65, 320
    {"sm_70", 124},   // V100: 112, 900
    {"sm_61", 28},    // GTX 1080: 8.9 (32-bit), 320
    {"sm_60", 26},    // P100: 18.7, 732
    {"gfx120", 304},  // RX 9070 XT: 195, 640
    {"gfx110", 128},  // RX 7900 XTX: 123, 960
    {"gfx103", 90},   // RX 6900 XT: 46, 512
    {"gfx942", 246},  // MI300X: 1,307, 5,300
    {"gfx90a", 113},  // MI210: 181, 1,600
    {"gfx908", 150},  // MI100: 184.6, 1,229
    {"gfx906", 26},   // MI50: 26.5, 1,024
});
// Of Apple's GPUs, by the same: M2 Ultra, 27 TFLOP/s and 800 GB/s.
constexpr double apple_flops_per_byte = 34;
// The share of a peak that llama.cpp's prompts get: between a sixth and nearly all, by card and quantization.
constexpr double peak_share = 0.35;

// Of one core, measured with prompts of a model of 105M parameters on a Zen 4 with each build of the engine:
// 1,195 tokens/s on two cores with AVX-512, 790 with AVX2.
constexpr double avx512_core_flops = 125e9;
constexpr double avx2_core_flops = 83e9;
// Neither: half of AVX2's width.
constexpr double other_core_flops = avx2_core_flops / 2;

double cpu_flops(const Cpu& cpu) {
  const auto has = [&](std::string_view feature) {
    return std::ranges::find(cpu.features, feature) != cpu.features.end();
  };
  const double cores = cpu.usable_cpus > 0 ? cpu.usable_cpus : cpu.cores;
  if (!(cores > 0)) return 0;
  return cores * (has("AVX512F") ? avx512_core_flops : has("AVX2") ? avx2_core_flops : other_core_flops);
}

double gpu_flops(const Device& device) {
  const auto bandwidth = static_cast<double>(device.bandwidth_bytes_s.value_or(0));
  const std::string architecture = device.architecture.value_or("");
  for (const FlopsPerByte& row : by_architecture) {
    if (architecture.starts_with(row.architecture)) return bandwidth * row.flops_per_byte * peak_share;
  }
  return device.vendor == "Apple" ? bandwidth * apple_flops_per_byte * peak_share : 0;
}

}  // namespace

SpeedEstimate estimate_speed(std::span<const PlacedWork> parts) {
  double token_s = 0, prompt_s = 0;
  SpeedEstimate made;
  for (const PlacedWork& part : parts) {
    const Rates rates = rates_of(part.device);
    const double reading_s = std::max(part.work.bytes, 0.0) / rates.bandwidth;
    const double layers_s = std::max(part.work.layers, 0.0) * rates.layer_s;
    token_s += reading_s + layers_s;
    prompt_s += layers_s / batch_tokens;
    prompt_s += rates.flops > 0 ? flops_per_parameter * std::max(part.work.parameters, 0.0) / rates.flops
                                : reading_s / rates.prompt_factor;
    made.source += cat(made.source.empty() ? "" : "; ", source_of(part, rates));
  }
  const double least_s = least_bytes / most_bandwidth;
  made.speed = 1 / std::max(token_s, least_s);
  made.prompt_speed = 1 / std::max(prompt_s, least_s);
  return made;
}

double usual_slowdown(const DevicePower& device) {
  return usual_of(device.software ? Backend::cpu : device.backend).slowdown;
}

// On a line through Llama's 8B (32 layers), 1B (16) and 70B (80).
double usual_layers(double parameters) {
  constexpr double known_parameters = 8e9, known_layers = 32, power = 0.35;
  return known_layers * std::pow(std::max(parameters, 1e5) / known_parameters, power);
}

DevicePower power_of(const Device& device, Backend backend, const Machine& machine) {
  if (device.kind == DeviceKind::cpu) return host_power(machine);
  if (device.kind == DeviceKind::software) {
    DevicePower power = host_power(machine);
    power.backend = backend;
    power.software = true;
    return power;
  }
  return {.backend = backend,
          .software = false,
          .bandwidth = static_cast<double>(device.bandwidth_bytes_s.value_or(0)),
          .flops = gpu_flops(device)};
}

DevicePower host_power(const Machine& machine) {
  DevicePower power{.flops = cpu_flops(machine.cpu)};
  for (const Device& device : machine.devices) {
    if (device.kind == DeviceKind::cpu)
      power.bandwidth = static_cast<double>(device.bandwidth_bytes_s.value_or(0));
  }
  return power;
}

}  // namespace rbee
