// How fast a model will run where nobody has measured it: from what a token of it needs and what the devices
// that hold its layers are known to do. The one place where such figures are made: what `rbee model fit`
// prints, what a hive expects of a load, and what routing believes until answers tell, are these.
//
// A token is made at the speed at which weights are read, and each layer costs a time of its own however
// small it is (launching kernels, waiting for threads): that is most of it for small models. A prompt is read
// at the speed of computing. Right within a factor of two or three, and marked as an estimate wherever shown.
#pragma once

#include "domain/machine.h"

#include <span>
#include <string>

namespace rbee {

// One device. What is 0 is not known, and taken to be as with others of its kind.
struct DevicePower {
  Backend backend = Backend::cpu;
  bool software = false;  // a CPU that plays a GPU: its bandwidth and flops are the CPU's
  double bandwidth = 0;   // bytes/s that it reads of its memory
  double flops = 0;       // floating-point operations a second that a prompt gets of it
  friend bool operator==(const DevicePower&, const DevicePower&) = default;
};

// Of what a token of a model needs, the part that is on one device.
struct TokenWork {
  double bytes = 0;       // of weights that are read
  double parameters = 0;  // that are computed with
  double layers = 0;
};

struct PlacedWork {
  DevicePower device;
  TokenWork work;
};

struct SpeedEstimate {
  double speed = 0;         // tokens/s of one request by itself
  double prompt_speed = 0;  // tokens/s of a prompt
  std::string source = {};  // what both are made of, for people
};

// The parts work one after the other. At least one of them, with some bytes.
[[nodiscard]] SpeedEstimate estimate_speed(std::span<const PlacedWork> parts);

// How much slower each request gets for every further one, by the backend alone.
[[nodiscard]] double usual_slowdown(const DevicePower& device);

// A guess at the layers of a model of which only the size is known.
[[nodiscard]] double usual_layers(double parameters);

// What a device is known to do, of a machine as it was probed. Of one that has no figures for prompts, or is
// not in the table, flops are 0.
[[nodiscard]] DevicePower power_of(const Device& device, Backend backend, const Machine& machine);
[[nodiscard]] DevicePower host_power(const Machine& machine);

}  // namespace rbee
