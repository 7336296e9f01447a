#include "net/deadlines.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

namespace rbee::net {
namespace {

struct Told final : Deadline {
  explicit Told(std::function<void()> what) : tell(std::move(what)) {}
  void due() override { tell(); }
  std::function<void()> tell;
};

class DeadlinesTest : public ::testing::Test {
 protected:
  std::unique_ptr<Told> one(char name) {
    return std::make_unique<Told>([this, name] { told_ += name; });
  }
  [[nodiscard]] Instant in_ms(int ms) const { return clock_.now() + Milliseconds{ms}; }
  // All that is due by then is told.
  void wait_ms(int ms) { loop_.block_on(sleep_for(loop_, Milliseconds{ms})); }

  SystemClock clock_;
  Loop loop_{clock_};
  Deadlines deadlines_{loop_};
  std::string told_;
};

TEST_F(DeadlinesTest, AreToldInTheOrderOfTheirTimes) {
  const auto a = one('a');
  const auto b = one('b');
  const auto c = one('c');
  const Instant now = clock_.now();
  deadlines_.set(*c, now + Milliseconds{3});
  deadlines_.set(*a, now + Milliseconds{1});
  deadlines_.set(*b, now + Milliseconds{2});
  while (told_.size() < 3) wait_ms(1);
  EXPECT_EQ(told_, "abc");
  EXPECT_FALSE(a->is_set());
}

TEST_F(DeadlinesTest, OneThatIsSetAgainIsToldOnce) {
  const auto a = one('a');
  const auto b = one('b');
  deadlines_.set(*a, in_ms(60'000));
  deadlines_.set(*a, in_ms(1));
  deadlines_.set(*b, in_ms(1));
  deadlines_.set(*b, in_ms(60'000));
  while (told_.empty()) wait_ms(1);
  wait_ms(2);
  EXPECT_EQ(told_, "a");
  EXPECT_TRUE(b->is_set());
}

TEST_F(DeadlinesTest, OneThatWentAwayOrWasCancelledIsNotTold) {
  auto a = one('a');
  const auto b = one('b');
  const auto c = one('c');
  const Instant soon = in_ms(1);
  deadlines_.set(*a, soon);
  deadlines_.set(*b, soon);
  deadlines_.set(*c, soon + Milliseconds{1});
  a.reset();
  b->cancel();
  while (told_.empty()) wait_ms(1);
  EXPECT_EQ(told_, "c");
}

TEST_F(DeadlinesTest, OneMaySetItselfAgainOrEndAnotherWhileItIsTold) {
  auto victim = one('v');
  std::unique_ptr<Told> again;
  int times = 0;
  again = std::make_unique<Told>([&] {
    victim.reset();
    if (++times < 3) deadlines_.set(*again, in_ms(1));
  });
  const Instant soon = in_ms(1);
  deadlines_.set(*again, soon);
  deadlines_.set(*victim, soon);
  while (times < 3) wait_ms(1);
  EXPECT_EQ(told_, "");
}

TEST(Deadlines, ThatGoForgetWhatIsSet) {
  SystemClock clock;
  Loop loop(clock);
  Told left([] { FAIL(); });
  {
    Deadlines deadlines(loop);
    deadlines.set(left, clock.now());
  }
  EXPECT_FALSE(left.is_set());
  loop.block_on(sleep_for(loop, Milliseconds{1}));
}

}  // namespace
}  // namespace rbee::net
