#include "keeper/state.h"

#include "base/file.h"
#include "base/text.h"
#include "keeper/speed_rows.h"
#include "net/tls.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

namespace rbee::keeper {
namespace {

class StateFile : public testing::Test {
 protected:
  StateFile() {
    std::string folder = (std::filesystem::temp_directory_path() / "rbee-state-XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
    file_ = folder_ / "keeper.db";
  }
  ~StateFile() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::unique_ptr<State> open() {
    Result<std::unique_ptr<State>> state = State::open(file_, Log::none());
    EXPECT_TRUE(state) << state.error().message << state.error().detail;
    return state ? std::move(*state) : nullptr;
  }

  std::filesystem::path folder_;
  std::filesystem::path file_;
};

HiveReport report_with(const std::string& model) {
  HiveReport report;
  report.hive = "box";
  ModelFile file;
  file.id = model;
  file.name = "llama";
  file.bytes = 7;
  report.models.push_back(file);
  return report;
}

TEST_F(StateFile, HivesAndTheirModelsOutliveTheKeeper) {
  open()->saw_hive(report_with("llama-q4"), "unix:/x", 42);
  {
    const auto state = open();
    ASSERT_EQ(state->hives().size(), 1u);
    EXPECT_EQ(state->hives().front().name, "box");
    EXPECT_EQ(state->hives().front().last_seen_ms, 42);
    ASSERT_EQ(state->hives().front().models.size(), 1u);
    EXPECT_EQ(state->hives().front().models.front().id, "llama-q4");
    EXPECT_EQ(state->hives().front().models.front().bytes, 7u);
    state->saw_hive(report_with("llama-q8"), "unix:/x", 43);
  }
  EXPECT_EQ(open()->hives().front().models.front().id, "llama-q8");
}

TEST_F(StateFile, AnAddedHiveKeepsItsKeyWhateverItReports) {
  const SystemClock clock;
  net::Loop loop(clock);
  const std::string key(net::key_print_length, 'k');
  {
    const auto state = open();
    const Result<void> added =
        loop.block_on(state->add_hive(loop, {.name = "box", .address = "10.0.0.7:7835", .key_print = key}));
    ASSERT_TRUE(added) << added.error().message;
    state->saw_hive(report_with("llama-q4"), "10.0.0.8:7835", 42);
  }
  {
    const auto state = open();
    ASSERT_EQ(state->hives().size(), 1u);
    EXPECT_EQ(state->hives().front().key_print, key);
    EXPECT_EQ(state->hives().front().address, "10.0.0.8:7835");
    ASSERT_TRUE(loop.block_on(state->remove_hive(loop, "box")));
  }
  EXPECT_TRUE(open()->hives().empty());
}

TEST_F(StateFile, AFileOfVersion1IsTakenOver) {
  {
    SQLite::Database db(file_.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    db.exec(R"(CREATE TABLE schema(version INTEGER NOT NULL);
      INSERT INTO schema VALUES (1);
      CREATE TABLE hive(name TEXT PRIMARY KEY, address TEXT NOT NULL, last_seen_ms INTEGER NOT NULL);
      INSERT INTO hive VALUES ('box', 'unix:/x', 42);
      CREATE TABLE model(hive TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, quant TEXT NOT NULL,
        bytes INTEGER NOT NULL, params INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY(hive, id));
      CREATE TABLE count(model TEXT PRIMARY KEY, requests INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
        tokens INTEGER NOT NULL);)");
  }
  for (int time = 0; time < 2; ++time) {
    const auto state = open();
    ASSERT_NE(state, nullptr);
    ASSERT_EQ(state->hives().size(), 1u);
    EXPECT_EQ(state->hives().front().name, "box");
    EXPECT_EQ(state->hives().front().key_print, "");
  }
}

TEST_F(StateFile, CountsAddUpOverRestarts) {
  {
    const auto state = open();
    for (int i = 0; i < 1000; ++i) state->count({"a", 1, 10, 100});
  }
  const auto state = open();
  state->count({"a", 1, 0, 0});
  const std::vector<ModelCount> counts = state->counts();
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts.front().requests, 1001u);
  EXPECT_EQ(counts.front().prompt_tokens, 10'000u);
  EXPECT_EQ(counts.front().tokens, 100'000u);
}

routing::KnownSpeed learned(const std::string& worker, double tokens_s) {
  routing::KnownSpeed speed{.worker = worker, .model_id = "llama-q4", .basis = "cpu CPU 3.22.1 100% 7"};
  speed.speed = {10 * tokens_s, tokens_s, 0.5};
  speed.speed.start_s = 0.25;
  speed.counts = {.prompt = 3, .start = 2, .common = 7, .own = {1, 2, 3, 0, 0, 0, 0.5}};
  speed.from = routing::SpeedFrom::learned;
  speed.measured_ms = 99;
  return speed;
}

TEST_F(StateFile, LearnedSpeedsOutliveTheKeeper) {
  open()->keep_speeds({learned("w1", 50), learned("w2", 5)}, 1000);
  open()->keep_speeds({learned("w1", 40)}, 2000);
  const auto state = open();
  ASSERT_EQ(state->speeds().size(), 2u);
  const routing::KnownSpeed& kept = state->speeds().front();
  const routing::KnownSpeed want = learned("w1", 40);
  EXPECT_EQ(kept.worker, "w1");
  EXPECT_EQ(kept.model_id, want.model_id);
  EXPECT_EQ(kept.basis, want.basis);
  EXPECT_EQ(kept.from, want.from);
  EXPECT_EQ(kept.measured_ms, 99);
  EXPECT_EQ(kept.speed.prompt, want.speed.prompt);
  EXPECT_EQ(kept.speed.start_s, want.speed.start_s);
  EXPECT_EQ(kept.speed.slowdown, want.speed.slowdown);
  for (int n = 1; n <= 16; ++n) EXPECT_NEAR(kept.speed.step_s(n), want.speed.step_s(n), 1e-12) << n;
  EXPECT_EQ(kept.counts.prompt, want.counts.prompt);
  EXPECT_EQ(kept.counts.start, want.counts.start);
  EXPECT_EQ(kept.counts.common, want.counts.common);
  EXPECT_EQ(kept.counts.own, want.counts.own);
}

TEST_F(StateFile, SpeedsOfWhatWasGoneForLongAreForgotten) {
  open()->keep_speeds({learned("gone", 50), learned("there", 5)}, 1000);
  open()->keep_speeds({learned("there", 5)}, 1000 + speeds_kept_ms);
  EXPECT_EQ(open()->speeds().size(), 2u) << "at the limit";
  open()->keep_speeds({learned("there", 5)}, 1001 + speeds_kept_ms);
  const auto state = open();
  ASSERT_EQ(state->speeds().size(), 1u);
  EXPECT_EQ(state->speeds().front().worker, "there");
  SQLite::Database db(file_.string(), SQLite::OPEN_READWRITE);
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM speed_step WHERE worker = 'gone'").getInt(), 0);
}

TEST_F(StateFile, SpeedsHaveAnEnd) {
  std::vector<routing::KnownSpeed> many;
  for (std::int64_t i = 0; i <= most_speeds; ++i) many.push_back(learned(cat("w", i), 5));
  open()->keep_speeds({learned("new", 5)}, 2000);
  open()->keep_speeds(std::move(many), 1000);
  EXPECT_EQ(open()->speeds().size(), static_cast<std::size_t>(most_speeds));
}

TEST_F(StateFile, RowsOfSpeedsThatMakeNoSenseAreLeftOut) {
  open()->keep_speeds({learned("w1", 50), learned("w2", 5), learned("w3", 5)}, 1000);
  {
    SQLite::Database db(file_.string(), SQLite::OPEN_READWRITE);
    db.exec("UPDATE speed SET prompt_speed = -1 WHERE worker = 'w1'");
    db.exec("DELETE FROM speed_step WHERE worker = 'w2' AND together = 4");
  }
  const auto state = open();
  ASSERT_EQ(state->speeds().size(), 1u);
  EXPECT_EQ(state->speeds().front().worker, "w3");
}

TEST_F(StateFile, BenchmarksOutliveTheKeeperUntilTheyAreReplacedOrForgotten) {
  {
    const auto state = open();
    state->keep({"b", 20, "{\"speed\":1}"});
    state->keep({"a", 10, "{\"speed\":2}"});
  }
  {
    const auto state = open();
    ASSERT_EQ(state->benchmarks().size(), 2u);
    EXPECT_EQ(state->benchmarks().front().id, "a");  // the oldest first
    EXPECT_EQ(state->benchmarks().back().document, "{\"speed\":1}");
    state->keep({"b", 20, "{\"speed\":3}"});
    state->keep({"a", 10, ""});
  }
  const auto state = open();
  ASSERT_EQ(state->benchmarks().size(), 1u);
  EXPECT_EQ(state->benchmarks().front().document, "{\"speed\":3}");
}

TEST_F(StateFile, IsForItsOwnerOnly) {
  const auto state = open();
  struct stat found{};
  ASSERT_EQ(::stat(file_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST_F(StateFile, DamageIsNamedWithTheWayOut) {
  ASSERT_TRUE(write_file(file_, std::string(8192, 'x')));
  const auto state = State::open(file_, Log::none());
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, ErrorCode::io_failed);
  EXPECT_NE(state.error().message.find("is damaged"), std::string::npos) << state.error().message;
  EXPECT_NE(state.error().message.find(file_.string()), std::string::npos);
  EXPECT_NE(state.error().hint.find("Move the file away"), std::string::npos);
}

TEST_F(StateFile, ANewerVersionIsLeftAlone) {
  static_cast<void>(open());
  {
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("UPDATE schema SET version = 99");
  }
  const auto state = State::open(file_, Log::none());
  ASSERT_FALSE(state);
  EXPECT_NE(state.error().message.find("version 99"), std::string::npos) << state.error().message;
}

TEST_F(StateFile, AFolderThatIsNotThereIsNamed) {
  const auto state = State::open(folder_ / "no" / "keeper.db", Log::none());
  ASSERT_FALSE(state);
  EXPECT_NE(state.error().message.find("keeper.db"), std::string::npos) << state.error().message;
}

TEST_F(StateFile, ABackupIsAFileLikeItWithAllThatWasQueued) {
  const SystemClock clock;
  net::Loop loop(clock);
  Result<std::string> bytes = std::string();
  {
    const auto state = open();
    HiveReport report = report_with("llama-q4");
    report.mac_addresses = {"00:1b:21:aa:bb:fe", "00:1b:21:aa:bb:ff"};
    state->saw_hive(report, "10.0.0.8:7835", 42);
    state->count({.model = "llama-q4", .requests = 3});
    bytes = loop.block_on(state->backup(loop));
    ASSERT_TRUE(bytes) << bytes.error().message;
    EXPECT_FALSE(std::filesystem::exists(file_.string() + ".backup"));
  }
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file_.string() + end);
  ASSERT_TRUE(write_file(file_, *bytes));
  const auto state = open();
  ASSERT_EQ(state->hives().size(), 1u);
  EXPECT_EQ(state->hives().front().mac_addresses.size(), 2u);
  ASSERT_EQ(state->counts().size(), 1u);
  EXPECT_EQ(state->counts().front().requests, 3u);
}

}  // namespace
}  // namespace rbee::keeper
