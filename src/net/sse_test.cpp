#include "net/sse.h"

#include <gtest/gtest.h>

namespace rbee::net {
namespace {

std::string read_in_pieces(std::string_view text, std::size_t piece) {
  SseReader reader;
  std::string seen;
  while (!text.empty()) {
    EXPECT_TRUE(reader.feed(text.substr(0, piece)));
    text.remove_prefix(std::min(piece, text.size()));
    while (const auto event = reader.next()) seen += "[" + event->event + "|" + event->data + "]";
  }
  return seen;
}

TEST(Sse, EventsAreTheSameInPiecesOfAnySize) {
  const std::string_view text =
      ": ping\n\nevent: report\ndata: {\"a\":1}\n\ndata: x\ndata:y\r\n\r\nevent: empty\n\ndata: cut";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_EQ(read_in_pieces(text, piece), "[report|{\"a\":1}][|x\ny]") << piece;
  }
}

TEST(Sse, WhatIsWrittenIsReadBack) {
  EXPECT_EQ(read_in_pieces(format_sse("e", "one\ntwo") + format_sse("", ""), 1000), "[e|one\ntwo][|]");
}

TEST(Sse, AnEventWithoutEndIsRefusedAtItsLimit) {
  SseReader reader;
  EXPECT_TRUE(reader.feed(std::string(SseReader::longest_event_bytes, 'x')));
  EXPECT_FALSE(reader.feed("x"));
}

}  // namespace
}  // namespace rbee::net
