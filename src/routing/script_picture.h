// What a script sees: the workers of one fleet and the request, as objects that it reads in place.
#pragma once

#include "rhai/engine.h"
#include "routing/script_policy.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rbee::routing {

struct ScriptPicture;

// Belongs to the thread that asks the script: its values are made when they are first read.
struct ScriptWorker {
  const FleetWorker* on = nullptr;
  const ScriptPicture* picture = nullptr;
  std::vector<std::size_t> engines = {};  // in the fleet
  rhai::Value name, hive, backend, device;
  mutable std::optional<rhai::Value> models = {}, loaded = {}, labels = {};
  mutable bool named = false;  // in the answer that is being read
};

struct ScriptPicture {
  // What is asked for by one name, over the whole fleet.
  struct Asked {
    std::int64_t parameters = 0;
    rhai::Value quant;
  };

  // Of the request, as values that can be shared.
  struct Texts {
    rhai::Value model, priority, user, session;
  };

  ScriptPicture(std::shared_ptr<const Fleet> of, const rhai::HostType& worker_type);
  ScriptPicture(const ScriptPicture&) = delete;
  ScriptPicture& operator=(const ScriptPicture&) = delete;
  [[nodiscard]] const Asked& asked(const std::string& model);

  std::shared_ptr<const Fleet> fleet;
  std::vector<ScriptWorker> workers;
  rhai::Value list;  // of them, as the script is given it
  std::map<std::string, Asked> by_model = {};
  // Of the question that is being asked.
  const Request* request = nullptr;
  mutable std::optional<Texts> request_texts = {};
  std::span<const EngineNow> now = {};
};

[[nodiscard]] rhai::HostType script_worker_type();
// Its objects are ScriptPictures.
[[nodiscard]] rhai::HostType script_request_type();

}  // namespace rbee::routing
