#include "cli/benchmark_view.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::cli {
namespace {

Json result(std::string_view at, double speed) {
  return {{"worker", "w"},
          {"backend", "CPU"},
          {"model", "m"},
          {"quant", "Q8_0"},
          {"speed", speed},
          {"speed_all_slots", 2 * speed},
          {"slots", 4},
          {"spread", 0.04},
          {"ttft_ms", 12.5},
          {"load_seconds", 0.5},
          {"load_cold_seconds", nullptr},
          {"memory_bytes", 5'000'000},
          {"bare", {{"prompt_speed", 900}, {"speed", 1.1 * speed}}},
          {"complete", true},
          {"at", at}};
}

Json answer() {
  return {{"results", Json::array({result("2026-11-26T14:05:06Z", 100)})},
          {"comparison",
           Json::array({{{"worker", "w"}, {"backend", "CPU"}, {"speed", 10}, {"estimated", true}},
                        {{"worker", "gpu"}, {"backend", "CUDA"}, {"speed", 100}, {"estimated", false}}})}};
}

TEST(BenchmarkView, ATableSaysHowSureTheSpeedIs) {
  const Table table = benchmark_table(answer());
  ASSERT_EQ(table.rows.size(), 1u);
  EXPECT_EQ(table.rows[0].size(), table.header.size());
  EXPECT_EQ(table.rows[0][4], "100 +-2.00");
  EXPECT_EQ(table.rows[0][5], "200 (4)");
  EXPECT_EQ(table.rows[0][9], "");  // was not measured
  EXPECT_EQ(table.rows[0].back(), "2026-11-26 14:05");
}

TEST(BenchmarkView, BarsAreAsLongAsTheSpeedsAndEstimatesLookOtherwise) {
  const std::string bars = comparison_bars(answer(), 80);
  const std::size_t gpu = bars.find("gpu (CUDA)"), cpu = bars.find("w (CPU)");
  ASSERT_TRUE(gpu != std::string::npos && cpu != std::string::npos);
  EXPECT_LT(gpu, cpu);  // the fastest first
  const auto count = [&](char c) { return std::count(bars.begin(), bars.end(), c); };
  EXPECT_NEAR(static_cast<double>(count('#')), 10.0 * static_cast<double>(count('-')), 10);
  EXPECT_NE(bars.find("10.0 (estimated)"), std::string::npos);
  EXPECT_EQ(comparison_bars(Json::object(), 80), "");
}

TEST(BenchmarkView, HistoryShowsTheDriftOfWholeRuns) {
  Json cut = result("2026-11-03T00:00:00Z", 5);
  cut["complete"] = false;
  const Json all{
      {"results", Json::array({result("2026-11-01T00:00:00Z", 100), result("2026-11-02T00:00:00Z", 75), cut,
                               result("2026-11-04T00:00:00Z", 90)})}};
  const Table table = history_table(all);
  ASSERT_EQ(table.rows.size(), 4u);
  EXPECT_EQ(table.rows[0][5], "");
  EXPECT_EQ(table.rows[1][5], "-25.0 %");
  EXPECT_EQ(table.rows[2][5], "");
  EXPECT_NE(table.rows[2][0].find("(interrupted)"), std::string::npos);
  EXPECT_EQ(table.rows[3][5], "+20.0 %");
}

TEST(BenchmarkView, CsvHasALineForEachResultAndQuotesWhatNeedsIt) {
  Json one = answer();
  one["results"][0]["device"] = "a, \"b\"";
  const std::string csv = benchmark_csv(one);
  EXPECT_TRUE(csv.starts_with("at,worker,hive,backend,device,model,quant,"));
  EXPECT_NE(csv.find("2026-11-26T14:05:06Z,w,,CPU,\"a, \"\"b\"\"\",m,Q8_0,4,"), std::string::npos) << csv;
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 2);
}

TEST(BenchmarkView, APlotIsSvgOrAPageByItsName) {
  EXPECT_TRUE(benchmark_plot(answer(), "x.svg").starts_with("<svg"));
  const std::string page = benchmark_plot(answer(), "x.html");
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("llama-bench"), std::string::npos);
  EXPECT_NE(page.find("(estimated)"), std::string::npos);
}

TEST(BenchmarkView, SaysWhatIsMissing) {
  Json cut = answer();
  cut["results"][0]["complete"] = false;
  cut["results"][0]["reason"] = "It was interrupted.";
  cut["results"][0]["discarded"] = 3;
  cut["failed"] =
      Json::array({{{"worker", "v"}, {"error", {{"code", "does_not_fit"}, {"message", "No room."}}}}});
  const std::vector<std::string> notes = benchmark_notes(cut);
  ASSERT_EQ(notes.size(), 3u);
  EXPECT_NE(notes[0].find("It was interrupted."), std::string::npos);
  EXPECT_NE(notes[1].find("3 runs"), std::string::npos);
  EXPECT_EQ(notes[2], "v: No room.");
}

}  // namespace
}  // namespace rbee::cli
