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
  const DeviceBackend* gpus_trouble = nullptr;
  for (const Device& device : machine.devices) {
    const DeviceBackend* entry = find_backend(device, backend);
    if (entry == nullptr) continue;
    if (!entry->usable) {
      gpus_trouble = entry;
      continue;
    }
    if (entry->engine == "unsupported") {
      unsupported = entry;
      continue;
    }
    (device.kind == DeviceKind::software ? software : real).push_back({&device, backend});
  }
  if (!real.empty()) return real;
  // Who forces Vulkan on a machine with a GPU means the GPU: its reason is the answer, not the CPU in
  // disguise.
  if (gpus_trouble != nullptr && !software.empty())
    return unusable(cat(backend_name(backend), " is not usable here"), *gpus_trouble);
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

// The devices that one worker is to stand for, the first first.
Result<std::vector<const Device*>> named_devices(const Machine& machine, const DeployRequest& request) {
  std::vector<const Device*> devices;
  if (equal_ignoring_case(*request.device, "all")) {
    for (const Device& device : machine.devices) {
      const DeviceBackend* entry = request.backend ? find_backend(device, *request.backend) : nullptr;
      const bool usable =
          request.backend ? entry != nullptr && entry->usable : best_backend(device).has_value();
      if (is_accelerator(device) && usable) devices.push_back(&device);
    }
    if (!devices.empty()) return devices;
    return Error{ErrorCode::backend_unusable, "This machine has no accelerator that could be put in service.",
                 "`rbee detect` says why not."};
  }
  // A name may have a comma in it: "llvmpipe (LLVM 15.0.6, 256 bits)".
  const Result<const Device*> whole = named_device(machine, *request.device);
  if (whole || request.device->find(',') == std::string::npos) {
    if (!whole) return whole.error();
    return std::vector<const Device*>{*whole};
  }
  for (const std::string_view name : split(*request.device, ',')) {
    const Result<const Device*> device = named_device(machine, trim(name));
    if (!device) return device.error();
    if (std::find(devices.begin(), devices.end(), *device) != devices.end())
      return Error{ErrorCode::bad_request, cat("'", (*device)->name, "' is named twice."), {}, {}};
    devices.push_back(*device);
  }
  return devices;
}

// One worker of several devices: one engine reaches them all, so they are driven by one backend.
Result<WorkerSpec> choose_together(const Machine& machine, const DeployRequest& request,
                                   const std::vector<const Device*>& devices) {
  if (request.memory_limit > 0)
    return Error{ErrorCode::bad_request, "A worker of several devices takes no --vram.",
                 "Leave it out: each device is used as far as its memory goes."};
  const std::optional<Backend> backend = request.backend ? request.backend : best_backend(*devices.front());
  if (!backend)
    return Error{
        ErrorCode::backend_unusable, cat("No backend can use '", devices.front()->name, "'."), {}, {}};
  for (const Device* device : devices) {
    DeployRequest one{.backend = backend, .device = device->id};
    const Result<std::vector<Choice>> usable = choose_one(machine, one);
    if (!usable) return usable.error();
    if (*backend == Backend::cpu)
      return Error{ErrorCode::bad_request, "The CPU is one device: it shares a worker with no other.",
                   "Layers that a device cannot hold are put on the CPU by themselves."};
  }
  WorkerSpec worker{.backend = *backend, .device_id = devices.front()->id};
  for (std::size_t i = 1; i < devices.size(); ++i) worker.others.push_back({.id = devices[i]->id});
  return worker;
}

// A hive's name may be as long as any: its end is cut off where what stands around it needs the room.
std::string name_after(std::string_view hive) {
  constexpr std::size_t longest = 100;  // room for "worker-" and a number within a name's 128
  return cat("worker-", hive.substr(0, longest));
}

std::string free_name(std::string_view base, const std::vector<std::string>& taken) {
  std::string name(base);
  for (int number = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++number) {
    name = cat(base, "-", number);
  }
  return name;
}

}  // namespace

std::string pool_of(const Device& device) {
  const bool own = device.memory == DeviceMemory::dedicated && is_accelerator(device);
  return own ? cat("device ", device.id) : std::string(ram_pool);
}

bool sizes_pool(const Device& device) {
  return pool_of(device) != ram_pool || device.kind == DeviceKind::cpu;
}

bool describe_devices(WorkerSpec& worker, const Machine& machine) {
  worker.host_power = host_power(machine);
  const auto find = [&machine](std::string_view id) {
    return std::find_if(machine.devices.begin(), machine.devices.end(),
                        [&](const Device& one) { return one.id == id; });
  };
  const auto first = find(worker.device_id);
  if (first == machine.devices.end()) return false;
  worker.device = first->name;
  worker.vram = first->vram;
  worker.pool = pool_of(*first);
  worker.device_power = power_of(*first, worker.backend, machine);
  for (WorkerDevice& other : worker.others) {
    const auto device = find(other.id);
    if (device == machine.devices.end()) return false;
    other.name = device->name;
    other.vram = device->vram;
    other.pool = pool_of(*device);
    other.power = power_of(*device, worker.backend, machine);
  }
  return true;
}

namespace {

// One worker each; of several devices that were named together, one for them all.
Result<std::vector<WorkerSpec>> wanted_workers(const Machine& machine, const DeployRequest& request) {
  if (request.device) {
    const Result<std::vector<const Device*>> devices = named_devices(machine, request);
    if (!devices) return devices.error();
    if (devices->size() > 1) {
      Result<WorkerSpec> together = choose_together(machine, request, *devices);
      if (!together) return together.error();
      return std::vector<WorkerSpec>{std::move(*together)};
    }
  }
  DeployRequest one = request;
  if (request.device && equal_ignoring_case(*request.device, "all")) one.device.reset();
  const Result<std::vector<Choice>> choices = choose(machine, one);
  if (!choices) return choices.error();
  std::vector<WorkerSpec> workers;
  for (const Choice& choice : *choices)
    workers.push_back({.backend = choice.backend, .device_id = choice.device->id});
  return workers;
}

bool same_devices(const WorkerSpec& a, const WorkerSpec& b) {
  return a.device_id == b.device_id &&
         std::ranges::equal(a.others, b.others, {}, &WorkerDevice::id, &WorkerDevice::id);
}

// The worker of those devices: the one through that backend, where there are several.
const WorkerSpec* serving(std::span<const WorkerSpec> workers, const WorkerSpec& wanted) {
  const WorkerSpec* found = nullptr;
  for (const WorkerSpec& worker : workers) {
    if (!same_devices(worker, wanted)) continue;
    if (worker.backend == wanted.backend) return &worker;
    if (found == nullptr) found = &worker;
  }
  return found;
}

void describe(WorkerSpec& worker, std::string name, const DeployRequest& request, const Machine& machine) {
  worker.name = std::move(name);
  worker.slots = request.slots;
  worker.context = request.context;
  worker.memory_limit = request.memory_limit;
  describe_devices(worker, machine);
}

}  // namespace

Result<DeployPlan> plan_deploy(const Machine& machine, std::string_view hive,
                               std::span<const WorkerSpec> workers, const DeployRequest& request) {
  if (request.name) {
    if (const Result<void> good = check_name(*request.name); !good) return good.error();
  }
  Result<std::vector<WorkerSpec>> wanted = wanted_workers(machine, request);
  if (!wanted) return wanted.error();
  DeployPlan plan;
  std::vector<std::string> taken;
  for (const WorkerSpec& worker : workers) taken.push_back(worker.name);
  for (WorkerSpec& one : *wanted) {
    const WorkerSpec* there = serving(workers, one);
    const bool same = there != nullptr && there->backend == one.backend;
    if (there != nullptr && (same || !request.backend)) {
      plan.in_service.push_back(there->name);
      continue;
    }
    if (there != nullptr) {
      if (request.name && *request.name != there->name) {
        return Error{ErrorCode::name_taken,
                     cat("'", there->device, "' is in service as '", there->name, "'."),
                     cat("Leave out --name: ", there->name, " goes over to ", backend_name(one.backend),
                         " under its name.")};
      }
      describe(one, there->name, request, machine);
      plan.take_over.push_back(std::move(one));
      continue;
    }
    if (request.name) {
      if (std::find(taken.begin(), taken.end(), *request.name) != taken.end() && plan.create.empty()) {
        return Error{ErrorCode::name_taken, cat("'", hive, "' has a worker '", *request.name, "' already.")};
      }
    }
    std::string name = free_name(request.name ? *request.name : name_after(hive), taken);
    // With its number: a name that workers.json could not be read with again is none.
    if (const Result<void> good = check_name(name); !good) return good.error();
    describe(one, std::move(name), request, machine);
    taken.push_back(one.name);
    plan.create.push_back(std::move(one));
  }
  return plan;
}

}  // namespace rbee::hive
