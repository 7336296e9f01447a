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
  const char* first = buffer.prepare(10);
  for (int i = 0; i < 50; ++i) {
    fill(buffer, "some bytes");
    buffer.consume(10);
  }
  EXPECT_EQ(buffer.prepare(10), first);
}

TEST(ReadBuffer, OneThatRestsKeepsOnlyWhatIsUnread) {
  ReadBuffer buffer;
  fill(buffer, "abc");
  buffer.rest();
  EXPECT_EQ(buffer.unread(), "abc");
  buffer.consume(3);
  buffer.rest();
  EXPECT_EQ(buffer.unread(), "");
  fill(buffer, "def");
  EXPECT_EQ(buffer.unread(), "def");
}

TEST(ReadBuffer, OneThatWasLargeIsSmallAgainWhenLittleIsReadIntoIt) {
  ReadBuffer buffer;
  const char* large = buffer.prepare(100'000);
  buffer.commit(100'000);
  static_cast<void>(buffer.prepare(100));
  EXPECT_EQ(buffer.unread().size(), 100'000);
  buffer.consume(100'000);
  EXPECT_NE(buffer.prepare(100), large);
  fill(buffer, "abc");
  EXPECT_EQ(buffer.unread(), "abc");
}

TEST(ReadBuffer, WhatIsClearedKeepsItsRoom) {
  ReadBuffer buffer;
  fill(buffer, std::string(1000, 'x'));
  buffer.clear();
  EXPECT_EQ(buffer.unread(), "");
  EXPECT_GE(buffer.capacity(), 1000u);
}

}  // namespace
}  // namespace rbee::net
