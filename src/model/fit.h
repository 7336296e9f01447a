// Whether a model fits on a device with the host beside it: whole, with some of its layers on the host, or
// not, and how long a context may become. Pure.
#pragma once

#include "domain/speed_estimate.h"
#include "model/memory.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rbee::model {

// What llama-server takes by itself.
inline constexpr int default_slots = 4;
// What one request may use, where nobody says: enough for long chats, while four slots of it still fit
// beside a model of 8 billion parameters on a card of 24 GB.
inline constexpr std::uint32_t largest_default_context = 32768;
// Where the file does not say what the model was trained with.
inline constexpr std::uint32_t unknown_context = 4096;
// Below this a default context is not lowered to make a model fit: a chat would soon be at its end.
inline constexpr std::uint32_t smallest_default_context = 2048;

struct FitSettings {
  std::uint32_t context = 0;  // of one request; 0: the model's own, lowered where that alone does not fit
  int slots = default_slots;
  CacheType cache = CacheType::f16;
  bool unified = true;
  bool may_offload = true;  // layers on the host where the device cannot hold all
  // A batch is as long as a request may be, from the engine's default up to this: what makes vectors reads
  // each input in one.
  std::uint32_t longest_batch = 512;
  // What engines were seen to take of what was computed for them, where that was more (at least 1).
  double device_factor = 1;
  double host_factor = 1;
  // Of the file that turns images into what the model reads; 0: none. It lies where the layers do.
  std::uint64_t projector_bytes = 0;
};

// What there is for the model now, in bytes.
struct Room {
  Backend backend = Backend::cpu;
  std::uint64_t device = 0;
  std::uint64_t host = 0;
  // Device and host draw on the same memory, which is `host`; `device` may be less where it is limited.
  bool is_one = false;
  // Of further devices that share the layers, in their order.
  struct Device {
    std::uint64_t bytes = 0;
    DevicePower power = {};
  };
  std::vector<Device> others = {};
  DevicePower device_power = {};
  DevicePower host_power = {};
};

enum class Fits { whole, part, no };
[[nodiscard]] std::string_view fits_name(Fits fits);

struct Fit {
  Fits fits = Fits::no;
  // On the device, counted as the engine's -ngl does: the output first, then the layers from the last.
  std::uint32_t layers = 0;
  std::uint32_t of_layers = 0;
  std::uint32_t context = 0;
  std::uint32_t longest_context = 0;  // with which it fits as it fits now; 0 where it does not
  Need need;                          // `device`: of all devices together
  // Of a split over several devices: how many of the layers each has, and what that takes of it.
  std::vector<std::uint32_t> split = {};
  std::vector<PoolNeed> split_needs = {};
  std::uint64_t have = 0;      // of the pool that decides: the device's, or the host's
  std::uint64_t short_by = 0;  // 0 where it fits
  bool short_of_host = false;  // which pool lacks it
  // At the beginning of a chat; nothing where the bandwidth of a device that has layers is not known.
  std::optional<SpeedEstimate> estimate = {};
  std::optional<double> speed_if_whole = {};  // of a part: what it would be if the device held all
};
[[nodiscard]] Fit fit_model(const GgufHeader& header, const FitSettings& settings, const Room& room);

[[nodiscard]] std::uint32_t all_layers(const GgufHeader& header);
// What one token needs of the weights that are on the device, or on the host: all of a layer, of experts
// those in use.
struct TokenNeeds {
  TokenWork device = {};
  TokenWork host = {};
};
[[nodiscard]] TokenNeeds needs_of_token(const GgufHeader& header, const MemoryPlan& plan);

}  // namespace rbee::model
