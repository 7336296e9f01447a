#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace rbee {
namespace {

TEST(Random, OneSeedGivesOneSequence) {
  Random a(7);
  Random b(7);
  Random other(8);
  EXPECT_EQ(a.id(), b.id());
  EXPECT_EQ(a.unit(), b.unit());
  EXPECT_NE(a.id(), other.id());
}

TEST(Random, UnitsLieBetweenZeroAndOne) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const double unit = random.unit();
    EXPECT_GE(unit, 0);
    EXPECT_LT(unit, 1);
  }
}

TEST(Random, IdsAreSafeInPathsAndDoNotRepeat) {
  Random random(1);
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = random.id(10);
    EXPECT_EQ(id.size(), 10u);
    EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos) << id;
    EXPECT_TRUE(ids.insert(id).second) << id;
  }
}

}  // namespace
}  // namespace rbee
