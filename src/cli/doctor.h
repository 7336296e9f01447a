// What is wrong on a machine, why, and what mends it. Pure: doctor_command.cpp collects the facts.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "domain/machine.h"
#include "engine/pack.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rbee::cli {

struct DiskSpace {
  std::filesystem::path folder;
  std::uint64_t free_bytes = 0;
};

// What the running keeper says has become slow.
struct SlowWorker {
  std::string worker;
  std::string what;
  std::string cause;
};

struct DoctorFacts {
  Machine machine;
  std::vector<engine::PackInfo> packs;
  std::vector<DiskSpace> disks;
  std::string plain_address = {};  // where the keeper's configuration has it speak plainly with others
  std::optional<std::string> port_owner = {};  // who has the keeper's port, where it is not this home's
  std::vector<Error> start_errors = {};        // what ends `rbee up` before anything runs
  std::int64_t unix_ms = 0;
  std::vector<SlowWorker> slow = {};
};

struct Finding {
  std::string what;
  bool broken = false;  // else a warning
  std::string why;
  std::string cure;
};

// What is broken comes first.
[[nodiscard]] std::vector<Finding> diagnose(const DoctorFacts& facts);
[[nodiscard]] Json findings_json(const std::vector<Finding>& findings);
[[nodiscard]] bool any_broken(const std::vector<Finding>& findings);

}  // namespace rbee::cli
