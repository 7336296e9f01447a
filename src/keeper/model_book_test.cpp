#include "keeper/model_book.h"

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

ModelFile file(std::string id, std::string name, std::string quant) {
  ModelFile made;
  made.id = std::move(id);
  made.name = std::move(name);
  made.quant = std::move(quant);
  return made;
}

ModelSettings context(std::uint32_t tokens) {
  ModelSettings settings;
  settings.context = tokens;
  return settings;
}

TEST(ModelBook, TheMoreANameSaysTheMoreItCounts) {
  const ModelBook book({{"m", context(1)}, {"m@Q8_0", context(2)}, {"m-q4_k_m", context(3)}});
  EXPECT_EQ(book.of(file("m-q4_k_m", "m", "Q4_K_M")).context, 3u);
  EXPECT_EQ(book.of(file("m-q8_0", "m", "Q8_0")).context, 2u);
  EXPECT_EQ(book.of(file("m-q2_k", "m", "Q2_K")).context, 1u);
  EXPECT_EQ(book.of(file("other", "other", "Q2_K")).context, 0u);
}

TEST(ModelBook, AnAliasLeadsToItsModelInAnyCase) {
  ModelSettings settings;
  settings.aliases = {"gpt-4o-mini"};
  const ModelBook book({{"llama-3.1-8b", settings}});
  EXPECT_EQ(book.resolve("GPT-4o-mini"), "llama-3.1-8b");
  EXPECT_EQ(book.resolve("llama-3.1-8b"), "llama-3.1-8b");
  EXPECT_EQ(book.resolve("unknown"), "unknown");
}

TEST(ModelBook, WhatIsSetAnewHoldsAtOnce) {
  ModelBook book({{"m", context(1)}});
  ModelSettings settings = context(2);
  settings.aliases = {"a"};
  settings.preload = true;
  book.set({{"m", settings}});
  EXPECT_EQ(book.of(file("m", "m", "")).context, 2u);
  EXPECT_EQ(book.resolve("a"), "m");
  EXPECT_EQ(book.preloads(), std::vector<std::string>{"m"});
}

}  // namespace
}  // namespace rbee::keeper
