#include "domain/hive_token.h"

#include <gtest/gtest.h>

namespace rbee {
namespace {

const HiveToken token{.secret = "AAAAAAAAAAAAAAAAAAAAAA", .key_print = std::string(43, 'b')};

TEST(HiveToken, IsReadAsItWasWritten) {
  const Result<HiveToken> read = parse_token("  " + format_token(token) + "\r\n");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->secret, token.secret);
  EXPECT_EQ(read->key_print, token.key_print);
}

TEST(HiveToken, OneThatWasCutSaysHowMuchIsMissing) {
  std::string cut = format_token(token);
  cut.resize(40);
  const Result<HiveToken> read = parse_token(cut);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("40 characters of 76"), std::string::npos) << read.error().message;
}

TEST(HiveToken, WhatIsNoneIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("sk-1234"), format_token(token) + "x", std::string("rbee-hive-."),
        "rbee-hive-" + std::string(22, '+') + "." + std::string(43, 'b'),
        "rbee-hive-" + std::string(66, 'a')}) {
    EXPECT_EQ(parse_token(text).error().code, ErrorCode::bad_request) << text;
  }
}

}  // namespace
}  // namespace rbee
