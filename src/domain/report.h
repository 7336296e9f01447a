// HiveReport: all that a hive tells of itself, whole, in one document. The hive sends one at first and
// after each change (GET /events, docs/hive-api.md); what the keeper shows of a hive is such a copy.
#pragma once

#include "base/json.h"
#include "domain/machine.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rbee {

// One GGUF that a hive holds.
struct ModelFile {
  std::string id;     // "llama-3.1-8b-q4_k_m": unique in a hive, what a client may ask for
  std::string name;   // "llama-3.1-8b": the model it is a quantization of
  std::string quant;  // "Q4_K_M"
  std::string path;   // on the hive's machine, absolute
  std::uint64_t bytes = 0;
  std::uint64_t params = 0;
  std::string architecture;
  std::uint32_t context_train = 0;
  std::string sha256;  // empty while it is not known
  // The file beside a model that turns images, or sound, into what it reads; empty where it has none.
  std::string projector = {};
  std::uint64_t projector_bytes = 0;
  std::uint32_t layers = 0;       // 0: not known
  std::uint64_t token_bytes = 0;  // of weights that a token reads: of experts those in use; 0: not known
  std::vector<std::string> abilities = {};  // "completion", "tools" ...; none: not known
};
// Whether a picture, or sound, may be put to it. A projector of which its hive does not tell what it is for
// (as a hive told until 0.1) may be for both.
[[nodiscard]] bool sees(const ModelFile& file);
[[nodiscard]] bool hears(const ModelFile& file);

// A model on its way to a hive.
struct DownloadReport {
  std::string id;                // the canonical name of its source: "hf:owner/repo:Q4_K_M"
  std::string name;              // what the model will be called
  std::string state;             // "waiting", "asking", "fetching", "checking", "done", "failed", "cancelled"
  std::string reason;            // of "failed"; of "fetching" why it is being tried again
  std::uint64_t bytes = 0;       // of all its files; 0 while that is not known
  std::uint64_t done_bytes = 0;  // never shrinks
  std::uint64_t bytes_per_s = 0;
  std::optional<std::uint64_t> seconds_left;
  std::string model_id;     // of "done"
  std::string sha256 = {};  // of the file that comes now, where its source tells
};

enum class EngineState { starting, ready, stopping, failed };
[[nodiscard]] std::string_view engine_state_name(EngineState state);

// One model loaded on one worker.
struct EngineReport {
  std::string id;  // of this load, not of the process: a restart keeps it
  std::string worker;
  std::string model_id;  // ModelFile::id
  EngineState state = EngineState::starting;
  std::string reason;             // of `failed`, and of a restart that waits
  std::string socket;             // path of its unix socket; another after each restart
  std::uint64_t incarnation = 0;  // which start of it this is, from 1
  int slots = 0;
  std::uint32_t context = 0;  // what one request may use, tokens
  double offload = 1;         // the share of its layers that is where it belongs; the rest is on the host
  // Tokens a second of one request, and of a prompt, by estimate_speed() (speed_estimate.h).
  std::optional<double> expected_speed = {};
  std::optional<double> expected_prompt_speed = {};
  std::uint64_t memory_bytes = 0;  // taken, by its own log; 0 while not known
  double load_seconds = 0;
  std::string version = {};  // of its engine pack; empty while not known
};

// suspect: its hive is (hive_state.h); only a keeper says so.
enum class WorkerState { ready, starting, failed, draining, paused, stopped, gone, suspect };
[[nodiscard]] std::string_view worker_state_name(WorkerState state);
[[nodiscard]] std::optional<WorkerState> worker_state_of(std::string_view name);

// One device in service through one backend.
struct WorkerReport {
  std::string name;
  std::string hive;
  Backend backend = Backend::cpu;
  std::string device_id;
  std::string device;  // its name, for people
  WorkerState state = WorkerState::ready;
  std::string reason;
  std::optional<double> vram;           // GB as marketed; a CPU has none
  std::uint64_t memory_bytes = 0;       // the budget for models
  std::uint64_t free_memory_bytes = 0;  // of it, not reserved now
  int slots = 0;                        // of each engine it loads; 0: the default
  std::uint32_t context = 0;            // of one request; 0: the model's own, at most 32768
};

struct HiveReport {
  std::string hive;  // its name
  std::string version;
  std::uint64_t sequence = 0;                   // grows with each report of one hive process
  bool draining = false;                        // by its user: none of its workers takes new requests
  std::vector<std::string> mac_addresses = {};  // by which it can be woken: "aa:bb:cc:dd:ee:ff"
  Machine machine;
  std::vector<WorkerReport> workers;
  std::vector<EngineReport> engines;
  std::vector<ModelFile> models;
  std::vector<DownloadReport> downloads = {};
  std::map<std::string, std::string> labels = {};  // the user's, of all its workers: "room" "cellar"
};

[[nodiscard]] Json to_json(const ModelFile& file);
[[nodiscard]] Json to_json(const DownloadReport& download);
[[nodiscard]] Json to_json(const EngineReport& engine);
[[nodiscard]] Json to_json(const WorkerReport& worker);
[[nodiscard]] Json to_json(const HiveReport& report);
// Fail with bad_json naming the field; unknown fields are left alone, so that versions may differ.
[[nodiscard]] Result<ModelFile> model_file_from_json(const Json& json);
[[nodiscard]] Result<WorkerReport> worker_from_json(const Json& json);
[[nodiscard]] Result<HiveReport> report_from_json(const Json& json);

}  // namespace rbee
