#include "base/calendar.h"

#include <gtest/gtest.h>

namespace rbee {
namespace {

TEST(Calendar, WritesATimeAsItIsInGreenwich) {
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(iso_time(1'709'164'799'999), "2024-02-28T23:59:59Z");
  EXPECT_EQ(iso_time(1'709'164'800'000), "2024-02-29T00:00:00Z");
  EXPECT_EQ(iso_time_ms(1'709'164'800'007), "2024-02-29T00:00:00.007Z");
  EXPECT_EQ(iso_time_ms(1'709'164'799'999), "2024-02-28T23:59:59.999Z");
}

}  // namespace
}  // namespace rbee
