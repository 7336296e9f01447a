#include "engine/allowed_args.h"

#include <gtest/gtest.h>

namespace rbee::engine {
namespace {

std::string refused(std::vector<std::string> args) {
  const Result<void> checked = check_engine_args(args);
  return checked ? std::string() : checked.error().message + " " + checked.error().hint;
}

TEST(AllowedArgs, WhatChangesHowTextIsMadeMayBeGiven) {
  EXPECT_EQ(refused({}), "");
  EXPECT_EQ(refused({"--temp", "0.7", "--no-jinja", "--rope-scaling", "yarn"}), "");
  // A value may look like an argument.
  EXPECT_EQ(refused({"--reasoning-budget", "-1"}), "");
}

TEST(AllowedArgs, WhatRbeeDecidesItselfMayNot) {
  for (const char* one :
       {"-m", "--model", "--host", "--port", "-ngl", "--n-gpu-layers", "-c", "--ctx-size", "-np", "--lora",
        "--api-key-file", "--slot-save-path", "--log-file", "-fa", "--fit"})
    EXPECT_NE(refused({one, "1"}), "") << one;
  EXPECT_NE(refused({"--temp=0.7"}), "");
  EXPECT_NE(refused({"0.7"}), "");
}

TEST(AllowedArgs, ATypoIsToldTheNearestOne) {
  EXPECT_NE(refused({"--top-kk", "3"}).find("--top-k"), std::string::npos);
}

TEST(AllowedArgs, AValueThatIsMissingIsNamed) {
  EXPECT_NE(refused({"--no-warmup", "--temp"}).find("'--temp' needs a value"), std::string::npos);
}

}  // namespace
}  // namespace rbee::engine
