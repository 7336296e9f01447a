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

std::string chosen(const Json& table) {
  const Json choice = choose_fit(table);
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

TEST(ChooseFit, NothingWhereNothingFits) { EXPECT_EQ(chosen({row("Q4_K_M", 45, {"no"})}), "-"); }

}  // namespace
}  // namespace rbee::keeper
