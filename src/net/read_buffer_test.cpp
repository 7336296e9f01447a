#include "net/read_buffer.h"

#include <gtest/gtest.h>

#include <string>

namespace rbee::net {
namespace {

void fill(ReadBuffer& buffer, std::string_view text) {
  std::memcpy(buffer.prepare(text.size()), text.data(), text.size());
  buffer.commit(text.size());
}

TEST(ReadBuffer, WhatIsUnreadSurvivesGrowingAndMoving) {
  ReadBuffer buffer;
  EXPECT_EQ(buffer.unread(), "");
  fill(buffer, "abcdef");
  buffer.consume(4);
  fill(buffer, std::string(1000, 'x'));
  EXPECT_EQ(buffer.unread(), "ef" + std::string(1000, 'x'));
}

TEST(ReadBuffer, AnEmptyOneBeginsAtItsFrontAgain) {
  ReadBuffer buffer;
  const char* first = buffer.prepare(100);
  for (int i = 0; i < 50; ++i) {
    fill(buffer, "some bytes");
    buffer.consume(10);
  }
  EXPECT_EQ(buffer.prepare(100), first);
}

}  // namespace
}  // namespace rbee::net
