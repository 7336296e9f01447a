#include "keeper/key_limits.h"

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

using namespace std::chrono_literals;

class Limits : public ::testing::Test {
 protected:
  // How many of `asked` requests at this moment are let through.
  int let_through(const ApiKey& key, int asked) {
    int count = 0;
    for (int i = 0; i < asked; ++i) count += limits_.take_request(key, clock_.now()) ? 0 : 1;
    return count;
  }
  ManualClock clock_;
  KeyLimits limits_;
};

TEST_F(Limits, AKeyWithoutLimitsIsNeverHeldUp) {
  const ApiKey key{.name = "ann", .hash = {}};
  EXPECT_EQ(let_through(key, 1000), 1000);
}

TEST_F(Limits, AMinutesWorthMayComeAtOnceAndThenEvenly) {
  const ApiKey key{.name = "ann", .hash = {}, .requests_per_minute = 30};
  EXPECT_EQ(let_through(key, 31), 30);
  EXPECT_EQ(limits_.take_request(key, clock_.now()).value_or(KeyLimits::Wait{}).seconds, 2);
  clock_.advance(2s);
  EXPECT_EQ(let_through(key, 5), 1);
  clock_.advance(60min);
  EXPECT_EQ(let_through(key, 100), 30);
}

TEST_F(Limits, KeysHaveTheirOwn) {
  const ApiKey ann{.name = "ann", .hash = {}, .requests_per_minute = 1};
  const ApiKey bob{.name = "bob", .hash = {}, .requests_per_minute = 1};
  EXPECT_EQ(let_through(ann, 2), 1);
  EXPECT_EQ(let_through(bob, 2), 1);
}

TEST_F(Limits, TokensAreADebtThatIsWaitedOff) {
  const ApiKey key{.name = "ann", .hash = {}, .tokens_per_minute = 600};
  EXPECT_EQ(let_through(key, 1), 1);
  limits_.spend_tokens(key, 1199, clock_.now());
  const std::optional<KeyLimits::Wait> wait = limits_.take_request(key, clock_.now());
  ASSERT_TRUE(wait);
  EXPECT_EQ(wait->seconds, 60);
  EXPECT_EQ(wait->of, KeyLimits::Of::tokens);
  clock_.advance(59s);
  EXPECT_EQ(let_through(key, 1), 0);
  clock_.advance(1s);
  EXPECT_EQ(let_through(key, 1), 1);
}

TEST_F(Limits, AKeyThatIsMadeAnewHasUsedNothing) {
  const ApiKey key{.name = "ann", .hash = {}, .requests_per_minute = 1};
  EXPECT_EQ(let_through(key, 2), 1);
  limits_.forget_all_but(ApiKeys());
  EXPECT_EQ(let_through(key, 2), 1);
}

}  // namespace
}  // namespace rbee::keeper
