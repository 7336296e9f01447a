// What routing sees: the workers as they are now, and the request to be placed.
// A snapshot of plain values: no socket, no clock. Order is that of names, so decisions repeat.
#pragma once

#include "domain/report.h"

#include <cstdint>
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
  int busy = 0;  // requests that the keeper has given it and that it has not let go
};

struct FleetWorker {
  WorkerReport report;
  std::vector<ModelFile> models;  // what its hive holds
};

struct Fleet {
  std::vector<FleetWorker> workers;
  std::vector<FleetEngine> engines;
};

struct Request {
  std::uint64_t id = 0;
  std::string model;   // as the client wrote it
  std::string worker;  // x-rbee-worker: this one or an error; empty: any
  int slots = 1;       // `n` completions take n
  std::vector<std::string>
      lost;  // "engine id/incarnation" of engines that lost it before: never one of them again
};

}  // namespace rbee
