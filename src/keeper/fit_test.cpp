#include "keeper/fit.h"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

Json row(std::string quant, std::int64_t bytes, std::vector<std::string> fits) {
  Json hives = Json::array();
  for (std::size_t i = 0; i < fits.size(); ++i)
    hives.push_back({{"hive", std::string("pc") + std::to_string(i)}, {"fits", fits[i]}});
  return Json{{"quant", std::move(quant)}, {"bytes", bytes}, {"hives", std::move(hives)}};
}

std::string chosen(const Json& table, Prefer prefer = Prefer::recommended) {
  const Json choice = choose_fit(table, prefer);
  return choice["quant"].is_null()
             ? "-"
             : choice["quant"].get<std::string>() + " on " + choice["hive"].get<std::string>();
}

TEST(ChooseFit, TheRecommendedQuantizationWinsAmongThoseThatFitWhole) {
  EXPECT_EQ(chosen({row("Q8_0", 80, {"whole"}), row("Q4_K_M", 45, {"whole"})}), "Q4_K_M on pc0");
}

TEST(ChooseFit, WithoutItTheLargestThatFitsWhole) {
  EXPECT_EQ(
      chosen({row("Q3_K_M", 35, {"whole"}), row("Q8_0", 80, {"no"}), row("Q5_K_M", 55, {"no", "whole"})}),
      "Q5_K_M on pc1");
}

TEST(ChooseFit, WholeGoesBeforeInPart) {
  EXPECT_EQ(chosen({row("Q4_K_M", 45, {"part"}), row("Q2_K", 25, {"whole"})}), "Q2_K on pc0");
}

TEST(ChooseFit, OfWhatFitsInPartTheSmallest) {
  EXPECT_EQ(chosen({row("Q8_0", 80, {"part"}), row("Q5_K_M", 55, {"part"})}), "Q5_K_M on pc0");
}

TEST(ChooseFit, AutoTakesTheLargestThatFitsWhole) {
  const Json table = {row("Q4_K_M", 45, {"whole"}), row("Q6_K", 60, {"whole"}), row("Q8_0", 80, {"part"})};
  EXPECT_EQ(chosen(table, Prefer::best), "Q6_K on pc0");
  EXPECT_EQ(chosen(table, Prefer::recommended), "Q4_K_M on pc0");
}

TEST(ChooseFit, ACardGoesBeforeACpuThatHoldsMore) {
  Json large = row("F16", 160, {"no", "whole"});
  large["hives"][1]["backend"] = "CPU";
  const Json small = row("Q6_K", 60, {"whole", "whole"});
  EXPECT_EQ(chosen({large, small}, Prefer::best), "Q6_K on pc0");
  // What a card holds in part is faster than the same on a CPU alone.
  Json split = row("Q4_K_M", 45, {"whole", "part"});
  split["hives"][0]["backend"] = "CPU";
  EXPECT_EQ(chosen(Json::array({split})), "Q4_K_M on pc1");
}

TEST(ChooseFit, OfTwoHivesTheFasterOne) {
  Json table = {row("Q4_K_M", 45, {"whole", "whole", "whole"})};
  table[0]["hives"][0]["speed"] = 20;
  table[0]["hives"][1]["speed"] = 60;
  EXPECT_EQ(chosen(table), "Q4_K_M on pc1");
}

TEST(ChooseFit, NothingWhereNothingFits) { EXPECT_EQ(chosen({row("Q4_K_M", 45, {"no"})}), "-"); }

}  // namespace
}  // namespace rbee::keeper
