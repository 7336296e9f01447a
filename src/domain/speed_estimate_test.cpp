#include "domain/speed_estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace rbee {
namespace {

SpeedEstimate of(const DevicePower& device, const TokenWork& work) {
  const PlacedWork part{device, work};
  return estimate_speed({&part, 1});
}

const DevicePower h100{.backend = Backend::cuda, .bandwidth = 3350e9, .flops = 346e12};

TEST(SpeedEstimate, IsNearWhatWasMeasured) {
  // llama-bench on an H100: 1.5B parameters in f16, 28 layers: 548 tokens/s.
  EXPECT_NEAR(of(h100, {3.02e9, 1.5e9, 28}).speed / 548, 1, 0.15);
  // The demo model, 1.1 MB: 4,410 tokens/s there, where its bytes alone would allow three million.
  EXPECT_NEAR(of(h100, {1.1e6, 1.06e6, 6}).speed / 4410, 1, 0.2);
}

TEST(SpeedEstimate, PartsWorkOneAfterTheOther) {
  const PlacedWork card{h100, {1e9, 1e9, 10}};
  const PlacedWork host{{.backend = Backend::cpu, .bandwidth = 50e9}, {1e9, 1e9, 10}};
  const PlacedWork both[] = {card, host};
  const double together = 1 / of(card.device, card.work).speed + 1 / of(host.device, host.work).speed;
  EXPECT_NEAR(1 / estimate_speed(both).speed, together, 1e-9);
}

TEST(SpeedEstimate, ASoftwareDeviceIsFarSlowerThanItsCpu) {
  const DevicePower cpu{.backend = Backend::cpu, .bandwidth = 34e9, .flops = 250e9};
  DevicePower pipe = cpu;
  pipe.backend = Backend::vulkan;
  pipe.software = true;
  for (const double bytes : {1e6, 1e9, 400e9}) {
    EXPECT_LT(of(pipe, {bytes, bytes, 12}).speed, of(cpu, {bytes, bytes, 12}).speed / 20) << bytes;
    EXPECT_LT(of(pipe, {bytes, bytes, 12}).prompt_speed, of(cpu, {bytes, bytes, 12}).prompt_speed / 20)
        << bytes;
  }
}

TEST(SpeedEstimate, WhatIsNotKnownIsAsWithOthersAndSaysSo) {
  const SpeedEstimate usual = of({.backend = Backend::cuda}, {5e9, 8e9, 32});
  EXPECT_NE(usual.source.find("not known"), std::string::npos) << usual.source;
  EXPECT_EQ(of(h100, {5e9, 8e9, 32}).source.find("not known"), std::string::npos);
  for (const double nonsense : {-1.0, 1.0, 1e18, std::numeric_limits<double>::infinity(), std::nan("")}) {
    const SpeedEstimate same =
        of({.backend = Backend::cuda, .bandwidth = nonsense, .flops = nonsense}, {5e9, 8e9, 32});
    EXPECT_EQ(same.speed, usual.speed) << nonsense;
    EXPECT_EQ(same.prompt_speed, usual.prompt_speed) << nonsense;
  }
}

TEST(SpeedEstimate, IsANumberOfWhateverWork) {
  for (const TokenWork& work : {TokenWork{0, 0, 0}, TokenWork{-1, -1, -1}, TokenWork{1e18, 1e18, 1e6}}) {
    const SpeedEstimate made = of(h100, work);
    EXPECT_TRUE(made.speed > 0 && std::isfinite(made.speed));
    EXPECT_TRUE(made.prompt_speed > 0 && std::isfinite(made.prompt_speed));
  }
}

TEST(SpeedEstimate, PromptsOfACpuGoByItsCoresAndWhatTheyCan) {
  Machine machine;
  machine.cpu.usable_cpus = 2;
  machine.cpu.features = {"AVX2", "AVX512F"};
  // Measured on two such cores, with 105M parameters.
  EXPECT_NEAR(of(host_power(machine), {210e6, 105e6, 12}).prompt_speed / 1195, 1, 0.1);
  machine.cpu.features = {"AVX2"};
  EXPECT_NEAR(of(host_power(machine), {210e6, 105e6, 12}).prompt_speed / 790, 1, 0.1);
}

TEST(SpeedEstimate, PromptsOfAGpuGoByItsArchitecture) {
  Device device;
  device.bandwidth_bytes_s = 1'000'000'000'000;
  device.architecture = "sm_89";
  const double ada = power_of(device, Backend::cuda, {}).flops;
  device.architecture = "sm_61";
  EXPECT_GT(ada, 3 * power_of(device, Backend::cuda, {}).flops);
  device.architecture = "unheard of";
  EXPECT_EQ(power_of(device, Backend::cuda, {}).flops, 0);
}

TEST(SpeedEstimate, LayersAreGuessedOnlyRoughly) {
  EXPECT_NEAR(usual_layers(8e9), 32, 1);
  EXPECT_NEAR(usual_layers(1.2e9), 16, 2);
  EXPECT_NEAR(usual_layers(70e9), 80, 15);
}

}  // namespace
}  // namespace rbee
