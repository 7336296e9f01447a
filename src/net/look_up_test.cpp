#include "net/look_up.h"

#include "base/clock.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace rbee::net {
namespace {

using Addresses = std::vector<std::string>;

Task<void> keep(Loop& loop, std::string name, Milliseconds within, Addresses& found) {
  Task<Addresses> looking = look_up_within(loop, std::move(name), within);
  found = co_await looking;
}

TEST(LookUp, TheOwnMachinesNameIsLoopback) {
  const Addresses found = look_up("localhost");
  EXPECT_TRUE(std::ranges::find(found, "127.0.0.1") != found.end() ||
              std::ranges::find(found, "::1") != found.end());
  EXPECT_EQ(look_up("127.0.0.9"), Addresses{"127.0.0.9"});
  SystemClock clock;
  Loop loop(clock);
  Addresses from_loop;
  loop.block_on(keep(loop, "localhost", Milliseconds{60'000}, from_loop));
  EXPECT_EQ(from_loop, found);
}

TEST(LookUp, WhatIsNoNameHasNoAddress) {
  EXPECT_EQ(look_up("no name at all"), Addresses{});
  EXPECT_EQ(look_up(""), Addresses{});
}

// Dropped before it is answered: the thread must find nobody, and nothing of the loop.
TEST(LookUp, WhoLeavesIsNotWaitedFor) {
  SystemClock clock;
  for (int i = 0; i < 20; ++i) {
    Loop loop(clock);
    Addresses found;
    loop.spawn(keep(loop, "localhost", Milliseconds{60'000}, found));
    loop.post([&loop] { loop.stop(); });
    loop.run();
  }
}

}  // namespace
}  // namespace rbee::net
