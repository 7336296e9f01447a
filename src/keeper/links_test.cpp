#include "keeper/links.h"

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

TEST(Links, FewHivesAreHeardAtOnceAndThousandsInRounds) {
  EXPECT_EQ(Links::rest_with(0), Milliseconds{0});
  EXPECT_EQ(Links::rest_with(199), Milliseconds{0});
  EXPECT_EQ(Links::rest_with(1'000), Milliseconds{5});
}

TEST(Links, HoweverManyHivesARoundIsFarShorterThanTheirSilence) {
  EXPECT_LE(Links::rest_with(1'000'000) * 10, HivePresence::suspect_after);
}

}  // namespace
}  // namespace rbee::keeper
