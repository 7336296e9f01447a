#include "hive/plan_deploy.h"

#include "base/text.h"
#include "domain/model_name.h"

#include <algorithm>
#include <utility>

namespace rbee::hive {
namespace {

struct Choice {
  const Device* device = nullptr;
  Backend backend = Backend::cpu;
};

bool is_accelerator(const Device& device) {
  return device.kind == DeviceKind::discrete || device.kind == DeviceKind::integrated;
}

// The first in the order of all_backends: the vendor's own before Vulkan.
std::optional<Backend> best_backend(const Device& device) {
  for (const Backend backend : all_backends) {
    const DeviceBackend* found = find_backend(device, backend);
    if (found != nullptr && found->usable && found->engine != "unsupported") return backend;
  }
  return std::nullopt;
}

Error unusable(std::string_view what, const DeviceBackend& why) {
  return Error{ErrorCode::backend_unusable,
               cat(what, ": ", why.reason.empty() ? "the reason is not known" : why.reason, "."), why.cure};
}

// Why nothing here runs through `backend`.
Error no_device_for(const Machine& machine, Backend backend) {
  const std::string what = cat(backend_name(backend), " is not usable here");
  for (const DeviceBackend& entry : machine.unusable) {
    if (entry.backend == backend) return unusable(what, entry);
  }
  for (const Device& device : machine.devices) {
    const DeviceBackend* entry = find_backend(device, backend);
    if (entry != nullptr && !entry->usable) return unusable(what, *entry);
  }
  return Error{ErrorCode::backend_unusable, cat(what, ": no device of this machine has it.")};
}

Result<const Device*> named_device(const Machine& machine, std::string_view asked) {
  std::vector<std::string> known;
  const Device* by_name = nullptr;
  int of_that_name = 0;
  for (const Device& device : machine.devices) {
    if (device.id == asked) return &device;
    known.push_back(device.id);
    known.push_back(device.name);
    if (!equal_ignoring_case(device.name, asked)) continue;
    by_name = &device;
    ++of_that_name;
  }
  if (of_that_name == 1) return by_name;
  if (of_that_name > 1) {
    return Error{ErrorCode::bad_request, cat(of_that_name, " devices are named '", asked, "'."),
                 "Name one by its id: `rbee detect --json` lists them."};
  }
  std::string hint = did_you_mean(asked, known);
  if (hint.empty()) hint = "`rbee detect` lists the devices.";
  return Error{ErrorCode::unknown_name, cat("This machine has no device '", asked, "'."), std::move(hint)};
}

Result<std::vector<Choice>> choose_one(const Machine& machine, const DeployRequest& request) {
  const Result<const Device*> device = named_device(machine, *request.device);
  if (!device) return device.error();
  const std::optional<Backend> backend = request.backend ? request.backend : best_backend(**device);
  if (!backend) {
    const std::string what = cat("No backend can use '", (*device)->name, "'");
    if (!(*device)->backends.empty()) return unusable(what, (*device)->backends.front());
    return Error{ErrorCode::backend_unusable, cat(what, ".")};
  }
  const DeviceBackend* entry = find_backend(**device, *backend);
  const std::string what = cat("'", (*device)->name, "' cannot be used through ", backend_name(*backend));
  if (entry == nullptr) return Error{ErrorCode::backend_unusable, cat(what, ".")};
  if (!entry->usable || entry->engine == "unsupported") return unusable(what, *entry);
  return std::vector<Choice>{{*device, *backend}};
}

Result<std::vector<Choice>> choose_by_backend(const Machine& machine, Backend backend) {
  std::vector<Choice> real;
  std::vector<Choice> software;
  const DeviceBackend* unsupported = nullptr;
  for (const Device& device : machine.devices) {
    const DeviceBackend* entry = find_backend(device, backend);
    if (entry == nullptr || !entry->usable) continue;
    if (entry->engine == "unsupported") {
      unsupported = entry;
      continue;
    }
    (device.kind == DeviceKind::software ? software : real).push_back({&device, backend});
  }
  if (!real.empty()) return real;
  if (!software.empty()) return software;
  if (unsupported != nullptr)
    return unusable(cat(backend_name(backend), " is not usable here"), *unsupported);
  return no_device_for(machine, backend);
}

Result<std::vector<Choice>> choose(const Machine& machine, const DeployRequest& request) {
  if (request.device) return choose_one(machine, request);
  if (request.backend) return choose_by_backend(machine, *request.backend);
  std::vector<Choice> choices;
  for (const Device& device : machine.devices) {
    const std::optional<Backend> backend = best_backend(device);
    if (is_accelerator(device) && backend) choices.push_back({&device, *backend});
  }
  if (!choices.empty()) return choices;
  return choose_by_backend(machine, Backend::cpu);
}

std::string free_name(std::string_view base, const std::vector<std::string>& taken) {
  std::string name(base);
  for (int number = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++number) {
    name = cat(base, "-", number);
  }
  return name;
}

// The worker of that device: the one through that backend, where there are several.
const WorkerSpec* serving(std::span<const WorkerSpec> workers, const Choice& choice) {
  const WorkerSpec* found = nullptr;
  for (const WorkerSpec& worker : workers) {
    if (worker.device_id != choice.device->id) continue;
    if (worker.backend == choice.backend) return &worker;
    if (found == nullptr) found = &worker;
  }
  return found;
}

WorkerSpec spec_of(const Choice& choice, std::string name, const DeployRequest& request) {
  return {.name = std::move(name),
          .backend = choice.backend,
          .device_id = choice.device->id,
          .device = choice.device->name,
          .vram = choice.device->vram,
          .pool = pool_of(*choice.device),
          .slots = request.slots,
          .context = request.context};
}

}  // namespace

std::string pool_of(const Device& device) {
  const bool own = device.memory == DeviceMemory::dedicated && is_accelerator(device);
  return own ? cat("device ", device.id) : std::string(ram_pool);
}

Result<DeployPlan> plan_deploy(const Machine& machine, std::string_view hive,
                               std::span<const WorkerSpec> workers, const DeployRequest& request) {
  const Result<std::vector<Choice>> choices = choose(machine, request);
  if (!choices) return choices.error();
  DeployPlan plan;
  std::vector<std::string> taken;
  for (const WorkerSpec& worker : workers) taken.push_back(worker.name);
  for (const Choice& choice : *choices) {
    const WorkerSpec* there = serving(workers, choice);
    const bool same = there != nullptr && there->backend == choice.backend;
    if (there != nullptr && (same || !request.backend)) {
      plan.in_service.push_back(there->name);
      continue;
    }
    if (there != nullptr) {
      if (request.name && *request.name != there->name) {
        return Error{ErrorCode::name_taken,
                     cat("'", choice.device->name, "' is in service as '", there->name, "'."),
                     cat("Leave out --name: ", there->name, " goes over to ", backend_name(choice.backend),
                         " under its name.")};
      }
      plan.take_over.push_back(spec_of(choice, there->name, request));
      continue;
    }
    if (request.name) {
      const Result<void> good = check_name(*request.name);
      if (!good) return good.error();
      if (std::find(taken.begin(), taken.end(), *request.name) != taken.end() && plan.create.empty()) {
        return Error{ErrorCode::name_taken, cat("'", hive, "' has a worker '", *request.name, "' already.")};
      }
    }
    const std::string base = request.name ? *request.name : cat("worker-", hive);
    plan.create.push_back(spec_of(choice, free_name(base, taken), request));
    taken.push_back(plan.create.back().name);
  }
  return plan;
}

}  // namespace rbee::hive
