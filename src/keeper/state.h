// State: what the keeper remembers over restarts, in SQLite: hives, models seen and on which hive, the
// requests and tokens of each model, how fast each is believed to be on each worker, and what benchmarks
// found. The truth about workers and engines is the hives', never this.
//
// One thread of its own writes; nobody waits for it. What is queued while a transaction runs goes into the
// next one whole. Safe from every thread.
#pragma once

#include "base/error.h"
#include "base/log.h"
#include "domain/report.h"
#include "net/loop.h"
#include "routing/believed_speed.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace rbee::keeper {

struct KnownHive {
  std::string name;
  std::string address;
  std::int64_t last_seen_ms = 0;  // of the calendar
  std::string key_print = {};     // of the hive's key, pinned; empty: the hive of the same home
  std::vector<std::string> mac_addresses = {};
  std::vector<ModelFile> models = {};  // with id, name, quant, bytes, params and sha256 only
};

struct ModelCount {
  std::string model;
  std::uint64_t requests = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t tokens = 0;
};

// What a benchmark found: a document of keeper/benchmark_record.h.
struct KeptBenchmark {
  std::string id;
  std::int64_t at_ms = 0;  // of the calendar
  std::string document = {};
};

class State {
 public:
  // Of the tables. A file of a newer one is left alone and refused.
  static constexpr int schema_version = 5;

  // Makes the file (mode 0600) where there is none. Blocks. Fails with io_failed, which says where the file
  // is damaged or of a newer version and what to do.
  [[nodiscard]] static Result<std::unique_ptr<State>> open(const std::filesystem::path& file,
                                                           std::shared_ptr<Log> log);
  ~State();  // writes what is queued
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // A hive that was added, with its address and key: known from now on. Resumes on `loop` when it is on the
  // disk. Fails with io_failed or no_space.
  net::Task<Result<void>> add_hive(net::Loop& loop, KnownHive hive);
  // All that is known of it.
  net::Task<Result<void>> remove_hive(net::Loop& loop, std::string name);

  // All of it, with what is queued, as the bytes of a file like this one. Fails with io_failed or no_space.
  net::Task<Result<std::string>> backup(net::Loop& loop);

  void saw_hive(const HiveReport& report, const std::string& address, std::int64_t now_ms);
  void count(const ModelCount& more);
  // In the place of what was kept of the same workers and models. What nobody has kept for long is forgotten.
  void keep_speeds(std::vector<routing::KnownSpeed> speeds, std::int64_t now_ms);
  // Replaces what has its id. An empty document: it is forgotten.
  void keep(KeptBenchmark benchmark);

  // As they are now.
  [[nodiscard]] std::vector<KnownHive> known_hives() const;
  // As they were when the file was opened.
  [[nodiscard]] const std::vector<KnownHive>& hives() const;
  [[nodiscard]] const std::vector<routing::KnownSpeed>& speeds() const;
  [[nodiscard]] const std::vector<KeptBenchmark>& benchmarks() const;
  // With what is queued. Blocks: for tests and the end.
  [[nodiscard]] std::vector<ModelCount> counts();

 private:
  struct Impl;
  explicit State(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace rbee::keeper
