#include "cli/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::cli {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t GiB = 1u << 30;

DoctorFacts healthy() {
  DoctorFacts facts;
  facts.unix_ms = 1'800'000'000'000;
  facts.machine.cpu.cores = facts.machine.cpu.threads = 8;
  facts.machine.cpu.usable_cpus = 8;
  facts.machine.cpu.memory_bytes = 32 * GiB;
  Device card;
  card.id = "GPU-1";
  card.name = "NVIDIA RTX 4090";
  card.memory_bytes = 24 * GiB;
  card.free_bytes = 23 * GiB;
  card.backends.push_back({.backend = Backend::cuda, .usable = true, .engine = "installed"});
  facts.machine.devices.push_back(card);
  facts.disks.push_back({"/home", 500 * GiB});
  return facts;
}

void check(const DoctorFacts& facts, bool broken, std::string_view words) {
  const std::vector<Finding> findings = diagnose(facts);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(any_broken(findings), broken);
  const Finding& first = findings.front();
  EXPECT_THAT(first.what + ": " + first.why + ": " + first.cure, HasSubstr(std::string(words)));
}

TEST(Doctor, AHealthyMachineHasNoFindings) { EXPECT_TRUE(diagnose(healthy()).empty()); }

TEST(Doctor, ACardThatNothingCanUseIsBroken) {
  DoctorFacts facts = healthy();
  facts.machine.devices[0].backends[0] = {
      .backend = Backend::cuda, .reason = "no permission on /dev/nvidia0", .cure = "Join the group."};
  check(facts, true, "no permission on /dev/nvidia0: Join the group.");
}

TEST(Doctor, ACardThatServesThroughAnotherBackendIsAWarning) {
  DoctorFacts facts = healthy();
  facts.machine.devices[0].backends.push_back({.backend = Backend::rocm, .reason = "ROCm is not installed"});
  check(facts, false, "ROCm is not installed");
}

TEST(Doctor, WhatKeepsItFromStartingIsBroken) {
  DoctorFacts facts = healthy();
  facts.start_errors = {
      {ErrorCode::bad_config, "rbee.toml:2:1: There is no key 'lisen'.", "Write 'listen'."}};
  check(facts, true, "rbee cannot start: rbee.toml:2:1: There is no key 'lisen'.: Write 'listen'.");
}

TEST(Doctor, AMissingPackIsAWarningThatNamesTheCommand) {
  DoctorFacts facts = healthy();
  facts.machine.devices[0].backends[0].engine = "missing";
  check(facts, false, "`rbee engine install cuda`");
}

TEST(Doctor, FullDiskWrongClockAndTakenPortAreTold) {
  DoctorFacts facts = healthy();
  facts.disks[0].free_bytes = 5;
  check(facts, true, "5 B are free at /home");
  facts = healthy();
  facts.unix_ms = 0;
  check(facts, true, "clock");
  facts = healthy();
  facts.plain_address = "0.0.0.0:7833";
  check(facts, false, "tls = \"off\"");
  facts = healthy();
  facts.port_owner = "python3 (pid 7)";
  check(facts, false, "python3 (pid 7)");
}

TEST(Doctor, LimitsAndUsedMemoryAreToldInNumbers) {
  DoctorFacts facts = healthy();
  facts.machine.cpu.usable_cpus = 1.5;
  check(facts, false, "1.5 of 8 CPUs");
  facts = healthy();
  facts.machine.cpu.memory_limit_bytes = 4'000'000'000;
  check(facts, false, "4.0 GB of 34.4 GB");
  facts = healthy();
  facts.machine.devices[0].free_bytes = 2'000'000'000;
  check(facts, false, "2.0 GB of 25.8 GB");
}

TEST(Doctor, AWorkerThatHasBecomeSlowIsAWarningWithItsCauses) {
  DoctorFacts facts;
  facts.slow = {{"worker-box",
                 "'m' makes 40.0 tokens/s on 'worker-box', 60 % less than the 100 it made before.",
                 "Since then its driver or runtime was 12.1 then and is 12.8 now."}};
  const std::vector<Finding> findings = diagnose(facts);
  const auto slow = std::find_if(findings.begin(), findings.end(),
                                 [](const Finding& one) { return one.what == "worker worker-box is slow"; });
  ASSERT_NE(slow, findings.end());
  EXPECT_FALSE(slow->broken);
  EXPECT_NE(slow->cure.find("12.8"), std::string::npos);
}

}  // namespace
}  // namespace rbee::cli
