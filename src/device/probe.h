// What this machine can do, and why not. A probe per source of facts, each of which can be run in a process
// of its own: a vendor's library may hang or crash, and its facts then travel as one line of JSON.
//
//   local_facts() + for each kind take_facts(run_probe()) or take_silence()  ->  understand()
#pragma once

#include "device/understand.h"

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::device {

struct ProbeOptions {
  std::filesystem::path root = "/";  // RBEE_PROBE_ROOT: another machine to look at
  // RBEE_PROBE_LIBS: the only folders for the libraries of NVIDIA and Vulkan.
  std::optional<std::vector<std::string>> library_folders = {};
};

enum class ProbeKind { nvml, cuda, vulkan, files };
inline constexpr std::array all_probes = {ProbeKind::nvml, ProbeKind::cuda, ProbeKind::vulkan,
                                          ProbeKind::files};
[[nodiscard]] std::string_view probe_name(ProbeKind kind);  // "nvml", as a word of a command line
[[nodiscard]] std::optional<ProbeKind> parse_probe(std::string_view name);

// Asks, in this process, and gives the facts as one line that begins with facts_mark.
[[nodiscard]] std::string run_probe(ProbeKind kind, const ProbeOptions& options);
inline constexpr std::string_view facts_mark = "rbee-facts ";

// What is read in this process: files of the kernel that cannot block.
[[nodiscard]] MachineFacts local_facts(const ProbeOptions& options);
// Whether the probes have anything to find there: not on a Mac.
[[nodiscard]] bool needs_probes(const MachineFacts& facts);
// A line of run_probe(); false where it is none.
[[nodiscard]] bool take_facts(ProbeKind kind, std::string_view line, MachineFacts& facts);
// The probe gave no answer, for that reason ("it gave no answer within 3 s").
void take_silence(ProbeKind kind, std::string_view why, MachineFacts& facts);

// All probes one after the other in this process: for tests, with libraries that can be trusted.
[[nodiscard]] Detection probe_here(const ProbeOptions& options);

// Folders of this machine (under the root) where CUDA's own libraries may lie, best first.
[[nodiscard]] std::vector<std::string> cuda_library_folders(const ProbeOptions& options);
// nvcc's path, of a toolkit or of `path` (the variable PATH); empty where there is none.
[[nodiscard]] std::string cuda_compiler(const ProbeOptions& options, std::string_view path);
// Of the cards that CUDA can use and that its packs may know: 89 for sm_89, each once.
[[nodiscard]] std::vector<int> cuda_capabilities(const Machine& machine);
// The newest CUDA that the driver has: 12080 for 12.8; 0 where no card can be used.
[[nodiscard]] int cuda_driver(const Machine& machine);

// The gfx targets of the devices that ROCm can use, each once: what its engine pack is built for.
[[nodiscard]] std::vector<std::string> rocm_targets(const Machine& machine);

// Notes on every device that has `backend` whether its engine pack is "installed" or "missing"; what the
// pack does not support stays so.
void set_engine_state(Machine& machine, Backend backend, std::string_view state);

}  // namespace rbee::device
