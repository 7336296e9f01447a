#include "keeper/asking.h"

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

using namespace std::chrono_literals;

class AskingTest : public ::testing::Test {
 protected:
  std::string ask(const std::string& name, const std::string& key) {
    const Result<void> asked = asking_.ask({.name = name, .key_print = key, .last_asked = clock_.now()});
    return asked ? "asks" : std::string(info(asked.error().code).name);
  }
  ManualClock clock_;
  Asking asking_;
};

TEST_F(AskingTest, AskingTwiceIsAskingOnceAndANameIsOnes) {
  EXPECT_EQ(ask("laptop", "a"), "asks");
  EXPECT_EQ(ask("laptop", "a"), "asks");
  EXPECT_EQ(ask("laptop", "b"), "name_taken");
  EXPECT_EQ(asking_.all(clock_.now()).size(), 1u);
  EXPECT_EQ(ask("notebook", "a"), "asks") << "under another name";
  EXPECT_EQ(asking_.all(clock_.now()).front().name, "notebook");
}

TEST_F(AskingTest, WhoIsLetInAsksNoLonger) {
  EXPECT_EQ(ask("laptop", "a"), "asks");
  ASSERT_TRUE(asking_.take("laptop"));
  EXPECT_FALSE(asking_.take("laptop"));
  EXPECT_TRUE(asking_.all(clock_.now()).empty());
}

TEST_F(AskingTest, WhoWasRefusedHearsItUntilItsUserAsksAnew) {
  EXPECT_EQ(ask("laptop", "a"), "asks");
  EXPECT_TRUE(asking_.refuse("laptop"));
  EXPECT_FALSE(asking_.refuse("laptop"));
  EXPECT_EQ(ask("laptop", "a"), "not_allowed");
  EXPECT_EQ(ask("laptop", "b"), "asks");
  asking_.forgive("a");
  EXPECT_EQ(ask("other", "a"), "asks");
}

TEST_F(AskingTest, WhoFellSilentIsForgotten) {
  EXPECT_EQ(ask("laptop", "a"), "asks");
  clock_.advance(Asking::forgotten_after + 1ms);
  EXPECT_TRUE(asking_.all(clock_.now()).empty());
  EXPECT_EQ(ask("laptop", "b"), "asks") << "its name is free";
}

TEST_F(AskingTest, ThereIsALimit) {
  for (std::size_t i = 0; i < Asking::most; ++i)
    ASSERT_EQ(ask("h" + std::to_string(i), "k" + std::to_string(i)), "asks");
  EXPECT_EQ(ask("one-more", "x"), "queue_full");
  for (std::size_t i = 0; i < Asking::most; ++i) EXPECT_TRUE(asking_.refuse("h" + std::to_string(i)));
  EXPECT_EQ(ask("one-more", "x"), "asks");
}

}  // namespace
}  // namespace rbee::keeper
