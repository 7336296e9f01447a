// The lists of docs/cli.md as JSON, built from a Snapshot. Pure.
#pragma once

#include "base/json.h"
#include "keeper/placing.h"

namespace rbee::keeper {

struct WorkerFilter {
  std::string hive = {};  // empty: any, as all of them
  std::string backend = {};
  std::string state = {};
  std::size_t limit = 0;  // 0: none
};

[[nodiscard]] Json hives_json(const Snapshot& snapshot, Instant now);
[[nodiscard]] Json workers_json(const Snapshot& snapshot, const WorkerFilter& filter);
// With its engines. Fails with unknown_name.
[[nodiscard]] Result<Json> worker_json(const Snapshot& snapshot, const std::string& name);
[[nodiscard]] Json downloads_json(const Snapshot& snapshot);
[[nodiscard]] Json models_json(const Snapshot& snapshot);
// By `?estimates=1`: with speeds that nobody has measured.
[[nodiscard]] Json fleet_json(const Snapshot& snapshot, std::string_view query);
[[nodiscard]] Json requests_json(const std::vector<std::pair<std::string, routing::RecentRequest>>& requests);
// The machine of a hive, with its workers. Fails with unknown_name, or unreachable before its first report.
[[nodiscard]] Result<Json> machine_json(const Snapshot& snapshot, const std::string& hive);
// `version`: of this keeper; empty: any will do.
[[nodiscard]] Json warnings_json(const Snapshot& snapshot, std::string_view version = {});
// As GET /v1/models has it. `created`: seconds of the calendar.
[[nodiscard]] Json openai_models_json(const std::vector<ModelFile>& models, std::int64_t created);
[[nodiscard]] Json openai_model_json(const ModelFile& model, std::int64_t created);

[[nodiscard]] Error unknown_worker(const Snapshot& snapshot, const std::string& name);
[[nodiscard]] Error unknown_hive(const Snapshot& snapshot, const std::string& name);

}  // namespace rbee::keeper
