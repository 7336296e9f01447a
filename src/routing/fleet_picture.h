// A fleet as a few lines of text, for tests:
//     worker cpu-1 free=8 holds=a,b state=stopped device=card-0
//     engine e1 on cpu-1 of a ready slots=2 inc=1
#pragma once

#include "base/text.h"
#include "domain/fleet.h"

#include <string>
#include <string_view>
#include <vector>

namespace rbee::routing {

inline std::string picture_value(const std::vector<std::string_view>& words, std::string_view key,
                                 std::string_view otherwise) {
  for (const std::string_view word : words) {
    if (word.starts_with(key) && word.size() > key.size() && word[key.size()] == '=') {
      return std::string(word.substr(key.size() + 1));
    }
  }
  return std::string(otherwise);
}

inline WorkerState picture_worker_state(std::string_view text) {
  return worker_state_of(text).value_or(WorkerState::ready);
}

inline EngineState picture_engine_state(std::string_view text) {
  for (const EngineState state : {EngineState::starting, EngineState::stopping, EngineState::failed}) {
    if (engine_state_name(state) == text) return state;
  }
  return EngineState::ready;
}

inline Fleet fleet_of(std::string_view picture) {
  Fleet fleet;
  for (const std::string_view line : split(picture, '\n')) {
    std::vector<std::string_view> words;
    for (const std::string_view word : split(line, ' ')) {
      if (!word.empty()) words.push_back(word);
    }
    if (words.empty()) continue;
    if (words[0] == "worker") {
      FleetWorker worker;
      worker.report.name = words[1];
      worker.report.hive = "h";
      worker.report.state = picture_worker_state(picture_value(words, "state", "ready"));
      worker.report.free_memory_bytes = *parse_int<std::uint64_t>(picture_value(words, "free", "8"));
      worker.report.slots = *parse_int<int>(picture_value(words, "slots", "1"));
      worker.report.device_id = picture_value(words, "device", "");
      worker.report.backend = worker.report.device_id.empty() ? Backend::cpu : Backend::vulkan;
      const std::string held = picture_value(words, "holds", "");
      for (const std::string_view id : split(held, ',')) {
        if (id.empty()) continue;
        ModelFile file;
        file.id = id;
        file.name = id.substr(0, id.find('-'));
        file.bytes = 1;
        worker.models.push_back(std::move(file));
      }
      fleet.workers.push_back(std::move(worker));
    } else {
      FleetEngine engine;
      engine.hive = "h";
      engine.id = words[1];
      engine.worker = words[3];
      engine.model_id = words[5];
      engine.state = picture_engine_state(words[6]);
      engine.reason = picture_value(words, "reason", "");
      engine.slots = *parse_int<int>(picture_value(words, "slots", "1"));
      engine.incarnation = *parse_int<std::uint64_t>(picture_value(words, "inc", "1"));
      fleet.engines.push_back(std::move(engine));
    }
  }
  return fleet;
}

}  // namespace rbee::routing
