#include "hive/probe_machine.h"

#include "base/text.h"
#include "engine/child.h"
#include "engine/devices.h"
#include "engine/launch.h"

#include <algorithm>
#include <array>
#include <future>
#include <utility>

namespace rbee::hive {
namespace {

// A driver that answers does so in tenths of a second; a card that wakes from sleep takes one.
constexpr std::chrono::milliseconds longest_probe{3'000};

// What would hide devices from the probe, and is set anew for each engine.
constexpr auto hiding_variables = std::to_array<std::string_view>(
    {"CUDA_VISIBLE_DEVICES=", "HIP_VISIBLE_DEVICES=", "ROCR_VISIBLE_DEVICES=", "GGML_VK_VISIBLE_DEVICES="});

std::vector<std::string> child_arguments(const ProbeSettings& settings, std::string_view what) {
  std::vector<std::string> arguments = {settings.program, std::string(probe_command), std::string(what),
                                        settings.probes.root.string()};
  if (settings.probes.library_folders) arguments.push_back(join(*settings.probes.library_folders, ":"));
  return arguments;
}

struct Answer {
  std::string line;  // of run_probe(); empty where there is none
  std::string why;
};

Answer run_child_probe(const ProbeSettings& settings, device::ProbeKind kind) {
  Answer answer;
  engine::ChildRun run;
  run.arguments = child_arguments(settings, device::probe_name(kind));
  run.environment = probe_environment(settings.environment);
  // Drivers print what they like; the facts are the one line that is marked.
  run.on_line = [&answer](std::string_view line) {
    if (line.starts_with(device::facts_mark)) answer.line = line;
  };
  run.within = longest_probe;
  const Result<engine::ExitStatus> ended = engine::run_child(run);
  if (!ended) {
    answer.line.clear();
    answer.why = ended.error().code == ErrorCode::timed_out
                     ? cat("it gave no answer within ", longest_probe.count() / 1000, " s")
                     : ended.error().message;
  } else if (!ended->ok() && answer.line.empty()) {
    answer.why = cat("the process that asked it ", ended->text());
  } else if (answer.line.empty()) {
    answer.why = "it gave no answer";
  }
  while (answer.why.ends_with('.')) answer.why.pop_back();
  return answer;
}

device::Detection detect_in_children(const ProbeSettings& settings) {
  std::array<std::future<Answer>, device::all_probes.size()> answers;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    answers[i] = std::async(std::launch::async, [&settings, kind = device::all_probes[i]] {
      return run_child_probe(settings, kind);
    });
  }
  // Meanwhile this thread reads what cannot block.
  device::MachineFacts facts = device::local_facts(settings.probes);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Answer answer = answers[i].get();
    const device::ProbeKind kind = device::all_probes[i];
    if (!answer.line.empty() && device::take_facts(kind, answer.line, facts)) continue;
    device::take_silence(kind, answer.why.empty() ? "its answer is not understood" : answer.why, facts);
  }
  return device::understand(facts);
}

Error not_listed(std::string_view device_id, Backend backend, std::string_view now) {
  return Error{ErrorCode::backend_unusable,
               cat(backend_name(backend), " does not list '", device_id, "' now", now, "."),
               "`rbee detect` says what this machine can do."};
}

// The engine, shown nothing but that number, must see one device, of Vulkan by the name that the loader told.
Result<void> compare_with_engine(Backend backend, int ordinal, const std::string& name,
                                 const std::string& server, const std::vector<std::string>& inherited) {
  engine::EngineSpec spec;
  spec.backend = backend;
  spec.ordinals = cat(ordinal);
  const auto listed = engine::list_engine_devices(server, engine::engine_environment(spec, inherited));
  if (!listed) return listed.error();
  const bool same_name =
      listed->size() == 1 && (backend != Backend::vulkan || listed->front().description == name);
  if (same_name) return {};
  const std::string seen =
      listed->empty() ? std::string("no device") : cat("'", listed->front().description, "'");
  return Error{ErrorCode::backend_unusable,
               cat("The engine sees ", seen, " where '", name, "' alone was shown to it."),
               "`rbee detect` says what this machine can do; `rbee engine verify` checks the pack."};
}

}  // namespace

std::vector<std::string> probe_environment(const std::vector<std::string>& inherited) {
  std::vector<std::string> environment;
  for (const std::string& variable : inherited) {
    const bool hides = std::any_of(hiding_variables.begin(), hiding_variables.end(),
                                   [&](std::string_view name) { return variable.starts_with(name); });
    if (!hides) environment.push_back(variable);
  }
  return environment;
}

std::vector<std::string> watch_arguments(const ProbeSettings& settings) {
  return child_arguments(settings, watch_word);
}

device::Detection detect_machine(const ProbeSettings& settings) {
  device::Detection detection =
      settings.program.empty() ? device::probe_here(settings.probes) : detect_in_children(settings);
  for (const Backend backend : all_backends) {
    const bool installed =
        engine::find_pack(settings.engines_folder, backend, settings.server_on_path).has_value();
    device::set_engine_state(detection.machine, backend, installed ? "installed" : "missing");
  }
  return detection;
}

Machine probe_machine(const ProbeSettings& settings) { return detect_machine(settings).machine; }

Result<int> find_ordinal(Backend backend, std::string_view device_id, const std::string& server,
                         const ProbeSettings& settings) {
  const device::Detection detection = detect_machine(settings);
  const auto& ordinals = backend == Backend::rocm ? detection.rocm_ordinals : detection.vulkan_ordinals;
  const auto at = ordinals.find(std::string(device_id));
  const auto& devices = detection.machine.devices;
  const auto device =
      std::find_if(devices.begin(), devices.end(), [&](const Device& one) { return one.id == device_id; });
  if (at == ordinals.end() || device == devices.end()) return not_listed(device_id, backend, "");
  const DeviceBackend* entry = find_backend(*device, backend);
  if (entry != nullptr && !entry->usable) return not_listed(device_id, backend, cat(": ", entry->reason));
  if (!server.empty()) {
    const auto name = detection.vulkan_names.find(device->id);
    const bool is_named = backend == Backend::vulkan && name != detection.vulkan_names.end();
    const Result<void> same = compare_with_engine(backend, at->second, is_named ? name->second : device->name,
                                                  server, settings.environment);
    if (!same) return same.error();
  }
  return at->second;
}

}  // namespace rbee::hive
