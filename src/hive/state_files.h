// What a hive keeps over its own end: its workers, and the engines that run now (for the sweep at the next
// start). Pure but for read_workers(): texts of JSON in and out; the shell reads and writes the files.
#pragma once

#include "domain/machine.h"
#include "engine/process.h"
#include "hive/supervisor.h"

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::hive {

// `all_drained`: the hive as a whole takes no requests.
[[nodiscard]] std::string workers_text(std::span<const WorkerSpec> workers, bool all_drained = false);
// Fails with bad_json or bad_config naming what is wrong. Facts of the machine are not in the file:
// settle_worker() fills them in.
[[nodiscard]] Result<std::vector<WorkerSpec>> parse_workers(std::string_view text);

[[nodiscard]] bool parse_all_drained(std::string_view text);

// The one that reads: workers.json of a hive's folder; no workers where it is not there. Fails as reading a
// file does, or with bad_config naming it.
struct KeptWorkers {
  std::vector<WorkerSpec> workers = {};
  bool all_drained = false;
};
inline constexpr const char* workers_file = "workers.json";
inline constexpr std::size_t largest_state_file_bytes = 1u << 20;
[[nodiscard]] Result<KeptWorkers> read_workers(const std::filesystem::path& file);

// Devices that were seen to disappear, by id, and why: they stay out until they are seen again.
using GoneDevices = std::map<std::string, std::string>;
// Device name, vram and pool as the machine has them now; gone_reason where it lacks one of its devices, or
// cannot use it through that backend any more.
void settle_worker(WorkerSpec& worker, const Machine& machine, const GoneDevices& gone = {});

struct EngineRecord {
  engine::ProcessId process;
  std::string socket;
};
[[nodiscard]] std::string records_text(std::span<const EngineRecord> records);
// Entries that cannot be understood are left out: a sweep ends nothing on a guess.
[[nodiscard]] std::vector<EngineRecord> parse_records(std::string_view text);

}  // namespace rbee::hive
