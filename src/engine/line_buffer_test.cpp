#include "engine/line_buffer.h"

#include <gtest/gtest.h>

#include <vector>

namespace rbee::engine {
namespace {

std::vector<std::string> lines_of(const std::vector<std::string>& pieces) {
  LineBuffer buffer;
  std::vector<std::string> lines;
  const auto keep = [&lines](std::string_view line) { lines.emplace_back(line); };
  for (const std::string& piece : pieces) buffer.feed(piece, keep);
  buffer.finish(keep);
  return lines;
}

using Lines = std::vector<std::string>;

TEST(LineBuffer, LinesAreTheSameHoweverTheBytesCome) {
  EXPECT_EQ(lines_of({"a\nbc\r\n\nd"}), (Lines{"a", "bc", "", "d"}));
  EXPECT_EQ(lines_of({"a", "\nb", "c\r", "\n", "\nd"}), (Lines{"a", "bc", "", "d"}));
}

TEST(LineBuffer, NothingLeftMeansNoLine) {
  EXPECT_EQ(lines_of({"a\n"}), (Lines{"a"}));
  EXPECT_EQ(lines_of({""}), Lines{});
}

TEST(LineBuffer, EndlessLineComesInPieces) {
  const std::string endless(LineBuffer::longest_line_bytes + 10, 'x');
  const Lines lines = lines_of({endless, "\nnext\n"});
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].size(), LineBuffer::longest_line_bytes);
  EXPECT_EQ(lines[1], std::string(10, 'x'));
  EXPECT_EQ(lines[2], "next");
}

}  // namespace
}  // namespace rbee::engine
