#include "cli/lists.h"

#include "cli/hive_choice.h"
#include "cli/introduction.h"

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>

namespace rbee::cli {
namespace {

using testing::HasSubstr;

Json json(std::string_view text) { return parse_json(text).value(); }

TEST(Lists, AWorkerShowsWhatItHasLoadedAndWhyItFailed) {
  const Table table = workers_table(json(R"({"workers": [
      {"name": "worker-pc", "hive": "pc", "backend": "CUDA", "device": "NVIDIA RTX 4090",
      "state": "ready", "reason": "",
       "vram": 24, "free_vram": 3.14, "slots": 4, "busy": 1, "queue": 0,
       "models": [{"name": "a", "loaded": true}, {"name": "b", "loaded": false}]},
      {"name": "worker-cpu", "state": "failed", "reason": "no pack", "vram": null}]})"));
  EXPECT_EQ(format_plain(table),
            "worker-pc\tpc\tCUDA\tNVIDIA RTX 4090\tready\t24 GB\t3.1 GB\t1\t4\t0\ta\n"
            "worker-cpu\t-\t-\t-\tfailed: no pack\t-\t-\t-\t-\t-\t-\n");
}

TEST(Lists, ModelsCountParametersAndBytesAsPeopleDo) {
  const Table table = models_table(json(R"({"models": [
      {"name": "llama", "quant": "Q4_K_M", "params": 8030000000, "bytes": 4920000000, "hives": ["pc",
      "mac"], "loaded_on": []},
      {"name": "demo", "quant": "Q8_0", "params": 1040000, "bytes": 1100000, "hives": ["pc"],
      "loaded_on": ["worker-pc"]}]})"));
  EXPECT_EQ(format_plain(table),
            "llama\tQ4_K_M\t8.0B\t4.9 GB\tpc, mac\t-\ndemo\tQ8_0\t1.0M\t1.1 MB\tpc\tworker-pc\n");
}

TEST(Lists, ADeviceShowsEachBackendOrTheReasonWhyNot) {
  const Table table =
      devices_table(json(R"({"devices": [{"id": "pci-0000:01:00.0", "name": "Radeon", "kind": "discrete",
      "memory_bytes": 16000000000, "usable_bytes": 15000000000, "backends": [
      {"name": "Vulkan", "version": "1.3", "usable": true, "engine": "missing"},
      {"name": "ROCm", "usable": false, "reason": "ROCm is not installed"}]}]})"));
  EXPECT_EQ(format_plain(table),
            "Radeon\tpci-0000:01:00.0\tdiscrete\t16.0 GB\t15.0 GB\t-\t-\t-\t"
            "Vulkan 1.3: engine missing; ROCm: not usable: ROCm is not installed\n");
}

TEST(Lists, StatusIsOneScreenAndSaysWhatIsNotThereYet) {
  const Json status =
      json(R"({"keeper": {"address": "http://127.0.0.1:7833", "version": "0.1.0", "uptime_s": 3},
      "hives": [{"name": "pc", "state": "up", "address": "unix", "workers": 0, "last_seen_ms": 120,
      "version": "0.1.0"}],
      "workers": [], "models": [], "requests": {"running": 1, "waiting": 2}, "warnings": ["look out"]})");
  const std::string screen = status_text(status, true);
  for (const char* part :
       {"keeper http://127.0.0.1:7833, version 0.1.0, up for 3.0 s", "1 running, 2 waiting", "120 ms ago",
        "no workers yet", "no models yet", "warning: look out"}) {
    EXPECT_THAT(screen, HasSubstr(part));
  }
  EXPECT_THAT(status_text(status, false), HasSubstr("pc\tup\tunix\t0\t120 ms ago\t0.1.0\n"));
}

TEST(HiveChoice, TheOnlyOneNeedsNoName) {
  EXPECT_EQ(choose_hive_of(json(R"({"hives": [{"name": "pc"}]})"), "").value(), "pc");
  EXPECT_EQ(choose_hive_of(json(R"({"hives": []})"), "").error().code, ErrorCode::unknown_name);
}

TEST(HiveChoice, OneThatIsGoneDoesNotCountBesideOneThatIsThere) {
  const Json both = json(R"({"hives": [{"name": "old", "state": "gone"}, {"name": "pc", "state": "up"}]})");
  EXPECT_EQ(choose_hive_of(both, "").value(), "pc");
  EXPECT_EQ(choose_hive_of(json(R"({"hives": [{"name": "old", "state": "gone"}]})"), "").value(), "old");
}

TEST(HiveChoice, OneOfSeveralMustBeNamedAndNearNamesAreTold) {
  const Json two = json(R"({"hives": [{"name": "gaming-pc"}, {"name": "mac"}]})");
  EXPECT_EQ(choose_hive_of(two, "").error().code, ErrorCode::bad_usage);
  EXPECT_THAT(choose_hive_of(two, "").error().message, HasSubstr("gaming-pc, mac"));
  EXPECT_EQ(choose_hive_of(two, "mac").value(), "mac");
  EXPECT_THAT(choose_hive_of(two, "gaming-cp").error().hint, HasSubstr("'gaming-pc'"));
}

TEST(Greeting, EndsWithTheAddressACurlLineAndWhatToDoNext) {
  const std::string text = greeting("http://127.0.0.1:7833", {.model = "rbee-demo", .has_worker = true});
  const std::size_t address = text.find("http://127.0.0.1:7833");
  const std::size_t curl = text.find("curl http://127.0.0.1:7833/v1/chat/completions");
  const std::size_t next = text.find("Next:");
  EXPECT_LT(address, curl);
  EXPECT_LT(curl, next);
  EXPECT_NE(next, std::string::npos);
  EXPECT_THAT(text, HasSubstr("\"model\": \"rbee-demo\""));
  EXPECT_THAT(text, HasSubstr("Next: `rbee chat rbee-demo` talks to it"));
}

TEST(Greeting, SaysWhatIsStillMissing) {
  const std::string nothing = greeting("http://127.0.0.1:7833", {});
  EXPECT_THAT(nothing, HasSubstr("\"model\": \"MODEL\""));
  EXPECT_THAT(nothing, HasSubstr("Next: `rbee worker deploy`"));
  EXPECT_THAT(nothing, HasSubstr("`rbee model add NAME FILE`"));
  const std::string model = greeting("http://127.0.0.1:7833", {.model = "m"});
  EXPECT_THAT(model, HasSubstr("Next: `rbee worker deploy`"));
  EXPECT_THAT(model, HasSubstr("`rbee chat m`"));
  const std::string worker = greeting("http://127.0.0.1:7833", {.has_worker = true});
  EXPECT_THAT(worker, HasSubstr("Next: `rbee model add NAME FILE`"));
  EXPECT_EQ(worker.find("worker deploy"), std::string::npos);
}

TEST(Greeting, WhatAnEarlierRunLeftInServiceIsNamed) {
  const InService now = in_service(json(R"({"workers": [{"name": "w"}], "models": [{"name": "kept"}]})"));
  EXPECT_EQ(now.model, "kept");
  EXPECT_TRUE(now.has_worker);
  EXPECT_FALSE(in_service(json(R"({"workers": [], "models": []})")).has_worker);
}

TEST(AnswerError, KeepsRbeesCodeAndReadsOpenAisByTheStatus) {
  EXPECT_EQ(
      error_of_answer(422, R"({"error": {"code": "bad_model_file", "message": "m", "hint": "h"}})").code,
      ErrorCode::bad_model_file);
  const Error openai = error_of_answer(404, R"({"error": {"code": "model_not_found", "message": "no 'x'"}})");
  EXPECT_EQ(openai.code, ErrorCode::unknown_model);
  EXPECT_EQ(openai.message, "no 'x'");
  EXPECT_EQ(error_of_answer(503, "<html>").code, ErrorCode::no_worker);
}

}  // namespace
}  // namespace rbee::cli
