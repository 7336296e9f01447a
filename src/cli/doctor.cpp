#include "cli/doctor.h"

#include "base/text.h"
#include "keeper/listening.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace rbee::cli {
namespace {

// An engine pack takes 1.5 GB and a model of 8B 5 GB: below the first nothing can be installed.
constexpr std::uint64_t least_free_bytes = 1'000'000'000;
constexpr std::uint64_t little_free_bytes = 10'000'000'000;
// 2025-01-01: a clock before it is not set, and TLS and downloads fail.
constexpr std::int64_t earliest_unix_ms = 1'735'689'600'000;
// Below this share of a card other programs hold most of it.
constexpr double small_free_share = 0.5;

using Findings = std::vector<Finding>;

bool is_gpu(const Device& device) {
  return device.kind == DeviceKind::discrete || device.kind == DeviceKind::integrated;
}

bool can_serve(const Device& device) {
  return std::any_of(device.backends.begin(), device.backends.end(), [](const DeviceBackend& backend) {
    return backend.usable && backend.engine != "unsupported";
  });
}

std::string called(const Device& device) { return device.name.empty() ? device.id : device.name; }

void check_devices(const Machine& machine, Findings& findings) {
  for (const Device& device : machine.devices) {
    if (device.kind == DeviceKind::software) continue;
    const bool serves = can_serve(device);
    for (const DeviceBackend& backend : device.backends) {
      if (backend.usable && backend.engine != "unsupported") continue;
      // That a card which serves lacks Vulkan too harms nobody.
      if (serves && backend.backend == Backend::vulkan) continue;
      findings.push_back(
          {.what = cat(called(device), " cannot be used through ", backend_name(backend.backend)),
           .broken = !serves,
           .why = backend.reason,
           .cure = backend.cure});
    }
  }
}

// The manual's three troubles, with this machine's numbers.
void check_speed_and_memory(const Machine& machine, Findings& findings) {
  const auto is_serving_gpu = [](const Device& device) { return is_gpu(device) && can_serve(device); };
  const bool has_gpu = std::any_of(machine.devices.begin(), machine.devices.end(), is_serving_gpu);
  const Cpu& cpu = machine.cpu;
  if (!has_gpu) {
    findings.push_back(
        {.what = "models run on the CPU",
         .why = cat("no GPU of this machine can be used; ", cpu.cores,
                    cpu.cores == 1 ? " core is" : " cores are", " all there is"),
         .cure = "Small models (up to 4B, Q4) stay quick; `rbee detect` says what each backend needs."});
  }
  if (cpu.usable_cpus > 0 && cpu.usable_cpus < cpu.threads) {
    findings.push_back(
        {.what = "slow inference on the CPU",
         .why = cat("this container may use ", fixed(cpu.usable_cpus, 1), " of ", cpu.threads, " CPUs"),
         .cure = "Raise its limit (`--cpus`), or give it a GPU."});
  }
  if (cpu.memory_limit_bytes && *cpu.memory_limit_bytes < cpu.memory_bytes) {
    findings.push_back(
        {.what = "out of memory comes early",
         .why = cat("this container may use ", bytes_text(*cpu.memory_limit_bytes), " of ",
                    bytes_text(cpu.memory_bytes)),
         .cure = "Raise its limit (`--memory`); a model needs its file's size and its cache."});
  }
  for (const Device& device : machine.devices) {
    if (device.memory != DeviceMemory::dedicated || !is_gpu(device) || !device.free_bytes) continue;
    const auto total = static_cast<double>(device.memory_bytes);
    if (static_cast<double>(*device.free_bytes) >= total * small_free_share) continue;
    findings.push_back({.what = cat("little memory is free on ", called(device)),
                        .why = cat(bytes_text(*device.free_bytes), " of ", bytes_text(device.memory_bytes),
                                   " are free: other programs or engines hold the rest"),
                        .cure = "End what uses it, or take a smaller quantization or context."});
  }
}

void check_packs(const DoctorFacts& facts, Findings& findings) {
  for (const engine::PackInfo& pack : facts.packs) {
    if (pack.state != engine::PackState::broken) continue;
    const std::string name = lower(backend_name(pack.backend));
    findings.push_back(
        {.what = cat("the ", backend_name(pack.backend), " engine pack is broken"),
         .broken = true,
         .why = pack.reason,
         .cure = cat("`rbee engine remove ", name, "`, then `rbee engine install ", name, "`.")});
  }
  std::vector<Backend> told;
  for (const Device& device : facts.machine.devices) {
    // The first that is usable is the one that a worker takes.
    for (const Backend backend : all_backends) {
      const DeviceBackend* entry = find_backend(device, backend);
      if (entry == nullptr || !entry->usable || entry->engine == "unsupported") continue;
      const bool once = std::find(told.begin(), told.end(), backend) == told.end();
      if (entry->engine == "missing" && once && device.kind != DeviceKind::software) {
        told.push_back(backend);
        findings.push_back({.what = cat("the ", backend_name(backend), " engine pack is not installed"),
                            .why = cat(called(device), " needs it"),
                            .cure = cat("`rbee engine install ", lower(backend_name(backend)),
                                        "`; `rbee worker deploy` does it by itself.")});
      }
      break;
    }
  }
}

void check_house(const DoctorFacts& facts, Findings& findings) {
  for (const Error& error : facts.start_errors) {
    findings.push_back({.what = "rbee cannot start",
                        .broken = true,
                        .why = error.message,
                        .cure = std::string(hint_of(error))});
  }
  for (const DiskSpace& disk : facts.disks) {
    if (disk.free_bytes >= little_free_bytes) continue;
    findings.push_back({.what = "the disk is nearly full",
                        .broken = disk.free_bytes < least_free_bytes,
                        .why = cat(bytes_text(disk.free_bytes), " are free at ", disk.folder.string()),
                        .cure = "Make room, or put RBEE_HOME and RBEE_ENGINES on another disk."});
  }
  if (facts.port_owner) {
    findings.push_back({.what = "port 7833 is taken",
                        .broken = false,
                        .why = cat(*facts.port_owner, " listens there"),
                        .cure = "End it, or take another port: `rbee up --port N`."});
  }
  if (!facts.plain_address.empty()) {
    findings.push_back(
        {.what = "the keeper is configured to be plain",
         .broken = false,
         .why = keeper::plain_warning(facts.plain_address),
         .cure = "tls = \"auto\" under [keeper] in rbee.toml; or a proxy in front that speaks TLS."});
  }
  if (facts.unix_ms < earliest_unix_ms) {
    findings.push_back({.what = "the clock is wrong",
                        .broken = true,
                        .why = "it says a date before 2025",
                        .cure = "Set it: `timedatectl set-ntp true`."});
  }
}

}  // namespace

std::vector<Finding> diagnose(const DoctorFacts& facts) {
  Findings findings;
  check_devices(facts.machine, findings);
  check_packs(facts, findings);
  check_house(facts, findings);
  check_speed_and_memory(facts.machine, findings);
  for (const std::string& warning : facts.machine.warnings)
    findings.push_back(
        {.what = "a warning of the detection", .why = warning, .cure = "`rbee detect` says more."});
  for (const SlowWorker& slow : facts.slow) {
    findings.push_back(
        {.what = cat("worker ", slow.worker, " is slow"),
         .why = slow.what,
         .cure = cat(slow.cause, " `rbee worker benchmark --worker ", slow.worker, "` measures it again.")});
  }
  std::stable_partition(findings.begin(), findings.end(), [](const Finding& one) { return one.broken; });
  return findings;
}

Json findings_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& one : findings) {
    list.push_back(Json{{"what", one.what},
                        {"severity", one.broken ? "broken" : "warning"},
                        {"why", one.why},
                        {"cure", one.cure}});
  }
  return Json{{"findings", std::move(list)}};
}

bool any_broken(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& one) { return one.broken; });
}

}  // namespace rbee::cli
