#include "domain/link_request.h"

#include <gtest/gtest.h>

namespace rbee {
namespace {

TEST(LinkRequest, IsReadAsItWasWritten) {
  const LinkRequest asked{.name = "laptop",
                          .version = "0.1.0",
                          .addresses = {"192.168.1.7:7835", "[fd00::7]:7835"},
                          .asking = true,
                          .spare = false};
  const Result<LinkRequest> read = parse_link_request(link_request_text(asked));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(link_request_text(*read), link_request_text(asked));
}

TEST(LinkRequest, WhatIsNoNameIsRefusedAndTooMuchIsLeftOut) {
  for (const char* text : {"", "[]", "{}", R"({"hive": "../x"})", R"({"hive": 3})"})
    EXPECT_FALSE(parse_link_request(text)) << text;
  const Result<LinkRequest> read =
      parse_link_request(R"({"hive": "h", "addresses": ["a", 1, "b", "c", "d", "e"]})");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->addresses.size(), most_link_addresses);
  const std::string long_version(65, '1');
  EXPECT_FALSE(parse_link_request("{\"hive\": \"h\", \"version\": \"" + long_version + "\"}"));
}

}  // namespace
}  // namespace rbee
