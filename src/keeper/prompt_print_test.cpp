#include "keeper/prompt_print.h"

#include <gtest/gtest.h>

#include <string>

namespace rbee::keeper {
namespace {

PromptPrint print_of(std::initializer_list<std::string> texts) {
  PromptPrinter printer;
  for (const std::string& text : texts) printer.add(text);
  return printer.take();
}

TEST(PromptPrint, WhatIsAppendedLeavesTheBlocksBeforeAsTheyWere) {
  const std::string long_text(1000, 'x');
  const PromptPrint before = print_of({long_text});
  const PromptPrint after = print_of({long_text, "and more", long_text});
  ASSERT_EQ(before.blocks.size(), 3u);
  ASSERT_GT(after.blocks.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(before.blocks[i], after.blocks[i]);
}

TEST(PromptPrint, AByteAnywhereChangesItsBlockAndAllBehind) {
  const std::string text(1024, 'x');
  const PromptPrint before = print_of({text});
  for (const std::size_t at : {0u, 7u, 8u, 255u, 256u, 513u, 1023u}) {
    std::string other = text;
    other[at] = 'y';
    const PromptPrint after = print_of({other});
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_EQ(before.blocks[i] == after.blocks[i], i < at / prompt_block_bytes) << at << " " << i;
  }
}

TEST(PromptPrint, ItsBlocksHaveAnEnd) {
  const PromptPrint print =
      print_of({std::string((PromptPrinter::most_blocks + 1) * prompt_block_bytes, 'x')});
  EXPECT_EQ(print.blocks.size(), PromptPrinter::most_blocks);
  EXPECT_EQ(print.text_bytes, (PromptPrinter::most_blocks + 1) * prompt_block_bytes);
}

TEST(PromptPrint, AnotherBeginningChangesEveryBlock) {
  const std::string long_text(1000, 'x');
  const PromptPrint one = print_of({"a" + long_text});
  const PromptPrint other = print_of({"b" + long_text});
  for (std::size_t i = 0; i < one.blocks.size(); ++i) EXPECT_NE(one.blocks[i], other.blocks[i]);
}

TEST(PromptPrint, ImagesAreNoText) {
  EXPECT_EQ(print_of({"data:image/png;base64,AAAA"}).text_bytes, 0u);
  EXPECT_EQ(print_of({"text"}).text_bytes, 4u);
}

}  // namespace
}  // namespace rbee::keeper
