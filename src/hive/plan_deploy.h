// Which workers a `worker deploy` creates, out of what the machine has, what is in service and what was
// asked. Pure.
#pragma once

#include "domain/machine.h"
#include "hive/supervisor.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rbee::hive {

struct DeployRequest {
  std::optional<Backend> backend = {};
  // An id, or a name that only one device has; several with commas, or "all": one worker of them all.
  std::optional<std::string> device = {};
  std::optional<std::string> name = {};
  int slots = 0;
  std::uint32_t context = 0;
  std::uint64_t memory_limit = 0;  // bytes of each device; 0: all there is
};

struct DeployPlan {
  std::vector<WorkerSpec> create;
  // Of workers that are there, under their names: their device goes over to another backend.
  std::vector<WorkerSpec> take_over;
  std::vector<std::string> in_service;  // workers that have what was asked for already
};

// With neither backend nor device: every accelerator that is not software, or the CPU where there is none.
// A software device is taken only when it, or a backend that has no other device, is named. A device that
// serves is left alone, unless another backend than the one it serves through is named: then it is taken
// over. Fails with unknown_name (near names), backend_unusable (its reason and cure), name_taken or
// bad_request.
[[nodiscard]] Result<DeployPlan> plan_deploy(const Machine& machine, std::string_view hive,
                                             std::span<const WorkerSpec> workers,
                                             const DeployRequest& request);

// The pool in which models of that device lie: its own, or "ram".
[[nodiscard]] std::string pool_of(const Device& device);
// Whether a model may use of that pool what it may use of the device: of main memory the processor says it,
// and not what shares it.
[[nodiscard]] bool sizes_pool(const Device& device);

// What the machine says now of a worker's devices: names, memory and speed. False where it lacks one.
bool describe_devices(WorkerSpec& worker, const Machine& machine);

}  // namespace rbee::hive
