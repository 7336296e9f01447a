#include "cli/environment.h"

#include <gtest/gtest.h>

namespace rbee::cli {
namespace {

TEST(Environment, AHostsNameIsMadeOneOfAHive) {
  EXPECT_EQ(name_of_host("Gaming-PC.local"), "Gaming-PC");
  EXPECT_EQ(name_of_host("my_host"), "my_host");
  EXPECT_EQ(name_of_host("Ann's laptop"), "ann-s-laptop");
  EXPECT_EQ(name_of_host("-x-"), "x");
  EXPECT_EQ(name_of_host("größe"), "gr-e");
  for (const char* none : {"", ".", "---", "ß"}) EXPECT_EQ(name_of_host(none), "localhost") << none;
}

}  // namespace
}  // namespace rbee::cli
