// What is needed to start an engine and only a look at the disk and the drivers tells; and the proof that
// an engine computes where it should. All calls block.
#pragma once

#include "domain/backend.h"
#include "hive/probe_machine.h"

#include <atomic>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rbee::hive {

struct Prepared {
  std::string server;
  std::string version = {};     // of the pack
  std::string visible_id = {};  // of EngineSpec
  std::string ordinals = {};
};

// Fails as engine::find_pack() and find_ordinal().
[[nodiscard]] Result<Prepared> prepare_engine(const ProbeSettings& probe, Backend backend,
                                              const std::vector<std::string>& device_ids);

// The engine's own name of a device by its place among those that it is shown: "Vulkan0".
[[nodiscard]] std::string engine_device_name(Backend backend, std::size_t place = 0);

struct ProofRequest {
  ProbeSettings probe;
  Backend backend = Backend::cpu;
  Device device;
  std::filesystem::path model;   // a small GGUF
  std::filesystem::path socket;  // for the engine; nobody connects
  int threads = 1;
};

// Starts an engine with that model on that device and reads its log until it listens, which is after it has
// computed once (its warm-up). Fails with backend_unusable where it cannot be started, or where the weights
// or the buffers it computes in are not on the device, or where it names another PCI address than the
// device's.
[[nodiscard]] Result<void> prove_device(const ProofRequest& request);

// What an engine's log says of where it computes. Pure.
class ProofReader {
 public:
  explicit ProofReader(std::string engine_device) : engine_device_(std::move(engine_device)) {}
  void read(std::string_view line);
  [[nodiscard]] bool listening() const { return listening_; }
  // Nothing where it is proven; else what is wrong, in one sentence without its end.
  [[nodiscard]] std::optional<std::string> trouble(const Device& device) const;

 private:
  std::string engine_device_;
  std::map<std::string, std::uint64_t> weights_;  // bytes by the engine's names of devices
  std::uint64_t compute_bytes_ = 0;               // on engine_device_
  std::string pci_;                               // as the engine tells; empty where it does not
  std::string first_error_;
  bool listening_ = false;
};

}  // namespace rbee::hive
