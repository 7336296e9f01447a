// What is told of a request when it is over: the line of the access log, its spans, and how they get out.
#include "keeper/request_record.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "keeper/access_log.h"
#include "keeper/spans.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <unistd.h>
#include <algorithm>
#include <filesystem>
#include <vector>

namespace rbee::keeper {
namespace {

std::shared_ptr<const FleetEngine> engine_on(const char* worker) {
  FleetEngine engine;
  engine.worker = worker;
  engine.hive = "box";
  return std::make_shared<const FleetEngine>(engine);
}

RequestRecord a_chat() {
  RequestRecord record{.id = "abc",
                       .key = "ann",
                       .model = "llama",
                       .of_engine = true,
                       .status = 200,
                       .begun_us = 1'000'000,
                       .first_us = 1'250'000,
                       .ended_us = 3'000'000,
                       .queued_us = 200'000,
                       .tokens = {.prompt = 10, .cached = 4, .made = 6}};
  record.origin = std::make_shared<const RequestOrigin>(
      RequestOrigin{.client = "192.168.1.9",
                    .method = "POST",
                    .path = "/v1/chat/completions",
                    .trace = {.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
                              .span_id = "1111111111111111",
                              .parent_id = "2222222222222222",
                              .sampled = true},
                    .begun_unix_ms = 1'700'000'000'042});
  record.attempts = {{.engine = engine_on("w1"),
                      .span_id = "3333333333333333",
                      .asked_us = 1'000'000,
                      .begun_us = 1'200'000,
                      .ended_us = 1'210'000,
                      .placed_again = true},
                     {.engine = engine_on("w2"),
                      .span_id = "4444444444444444",
                      .asked_us = 1'210'000,
                      .begun_us = 1'210'000,
                      .ended_us = 3'000'000}};
  return record;
}

TEST(OwnTime, IsAllButWhatWaits) {
  OwnTime own;
  own.begin(100);
  own.waits(110);
  own.waits(150);
  own.goes_on(200);
  own.goes_on(205);
  EXPECT_EQ(own.own_us(230), 40);
}

TEST(AccessLine, IsOneLineOfJsonWithWhatIsKnown) {
  const std::string line = access_line(a_chat());
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  const Json json = *parse_json(line);
  EXPECT_EQ(json["time"], "2023-11-14T22:13:20.042Z");
  EXPECT_EQ(json["total_ms"], 2000.0);
  EXPECT_EQ(json["first_ms"], 250.0);
  EXPECT_EQ(json["queue_ms"], 200.0);
  EXPECT_EQ(json["attempts"], 2);
  EXPECT_EQ(json["tokens"], 6);
  EXPECT_FALSE(json.contains("error"));
  RequestRecord of_health{.status = 200};
  of_health.origin =
      std::make_shared<const RequestOrigin>(RequestOrigin{.method = "GET", .path = "/healthz", .trace = {}});
  const Json other = *parse_json(access_line(of_health));
  EXPECT_FALSE(other.contains("model") || other.contains("outcome"));
}

TEST(Spans, AreTheRequestItsWaitAndEachAskingOfAnEngine) {
  Random random(1);
  const std::vector<RequestRecord> records{a_chat()};
  EXPECT_EQ(span_count(records[0]), 4u);
  const Json spans =
      (*parse_json(otlp_json(records, "1", random)))["resourceSpans"][0]["scopeSpans"][0]["spans"];
  ASSERT_EQ(spans.size(), 4u);
  EXPECT_EQ(spans[0]["name"], "chat llama");
  EXPECT_EQ(spans[0]["parentSpanId"], "2222222222222222");
  EXPECT_EQ(spans[0]["startTimeUnixNano"], "1700000000042000000");
  EXPECT_EQ(spans[0]["endTimeUnixNano"], "1700000002042000000");
  EXPECT_EQ(spans[1]["name"], "queue");
  EXPECT_EQ(spans[2]["spanId"], "3333333333333333");
  EXPECT_EQ(spans[2]["status"]["code"], 2) << "it had to be placed again";
  for (const std::size_t child : {1u, 2u, 3u}) EXPECT_EQ(spans[child]["parentSpanId"], "1111111111111111");
}

class AccessLogTest : public ::testing::Test {
 protected:
  AccessLogTest() : folder_(cat("/tmp/rbee-access-", ::getpid())) {
    std::filesystem::create_directory(folder_);
  }
  ~AccessLogTest() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string file(std::string_view more = "") const {
    return cat(folder_, "/access.log", more);
  }
  [[nodiscard]] static std::string content(const std::string& path) { return *read_file(path, 1u << 20); }
  std::string folder_;
};

TEST_F(AccessLogTest, WhatWasWrittenIsInTheFileWhenItEnds) {
  {
    AccessLog log(Log::none());
    log.write("before it is on\n");
    log.set_file(file());
    log.write("one\n");
    log.write("two\n");
  }
  EXPECT_EQ(content(file()), "one\ntwo\n");
  AccessLog(Log::none()).set_file(file());
  EXPECT_EQ(content(file()), "one\ntwo\n") << "what was there stays";
}

TEST_F(AccessLogTest, AFileThatIsFullMakesWayAndThreeOldOnesStay) {
  for (const char* line : {"1\n", "2\n", "3\n", "4\n", "5\n"}) {
    AccessLog log(Log::none(), {.largest_file_bytes = 2, .old_files = 3});
    log.set_file(file());
    log.write(line);
  }
  EXPECT_EQ(content(file(".1")), "5\n");
  EXPECT_EQ(content(file(".3")), "3\n");
  EXPECT_FALSE(std::filesystem::exists(file(".4")));
}

TEST_F(AccessLogTest, AFileThatIsNoneIsSaidAndLosesLinesNotRequests) {
  AccessLog log(Log::none());
  log.set_file(cat(folder_, "/no/such/folder"));
  log.write("one\ntwo\n");
  log.end();
  EXPECT_EQ(log.dropped(), 2u);
}

TEST_F(AccessLogTest, WhatIsTooMuchIsDroppedAndCounted) {
  AccessLog log(Log::none());
  log.set_file(file());
  log.write(std::string(AccessLog::most_waiting_bytes, 'x'));
  EXPECT_EQ(log.dropped(), 0u);
  log.write(std::string(AccessLog::most_waiting_bytes + 1, 'x'));
  EXPECT_EQ(log.dropped(), 1u);
}

}  // namespace
}  // namespace rbee::keeper
