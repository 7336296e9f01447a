// The shell of a hive as far as it goes without an engine: over its unix socket, in a folder of its own.
#include "hive/hive.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "hive/kept_machine.h"
#include "hive/test_folder.h"
#include "net/client.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace rbee::hive {
namespace {

using namespace std::chrono_literals;

constexpr Milliseconds patience = 20s;  // never waited for, but by a test that fails

class HiveTest : public ::testing::Test {
 protected:
  // The probes run in this process here: no driver of the machine, which may leave memory behind when it is
  // unloaded.
  static device::ProbeOptions no_drivers() { return {.library_folders = std::vector<std::string>{}}; }
  HiveOptions options() {
    HiveOptions made;
    made.probe_libraries = no_drivers().library_folders;
    made.name = "pc";
    made.version = "1.2.3";
    made.state_folder = folder_.path() / "state";
    made.engines_folder = folder_.path() / "engines";
    return made;
  }
  std::unique_ptr<Hive> make() {
    return std::make_unique<Hive>(loop_, clock_, random_, Log::none(), options());
  }
  void SetUp() override {
    hive_ = make();
    const Result<void> started = hive_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  void TearDown() override {
    if (hive_) stop();
  }
  static net::Task<void> wait_for(net::Signal& signal) { (void)co_await signal.wait(patience); }
  void stop() {
    net::Signal stopped(loop_);
    hive_->stop([&] { stopped.notify(); });
    loop_.block_on(wait_for(stopped));
    hive_.reset();
  }
  void start_again() {
    stop();
    SetUp();
  }

  // The status and the body, or the error's code: "404 unknown_name".
  net::ClientResponse ask(std::string method, std::string target, std::string body = {}) {
    net::ClientRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.body = body;
    auto response = loop_.block_on(net::fetch(loop_, hive_->endpoint(), request, patience));
    EXPECT_TRUE(response) << response.error().message;
    return response ? *response : net::ClientResponse{};
  }
  std::string short_answer(std::string method, std::string target, std::string body = {}) {
    const net::ClientResponse response = ask(std::move(method), std::move(target), std::move(body));
    const Result<Json> json = parse_json(response.body);
    if (!json || !json->contains("error")) return cat(response.status);
    return cat(response.status, " ", get_string(json->at("error"), "code").value_or("?"));
  }
  // Its server-sent events, the last `result` or `error`.
  std::vector<net::SseEvent> events_of(std::string method, std::string target, std::string body) {
    const net::ClientResponse response = ask(std::move(method), std::move(target), std::move(body));
    net::SseReader reader;
    EXPECT_TRUE(reader.feed(response.body));
    std::vector<net::SseEvent> events;
    while (auto event = reader.next()) events.push_back(std::move(*event));
    return events;
  }

  TestFolder folder_;
  SystemClock clock_;
  net::Loop loop_{clock_};
  Random random_{1};
  std::unique_ptr<Hive> hive_;
};

TEST_F(HiveTest, TheReportSaysWhoItIsAndWhatTheMachineIs) {
  const Result<Json> json = parse_json(ask("GET", "/report").body);
  ASSERT_TRUE(json);
  const Result<HiveReport> report = report_from_json(*json);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->hive, "pc");
  EXPECT_EQ(report->version, "1.2.3");
  EXPECT_GE(report->machine.cpu.threads, 1);
  EXPECT_TRUE(report->workers.empty());
}

TEST_F(HiveTest, WhatWasFoundLastIsShownAtOnceAndPutsNothingInService) {
  stop();
  KeptMachine kept;
  kept.at_unix_ms = clock_.unix_ms() - 4 * 3'600'000;
  kept.machine.devices.push_back({.id = "GPU-vanished",
                                  .name = "RTX 4090",
                                  .vendor = "NVIDIA",
                                  .backends = {{.backend = Backend::cuda, .usable = true}}});
  const std::filesystem::path state = folder_.path() / "state";
  ASSERT_TRUE(write_file(kept_machine_file(state), kept_machine_text(kept, no_drivers())));
  ASSERT_TRUE(write_file(state / "hive/workers.json", R"({"workers": [
      {"name": "worker-pc", "backend": "CUDA", "device_id": "GPU-vanished"}]})"));
  SetUp();
  const HiveReport at_once = hive_->report();
  ASSERT_EQ(at_once.machine.devices.size(), 1U);
  EXPECT_EQ(at_once.machine.devices.at(0).id, "GPU-vanished");
  EXPECT_THAT(at_once.machine.warnings, testing::Contains(testing::HasSubstr("found 4 hours ago")));
  // The load waits for the probes, and they have no such card.
  EXPECT_EQ(short_answer("POST", "/engines", R"({"worker": "worker-pc", "model": "m"})"), "503 no_worker");
  const HiveReport refreshed = hive_->report();
  EXPECT_EQ(refreshed.workers.at(0).state, WorkerState::gone);
  EXPECT_THAT(refreshed.machine.warnings, testing::Not(testing::Contains(testing::HasSubstr("ago"))));
  EXPECT_NE(refreshed.machine.devices.at(0).id, "GPU-vanished");
}

TEST_F(HiveTest, TheSocketIsTheOwnersAlone) {
  const auto mode = std::filesystem::status(hive_->endpoint().unix_path).permissions();
  EXPECT_EQ(mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
            std::filesystem::perms::none);
}

TEST_F(HiveTest, BadRequestsAreRefusedWithTheirReason) {
  EXPECT_EQ(short_answer("GET", "/nothing"), "404 unknown_name");
  EXPECT_EQ(short_answer("GET", "/"), "404 unknown_name");
  EXPECT_EQ(short_answer("POST", "/engines", "{"), "400 bad_json");
  EXPECT_EQ(short_answer("POST", "/engines", "{}"), "400 bad_request");
  EXPECT_EQ(short_answer("POST", "/engines", R"({"worker": "w", "model": 7})"), "400 bad_request");
  EXPECT_EQ(short_answer("POST", "/engines", R"({"worker": "w", "model": "m"})"), "404 unknown_name");
  EXPECT_EQ(short_answer("DELETE", "/engines/none"), "404 unknown_name");
  EXPECT_EQ(short_answer("POST", "/workers/none/stop"), "404 unknown_name");
  EXPECT_EQ(short_answer("POST", "/workers/none/start"), "404 unknown_name");
  EXPECT_EQ(short_answer("DELETE", "/workers/none"), "404 unknown_name");
  EXPECT_EQ(short_answer("POST", "/workers", R"({"backend": "abacus"})"), "400 bad_usage");
  EXPECT_EQ(short_answer("POST", "/workers", R"({"slots": -1})"), "400 bad_request");
  EXPECT_EQ(short_answer("DELETE", "/models/none"), "404 unknown_model");
  EXPECT_EQ(short_answer("GET", "/logs?worker=none"), "404 unknown_name");
}

TEST_F(HiveTest, AModelIsCheckedKeptAndForgotten) {
  const std::string demo = std::filesystem::absolute("models/demo/rbee-demo-q8_0.gguf").string();
  const net::ClientResponse added = ask("POST", "/models", cat(R"({"name": "demo", "path": ")", demo, "\"}"));
  ASSERT_EQ(added.status, 200) << added.body;
  const std::string id = hive_->report().models.at(0).id;
  EXPECT_EQ(short_answer("POST", "/models", R"({"name": "x", "path": "models/demo/README.md"})"),
            "400 bad_request");
  const std::string text = std::filesystem::absolute("models/demo/README.md").string();
  EXPECT_EQ(short_answer("POST", "/models", cat(R"({"name": "x", "path": ")", text, "\"}")),
            "422 bad_model_file");
  start_again();
  ASSERT_EQ(hive_->report().models.size(), 1U);
  EXPECT_EQ(short_answer("DELETE", cat("/models/", id)), "200");
  EXPECT_TRUE(hive_->report().models.empty());
  EXPECT_TRUE(std::filesystem::exists(demo));
}

TEST_F(HiveTest, ADeploymentThatCannotBeEndsWithAnErrorEvent) {
  const auto events = events_of("POST", "/workers", R"({"device": "none-such"})");
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().event, "error");
  EXPECT_NE(events.back().data.find("unknown_name"), std::string::npos);
}

TEST_F(HiveTest, WorkersAreRestoredWithStateAndReason) {
  stop();
  const Result<void> written = write_file(folder_.path() / "state/hive/workers.json", R"({"workers": [
      {"name": "worker-pc", "backend": "CPU", "device_id": "cpu", "slots": 2, "context": 1024},
      {"name": "off", "backend": "CPU", "device_id": "cpu", "stopped": true},
      {"name": "lost", "backend": "CUDA", "device_id": "GPU-1"}]})");
  ASSERT_TRUE(written);
  SetUp();
  std::string text;
  for (const WorkerReport& worker : hive_->report().workers)
    text += cat(worker.name, " ", worker_state_name(worker.state), "; ");
  EXPECT_EQ(text, "lost gone; off stopped; worker-pc ready; ");
  EXPECT_EQ(short_answer("POST", "/engines", R"({"worker": "off", "model": "m"})"), "503 no_worker");
  EXPECT_EQ(short_answer("POST", "/engines", R"({"worker": "lost", "model": "m"})"), "503 no_worker");
  EXPECT_EQ(short_answer("POST", "/engines", R"({"worker": "worker-pc", "model": "m"})"),
            "404 unknown_model");
  EXPECT_EQ(short_answer("POST", "/workers/off/start"), "200");
  EXPECT_EQ(short_answer("DELETE", "/workers/lost"), "202");
  start_again();
  EXPECT_EQ(hive_->report().workers.size(), 2U);
  EXPECT_EQ(worker_state_name(hive_->report().workers.at(0).state), "ready");
}

TEST_F(HiveTest, AWorkersFileThatIsDamagedStopsTheStart) {
  stop();
  ASSERT_TRUE(write_file(folder_.path() / "state/hive/workers.json", "{"));
  hive_ = make();
  const Result<void> started = hive_->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::bad_config);
  hive_.reset();
}

TEST_F(HiveTest, TheSecondHiveOfAFolderIsRefused) {
  const std::unique_ptr<Hive> second = make();
  const Result<void> started = second->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::already_running);
}

TEST_F(HiveTest, APathThatNoSocketTakesIsRefusedWithTheNumbers) {
  HiveOptions deep = options();
  deep.state_folder = folder_.path() / std::string(100, 'x');
  Hive hive(loop_, clock_, random_, Log::none(), deep);
  const Result<void> started = hive.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::bad_config);
  EXPECT_EQ(started.error().hint, "Set RBEE_HOME to a shorter path.");
  EXPECT_NE(started.error().message.find(cat(net::longest_socket_path)), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(deep.state_folder));
}

TEST_F(HiveTest, SocketsThatAnEarlierHiveLeftAreSwept) {
  stop();
  const auto left = folder_.path() / "state/hive/run/abcdef.sock";
  ASSERT_TRUE(write_file(left, ""));
  SetUp();
  EXPECT_FALSE(std::filesystem::exists(left));
}

TEST_F(HiveTest, NothingIsLeftWhenItHasStopped) {
  const std::string socket = hive_->endpoint().unix_path;
  EXPECT_TRUE(std::filesystem::exists(socket));
  stop();
  EXPECT_FALSE(std::filesystem::exists(socket));
  SetUp();
}

struct Seen {
  std::vector<net::SseEvent> events;
  std::string failure;
};
// Reads until it has `count` events; after the first report it removes a model, to see what follows.
net::Task<void> read_events(net::Loop& loop, net::Endpoint endpoint, std::size_t count, Seen& seen) {
  net::ClientRequest request;
  request.target = "/events";
  Result<net::ClientExchange> exchange =
      co_await net::ClientExchange::send(loop, endpoint, request, patience);
  if (!exchange) {
    seen.failure = exchange.error().message;
    co_return;
  }
  net::SseReader reader;
  while (seen.events.size() < count) {
    const Result<std::string_view> bytes = co_await exchange->read_some(patience);
    if (!bytes || bytes->empty()) {
      seen.failure = bytes ? "the stream ended" : bytes.error().message;
      co_return;
    }
    (void)reader.feed(*bytes);
    while (auto event = reader.next()) seen.events.push_back(std::move(*event));
  }
}

TEST_F(HiveTest, TheEventStreamBeginsWithAReportAndGoesOnWithHeartbeats) {
  Seen seen;
  loop_.block_on(read_events(loop_, hive_->endpoint(), 3, seen));
  EXPECT_EQ(seen.failure, "");
  ASSERT_GE(seen.events.size(), 3U);
  EXPECT_EQ(seen.events.at(0).event, "report");
  EXPECT_EQ(seen.events.at(1).event, "heartbeat");
  EXPECT_EQ(seen.events.at(1).data, "{}");
  // Figures of the machine come once a second, where they have changed.
  EXPECT_THAT(seen.events.at(2).event, testing::AnyOf("heartbeat", "figures"));
}

net::Task<void> watch_a_change(net::Loop& loop, net::Endpoint endpoint, std::string body, Seen& seen) {
  loop.spawn(read_events(loop, endpoint, 1, seen));
  net::ClientRequest request;
  request.method = "POST";
  request.target = "/models";
  request.body = body;
  const auto added = co_await net::fetch(loop, endpoint, request, patience);
  if (!added || added->status != 200) seen.failure = "the model was not added";
  Seen after;
  co_await read_events(loop, endpoint, 1, after);
  for (net::SseEvent& event : after.events) seen.events.push_back(std::move(event));
}

TEST_F(HiveTest, AChangeIsANewReportForEverySubscriber) {
  const std::string demo = std::filesystem::absolute("models/demo/rbee-demo-q8_0.gguf").string();
  Seen seen;
  loop_.block_on(
      watch_a_change(loop_, hive_->endpoint(), cat(R"({"name": "demo", "path": ")", demo, "\"}"), seen));
  EXPECT_EQ(seen.failure, "");
  ASSERT_GE(seen.events.size(), 2U);
  const Result<HiveReport> last = report_from_json(*parse_json(seen.events.back().data));
  ASSERT_TRUE(last);
  EXPECT_EQ(last->models.size(), 1U);
  EXPECT_GT(last->sequence, 1U);
}

TEST_F(HiveTest, LogsOfNoEnginesAreEmpty) {
  const net::ClientResponse logs = ask("GET", "/logs");
  EXPECT_EQ(logs.status, 200);
  EXPECT_EQ(logs.body, "");
}

}  // namespace
}  // namespace rbee::hive
