// What routing sees: the workers as they are now, and the request to be placed.
// A snapshot of plain values: no socket, no clock. Order is that of names, so decisions repeat.
#pragma once

#include "domain/report.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rbee {

struct FleetEngine {
  std::string hive;
  std::string id;
  std::string worker;
  std::string model_id;
  EngineState state = EngineState::starting;
  std::string reason;
  std::string socket;
  std::uint64_t incarnation = 0;
  int slots = 0;
  std::uint32_t context = 0;  // what one request may use
  bool pinned = false;        // its model is to stay: it gives way to no other
  int busy = 0;               // requests that the keeper has given it and that it has not let go
  // Tokens a second of one request, and of a prompt, by what its hive knows of model and devices; 0: not
  // known.
  double expected_speed = 0;
  double expected_prompt_speed = 0;
  // What its speed rests on: the device, the backend, the engine's version, the share of layers, the file.
  // What was learned of another basis does not hold of this one.
  std::string basis = {};
};

// How a worker runs a model, measured. What is not known is 0.
struct ModelSpeed {
  double prompt_speed = 0;                    // tokens a second
  double speed = 0;                           // tokens a second of one request by itself
  std::optional<double> batch_slowdown = {};  // how much slower each gets for every further one
  // Tokens a second of each of 1, 2, 3 ... requests together, where that is no straight line.
  std::vector<double> in_company = {};
  std::uint64_t cache_tokens = 0;  // of prompts that an engine keeps
  double load_seconds = 0;
  std::uint64_t need_bytes = 0;  // memory that an engine takes
};

struct FleetWorker {
  WorkerReport report;
  std::vector<ModelFile> models;        // what its hive holds
  std::vector<ModelSpeed> speeds = {};  // one for each of `models`, or none at all
  std::map<std::string, std::string> labels = {};
  bool unified = false;  // its device shares the machine's memory
  // Of its device, as its machine was found to be.
  DeviceKind kind = DeviceKind::discrete;
  double bandwidth_bytes_s = 0;       // of the memory that it reads; 0: not known
  double host_bandwidth_bytes_s = 0;  // of its machine's memory; 0: not known
  double flops = 0;                   // that a prompt gets of it, a second; 0: not known
  double host_flops = 0;              // of its machine's CPU
};

struct Fleet {
  std::vector<FleetWorker> workers;
  std::vector<FleetEngine> engines;
};

enum class Priority { low, normal, high };

// What the user's script said of a request; it is asked before, as it may take its time.
struct ScriptWord {
  enum class Says { nothing, these, nobody };
  Says says = Says::nothing;
  std::vector<std::string> workers = {};  // of `these`, in its order
  std::string failure = {};               // why it could say nothing
};

struct Request {
  std::uint64_t id = 0;
  std::string model;         // as the client wrote it
  std::string worker;        // x-rbee-worker: this one or an error; empty: any
  double prompt_bytes = 0;   // of text; for an estimate where the tokens are not known
  double prompt_tokens = 0;  // an estimate: it ranks and never refuses
  double max_tokens = 0;     // 0: not said
  int slots = 1;             // `n` completions take n
  bool stream = false;
  Priority priority = Priority::normal;
  // What the model must be able to do; for scripts.
  bool needs_embedding = false;
  bool needs_vision = false;  // or hearing: what comes by a projector
  bool needs_tools = false;
  std::string user = {};     // the body's `user`
  std::string session = {};  // x-session-id
  std::string key = {};      // name of the API key; empty: the anonymous one
  // Hashes of the prompt's beginning up to the end of each block, and what a block counts, in tokens.
  std::vector<std::uint64_t> prefix = {};
  double block_tokens = 0;
  ScriptWord script = {};
  std::vector<std::string>
      lost;  // "engine id/incarnation" of engines that lost it before: never one of them again
};

}  // namespace rbee
