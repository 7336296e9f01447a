#include "cli/keeper_address.h"

#include <gtest/gtest.h>

namespace rbee::cli {
namespace {

TEST(KeeperAddress, WhatIsNoAddressOfAKeeperIsWrongUsage) {
  for (const char* text : {"ftp://127.0.0.1", "ftp://x", "", "127.0.0.1:99999", "http://https://127.0.0.1",
                           "http://127.0.0.1#KEY"}) {
    const Result<KeeperAddress> got = parse_keeper_address(text, "--keeper");
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().code, ErrorCode::bad_usage) << text;
    EXPECT_NE(got.error().message.find(text), std::string::npos) << got.error().message;
  }
}

TEST(KeeperAddress, AnAddressMayHaveAScheme) {
  for (const char* text : {"127.0.0.1:7833", "http://127.0.0.1:7833", "https://127.0.0.1:7833/"}) {
    const Result<KeeperAddress> got = parse_keeper_address(text, "--keeper");
    ASSERT_TRUE(got) << text << ": " << got.error().message;
    EXPECT_EQ(got->endpoint.text(), "127.0.0.1:7833");
  }
}

}  // namespace
}  // namespace rbee::cli
