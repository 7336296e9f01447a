// RhaiPolicy: routing.rhai. The script is compiled once and asked for each request: its
// `fn route_request(request, workers)` returns the workers that may serve, () to leave it to the rules, or []
// to refuse. Workers and request are read where they lie; what a fleet's workers are made of is made once for
// each fleet.
#pragma once

#include "base/error.h"
#include "routing/script_policy.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rbee::routing {

// [routing.script] of rbee.toml.
struct ScriptLimits {
  std::uint64_t operations = 1'000'000;  // some 20 ms
  std::size_t depth = 64;                // calls within calls
  bool operator==(const ScriptLimits&) const = default;
};

class RhaiPolicy final : public ScriptPolicy {
 public:
  // `file` is for messages only. Fails with bad_config naming file, line and column: no Rhai, statements at
  // the top that fail, no route_request with two parameters.
  [[nodiscard]] static Result<std::shared_ptr<const RhaiPolicy>> compile(std::string source, std::string file,
                                                                         ScriptLimits limits);
  ~RhaiPolicy() override;
  RhaiPolicy(const RhaiPolicy&) = delete;
  RhaiPolicy& operator=(const RhaiPolicy&) = delete;

  [[nodiscard]] ScriptWord ask(const Request& request, const std::shared_ptr<const Fleet>& fleet,
                               std::span<const EngineNow> engines) const override;

 private:
  class Instance;
  RhaiPolicy(std::string source, std::string file, ScriptLimits limits);

  std::string source_;
  std::string file_;
  ScriptLimits limits_;
  // A compiled script belongs to one thread at a time: as many as have been asked at once are kept.
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Instance>> idle_;
};

}  // namespace rbee::routing
