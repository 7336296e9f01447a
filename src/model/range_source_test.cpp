#include "model/range_source.h"

#include "base/text.h"
#include "model/gguf_picture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace rbee::model {
namespace {

// A text that is handed out in ranges, with what was asked for.
struct Shelf {
  std::string content;
  std::vector<std::string> asked = {};
  std::size_t most_at_once = static_cast<std::size_t>(-1);

  [[nodiscard]] FetchRange fetch() {
    return [this](std::uint64_t offset, std::size_t size) -> Result<std::string> {
      asked.push_back(cat(offset, "+", size));
      return content.substr(static_cast<std::size_t>(offset), std::min(size, most_at_once));
    };
  }
};

std::string letters(std::size_t count) {
  std::string text(count, '\0');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

TEST(RangeSource, SmallReadsShareARangeAndTheNextIsTwiceAsLarge) {
  Shelf shelf{letters(4u << 20)};
  const RangeSource source("m", shelf.content.size(), shelf.fetch());
  for (std::uint64_t at = 0; at < (1u << 20); at += 1000) {
    EXPECT_EQ(*source.read(at, 1000), shelf.content.substr(static_cast<std::size_t>(at), 1000));
  }
  ASSERT_EQ(shelf.asked.size(), 3u);
  EXPECT_EQ(shelf.asked.at(0), cat("0+", 256u << 10));
  EXPECT_TRUE(shelf.asked.at(1).ends_with(cat("+", 512u << 10)));
}

TEST(RangeSource, ARangeThatComesInPiecesIsPutTogether) {
  Shelf shelf{.content = letters(1000), .most_at_once = 300};
  const RangeSource source("m", 1000, shelf.fetch());
  EXPECT_EQ(*source.read(50, 900), shelf.content.substr(50, 900));
}

TEST(RangeSource, NothingIsAskedForBeyondTheEnd) {
  Shelf shelf{letters(100)};
  const RangeSource source("m", 100, shelf.fetch());
  EXPECT_EQ(*source.read(90, 10), shelf.content.substr(90));
  EXPECT_EQ(shelf.asked.at(0), "90+10");
  EXPECT_EQ(source.read(95, 10).error().code, ErrorCode::io_failed);
  EXPECT_EQ(source.read(1ull << 62, 10).error().code, ErrorCode::io_failed);
}

TEST(RangeSource, AnAnswerWithoutBytesIsAnErrorAndNotALoop) {
  Shelf shelf{.content = letters(100), .most_at_once = 0};
  EXPECT_EQ(RangeSource("m", 100, shelf.fetch()).read(0, 10).error().code, ErrorCode::io_failed);
}

TEST(RangeSource, AHeaderCostsItselfAndNotTheFile) {
  GgufPicture picture;
  picture.text("general.architecture", "llama").tokens(300'000);
  picture.tensor("token_embd.weight", {4096, 300'000}, 1);
  Shelf shelf{picture.header()};
  const RangeSource source("m", picture.file_bytes(), [&](std::uint64_t offset, std::size_t size) {
    Result<std::string> bytes = shelf.fetch()(offset, size);
    bytes->resize(size);  // the weights
    return bytes;
  });
  const Result<GgufHeader> header = read_gguf(source);
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->vocabulary, 300'000u);
  EXPECT_LT(source.fetched_bytes(), 10'000'000u);
}

}  // namespace
}  // namespace rbee::model
