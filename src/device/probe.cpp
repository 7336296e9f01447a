#include "device/probe.h"

#include "base/text.h"
#include "device/cuda_toolkit.h"
#include "device/facts_json.h"

#include <unistd.h>
#include <algorithm>
#include <set>

namespace rbee::device {
namespace {

LibraryPlaces places_of(const ProbeOptions& options) {
  return LibraryPlaces{.files = RootedFiles(options.root), .folders = options.library_folders};
}

Json ask(ProbeKind kind, const ProbeOptions& options) {
  switch (kind) {
    case ProbeKind::nvml: return write_facts(ask_nvml(places_of(options)));
    case ProbeKind::cuda: return write_facts(ask_cuda(places_of(options)));
    case ProbeKind::vulkan: return write_facts(ask_vulkan(places_of(options)));
    case ProbeKind::files: break;
  }
  return write_facts(read_gpu_files(RootedFiles(options.root)));
}

// What a probe is called in a sentence.
std::string_view spoken_name(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::nvml: return "NVIDIA's management library (NVML)";
    case ProbeKind::cuda: return "the CUDA driver";
    case ProbeKind::vulkan: return "Vulkan";
    case ProbeKind::files: break;
  }
  return "the kernel's files on GPUs";
}

}  // namespace

std::string_view probe_name(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::nvml: return "nvml";
    case ProbeKind::cuda: return "cuda";
    case ProbeKind::vulkan: return "vulkan";
    case ProbeKind::files: break;
  }
  return "files";
}

std::optional<ProbeKind> parse_probe(std::string_view name) {
  const auto* at = std::find_if(all_probes.begin(), all_probes.end(),
                                [&](ProbeKind kind) { return probe_name(kind) == name; });
  return at == all_probes.end() ? std::nullopt : std::optional(*at);
}

std::string run_probe(ProbeKind kind, const ProbeOptions& options) {
  return cat(facts_mark, dump_json(ask(kind, options)));
}

MachineFacts local_facts(const ProbeOptions& options) {
  const RootedFiles files(options.root);
  MachineFacts facts;
  facts.hostname = files.word("/proc/sys/kernel/hostname").value_or("");
  if (facts.hostname.empty()) facts.hostname = files.word("/etc/hostname").value_or("");
  facts.mac = read_mac(files);
  if (!facts.mac) facts.cpu = read_cpu_texts(files);
  return facts;
}

bool needs_probes(const MachineFacts& facts) { return !facts.mac; }

bool take_facts(ProbeKind kind, std::string_view line, MachineFacts& facts) {
  if (!line.starts_with(facts_mark)) return false;
  const Result<Json> json = parse_json(line.substr(facts_mark.size()));
  if (!json || !json->is_object()) return false;
  switch (kind) {
    case ProbeKind::nvml: read_facts(*json, facts.nvml); break;
    case ProbeKind::cuda: read_facts(*json, facts.cuda); break;
    case ProbeKind::vulkan: read_facts(*json, facts.vulkan); break;
    case ProbeKind::files: read_facts(*json, facts.files); break;
  }
  return true;
}

void take_silence(ProbeKind kind, std::string_view why, MachineFacts& facts) {
  const std::string failure = cat(spoken_name(kind), " cannot be asked: ", why);
  facts.warnings.push_back(cat(failure, "."));
  // A library that hangs or crashes is there.
  if (kind == ProbeKind::nvml) facts.nvml = NvmlFacts{.library = "libnvidia-ml.so.1", .failure = failure};
  if (kind == ProbeKind::cuda) facts.cuda = CudaFacts{.library = "libcuda.so.1", .failure = failure};
  if (kind == ProbeKind::vulkan) facts.vulkan = VulkanFacts{.library = "libvulkan.so.1", .failure = failure};
}

Detection probe_here(const ProbeOptions& options) {
  MachineFacts facts = local_facts(options);
  if (!needs_probes(facts)) return understand(facts);
  for (const ProbeKind kind : all_probes) (void)take_facts(kind, run_probe(kind, options), facts);
  return understand(facts);
}

std::vector<std::string> cuda_library_folders(const ProbeOptions& options) {
  const RootedFiles files(options.root);
  std::vector<std::string> folders;
  for (const std::string& folder : cuda_library_folders(files)) {
    if (const auto place = files.place(folder)) folders.push_back(place->string());
  }
  return folders;
}

std::string cuda_compiler(const ProbeOptions& options, std::string_view path) {
  const RootedFiles files(options.root);
  std::vector<std::string> folders;
  for (const std::string& folder : cuda_library_folders(files)) {
    if (folder.ends_with("/lib64")) folders.push_back(cat(folder.substr(0, folder.rfind('/')), "/bin"));
  }
  for (const std::string_view folder : split(path, ':')) {
    if (folder.starts_with('/')) folders.emplace_back(folder);
  }
  for (const std::string& folder : folders) {
    const auto place = files.place(cat(folder, "/nvcc"));
    if (place && ::access(place->c_str(), X_OK) == 0) return place->string();
  }
  return {};
}

std::vector<int> cuda_capabilities(const Machine& machine) {
  std::set<int> found;
  for (const Device& device : machine.devices) {
    const DeviceBackend* cuda = find_backend(device, Backend::cuda);
    if (cuda == nullptr || !cuda->usable || cuda->engine == "unsupported") continue;
    const std::string_view architecture = device.architecture ? std::string_view(*device.architecture) : "";
    if (!architecture.starts_with("sm_")) continue;
    if (const auto number = parse_int<int>(architecture.substr(3))) found.insert(*number);
  }
  return {found.begin(), found.end()};
}

int cuda_driver(const Machine& machine) {
  for (const Device& device : machine.devices) {
    const DeviceBackend* cuda = find_backend(device, Backend::cuda);
    if (cuda == nullptr || !cuda->usable || !cuda->version) continue;
    const std::string_view text = *cuda->version;
    const std::size_t point = text.find('.');
    const auto major = parse_int<int>(text.substr(0, point));
    if (!major || point == std::string_view::npos) continue;
    return *major * 1000 + parse_int<int>(text.substr(point + 1)).value_or(0) * 10;
  }
  return 0;
}

std::vector<std::string> rocm_targets(const Machine& machine) {
  std::set<std::string> targets;
  for (const Device& device : machine.devices) {
    const DeviceBackend* rocm = find_backend(device, Backend::rocm);
    if (rocm != nullptr && rocm->usable && device.architecture) targets.insert(*device.architecture);
  }
  return {targets.begin(), targets.end()};
}

void set_engine_state(Machine& machine, Backend backend, std::string_view state) {
  for (Device& device : machine.devices) {
    for (DeviceBackend& one : device.backends) {
      if (one.backend == backend && one.engine != "unsupported") one.engine = state;
    }
  }
}

}  // namespace rbee::device
