#include "net/stream.h"

#include <gtest/gtest.h>

namespace rbee::net {
namespace {

std::string parsed(std::string_view text) {
  const auto endpoint = parse_endpoint(text, 7833);
  return endpoint ? endpoint->text() : "refused";
}

TEST(Endpoint, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(parsed("127.0.0.1:80"), "127.0.0.1:80");
  EXPECT_EQ(parsed("127.0.0.1"), "127.0.0.1:7833");
  EXPECT_EQ(parsed(":81"), "127.0.0.1:81");
  EXPECT_EQ(parsed("localhost:82"), "127.0.0.1:82");
  EXPECT_EQ(parsed("[::1]:83"), "[::1]:83");
  EXPECT_EQ(parsed("[::1]"), "[::1]:7833");
  EXPECT_EQ(parsed("http://127.0.0.1:84/"), "127.0.0.1:84");
  EXPECT_EQ(parsed("/run/x.sock"), "unix:/run/x.sock");
}

TEST(Endpoint, NonsenseIsRefused) {
  for (const std::string_view text :
       {"", "host.example:80", "127.0.0.1:x", "127.0.0.1:70000", "[::1]80", "1.2.3.4.5"}) {
    EXPECT_EQ(parsed(text), "refused") << text;
  }
}

TEST(Endpoint, LoopbackIsKnownInBothFamilies) {
  EXPECT_TRUE(is_loopback(*parse_endpoint("127.3.2.1:1", 0)));
  EXPECT_TRUE(is_loopback(*parse_endpoint("[::1]:1", 0)));
  EXPECT_FALSE(is_loopback(*parse_endpoint("0.0.0.0:1", 0)));
  EXPECT_FALSE(is_loopback(*parse_endpoint("[::]:1", 0)));
}

}  // namespace
}  // namespace rbee::net
