#include "hive/prepare_engine.h"

#include "base/text.h"
#include "device/nvml.h"
#include "engine/child.h"
#include "engine/launch.h"
#include "engine/log.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace rbee::hive {
namespace {

// A driver that compiles its shaders for the first time takes tens of seconds.
constexpr std::chrono::milliseconds longest_proof{120'000};
constexpr std::uint32_t proof_context = 256;

// "using device CUDA0 (NVIDIA H100) (0000:01:00.0) - 80000 MiB free": the address, where one is there.
std::string address_in(std::string_view line) {
  std::size_t at = line.rfind('(');
  while (at != std::string_view::npos) {
    const std::size_t end = line.find(')', at);
    if (end != std::string_view::npos) {
      std::string address = device::pci_address(line.substr(at + 1, end - at - 1));
      if (!address.empty()) return address;
    }
    if (at == 0) break;
    at = line.rfind('(', at - 1);
  }
  return {};
}

Error not_proven(const ProofRequest& request, std::string_view why) {
  return Error{ErrorCode::backend_unusable,
               cat("'", request.device.name, "' does not compute through ", backend_name(request.backend),
                   ": ", why, "."),
               "`rbee doctor` looks for the cause; `rbee engine verify` checks the engine pack."};
}

}  // namespace

std::string engine_device_name(Backend backend, std::size_t place) {
  switch (backend) {
    case Backend::cpu: return "CPU";
    case Backend::vulkan: return cat("Vulkan", place);
    case Backend::cuda: return cat("CUDA", place);
    case Backend::rocm: return cat("ROCm", place);
    case Backend::metal: return cat("MTL", place);
  }
  return {};
}

Result<Prepared> prepare_engine(const ProbeSettings& probe, Backend backend,
                                const std::vector<std::string>& device_ids) {
  const auto pack = engine::find_pack(probe.engines_folder, backend, probe.server_on_path);
  if (!pack) return pack.error();
  Prepared prepared{.server = pack->server.string(), .version = pack->version};
  // CUDA takes UUIDs; a device without one is the only one of its board.
  const bool have_uuids = std::all_of(device_ids.begin(), device_ids.end(), [](const std::string& id) {
    return id.starts_with("GPU-") || id.starts_with("MIG-");
  });
  if (backend == Backend::cuda && have_uuids) prepared.visible_id = join(device_ids, ",");
  if (backend != Backend::vulkan && backend != Backend::rocm) return prepared;
  std::vector<std::string> ordinals;
  for (const std::string& id : device_ids) {
    const Result<int> ordinal = find_ordinal(backend, id, prepared.server, probe);
    if (!ordinal) return ordinal.error();
    ordinals.push_back(cat(*ordinal));
  }
  prepared.ordinals = join(ordinals, ",");
  return prepared;
}

void ProofReader::read(std::string_view line) {
  const engine::LogEvent event = engine::parse_log_line(line);
  if (event.kind == engine::LogKind::listening) listening_ = true;
  if (event.kind == engine::LogKind::error && first_error_.empty()) first_error_ = event.text;
  if (event.kind == engine::LogKind::buffer) {
    const std::string device = engine::buffer_device(event.buffer);
    if (event.use == "model") weights_[device] += event.bytes;
    if (event.use == "compute" && device == engine_device_) compute_bytes_ += event.bytes;
  }
  const std::string text = engine::log_line_text(line);
  if (text.find(cat("using device ", engine_device_, " ")) != std::string::npos) pci_ = address_in(text);
}

std::optional<std::string> ProofReader::trouble(const Device& device) const {
  if (!first_error_.empty() && !listening_) return first_error_;
  const auto weights = weights_.find(engine_device_);
  if (weights == weights_.end() || weights->second == 0) {
    return cat(
        "the engine put the model's weights ",
        weights_.empty() ? std::string("nowhere that it tells of") : cat("on ", weights_.begin()->first),
        ", not on ", engine_device_);
  }
  if (compute_bytes_ == 0) return cat("the engine keeps nothing to compute with on ", engine_device_);
  if (!listening_) return "the engine ended before it had computed";
  if (!pci_.empty() && device.pci && pci_ != *device.pci)
    return cat("the engine computes on the device at ", pci_, ", and it is at ", *device.pci);
  return std::nullopt;
}

Result<void> prove_device(const ProofRequest& request) {
  const Result<Prepared> prepared = prepare_engine(request.probe, request.backend, {request.device.id});
  if (!prepared) return prepared.error();
  const engine::EngineSpec spec{.server = prepared->server,
                                .model = request.model.string(),
                                .alias = "proof",
                                .backend = request.backend,
                                .device = engine_device_name(request.backend),
                                .visible_id = prepared->visible_id,
                                .ordinals = prepared->ordinals,
                                .slots = 1,
                                .slot_context = proof_context,
                                .threads = request.threads,
                                .socket = request.socket.string()};
  ProofReader reader(spec.device);
  std::atomic<bool> seen_enough = false;
  engine::ChildRun run;
  run.arguments = engine::engine_arguments(spec);
  run.environment = engine::engine_environment(spec, request.probe.environment);
  run.on_line = [&](std::string_view line) {
    reader.read(line);
    if (reader.listening()) seen_enough = true;
  };
  run.cancel = &seen_enough;
  run.within = longest_proof;
  const Result<engine::ExitStatus> ended = engine::run_child(run);
  std::error_code gone;  // an engine that is killed leaves its socket
  std::filesystem::remove(request.socket, gone);
  if (!ended && ended.error().code == ErrorCode::timed_out)
    return not_proven(request, cat("the engine was not ready within ", longest_proof.count() / 1000, " s"));
  if (!ended && ended.error().code != ErrorCode::cancelled) return ended.error();
  if (const auto trouble = reader.trouble(request.device)) return not_proven(request, *trouble);
  return {};
}

}  // namespace rbee::hive
