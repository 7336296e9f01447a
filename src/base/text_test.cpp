#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Text, CatJoinsTextsCharactersAndNumbers) {
  EXPECT_EQ(cat("a", 1, 'b', std::string("c"), -7, 18446744073709551615ull), "a1bc-718446744073709551615");
  EXPECT_EQ(cat(), "");
}

TEST(Text, SplitKeepsEmptyParts) {
  EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("", ','), ElementsAre(""));
}

TEST(Text, JoinIsTheOtherWayRound) {
  EXPECT_EQ(join(std::vector<std::string>{"a", "b"}, ", "), "a, b");
  EXPECT_EQ(join(std::vector<std::string>{}, ", "), "");
}

TEST(Text, TrimTakesBlanksOffBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim("  "), "");
}

TEST(Text, CaseIsIgnoredInAsciiOnly) {
  EXPECT_EQ(lower("Q4_K_M"), "q4_k_m");
  EXPECT_TRUE(equal_ignoring_case("CUDA", "cuda"));
  EXPECT_FALSE(equal_ignoring_case("cuda", "cud"));
  EXPECT_FALSE(equal_ignoring_case("Ä", "ä"));
}

TEST(Text, ReplaceAllDoesNotLookAtWhatItWrote) {
  EXPECT_EQ(replace_all("aXbX", "X", "XX"), "aXXbXX");
  EXPECT_EQ(replace_all("none", "X", "Y"), "none");
}

TEST(Text, ANumberIsTheWholeTextOrNothing) {
  EXPECT_EQ(parse_int<int>("42"), 42);
  EXPECT_EQ(parse_int<int>("-42"), -42);
  EXPECT_EQ(parse_int<int>("42 "), std::nullopt);
  EXPECT_EQ(parse_int<int>("+42"), std::nullopt);
  EXPECT_EQ(parse_int<int>(""), std::nullopt);
  EXPECT_EQ(parse_int<std::uint8_t>("256"), std::nullopt);
  EXPECT_EQ(parse_int<unsigned>("-1"), std::nullopt);
  EXPECT_EQ(parse_double("1.5"), 1.5);
  EXPECT_EQ(parse_double("1.5x"), std::nullopt);
}

TEST(Text, SizesArePowersOfAThousand) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1000), "1.0 kB");
  EXPECT_EQ(bytes_text(1'129'568), "1.1 MB");
  EXPECT_EQ(bytes_text(4'920'000'000), "4.9 GB");
  EXPECT_EQ(bytes_text(999'960), "1.0 MB");  // never "1000.0 kB"
}

TEST(Text, DurationsChangeTheirUnitWithTheirLength) {
  EXPECT_EQ(duration_text(0.85), "850 ms");
  EXPECT_EQ(duration_text(12.44), "12.4 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
}

const std::vector<std::string> known = {"llama-3.1-8b", "llama-3.3-70b", "mistral-7b", "phi-4"};

TEST(NearNames, ATypoFindsItsName) {
  EXPECT_THAT(near_names("mistrl-7b", known), ElementsAre("mistral-7b"));
  EXPECT_THAT(near_names("PHI4", known), ElementsAre("phi-4"));
}

TEST(NearNames, APartFindsAllThatHaveItTheNearestFirst) {
  EXPECT_THAT(near_names("llama-3", known), ElementsAre("llama-3.1-8b", "llama-3.3-70b"));
  EXPECT_THAT(near_names("llama-3.3", known, 1), ElementsAre("llama-3.3-70b"));
}

TEST(NearNames, WhatIsFarFindsNothing) {
  EXPECT_THAT(near_names("completely-different", known), IsEmpty());
  const std::vector<std::string> twice = {"phi-4", "phi-4"};
  EXPECT_THAT(near_names("phi4", twice), ElementsAre("phi-4"));
  EXPECT_EQ(did_you_mean("completely-different", known), "");
}

TEST(NearNames, AVeryLongNameCostsNoMoreThanALongOne) {
  EXPECT_THAT(near_names(std::string(1'000'000, 'x'), known), IsEmpty());
}

TEST(DidYouMean, ListsThemAsASentence) {
  EXPECT_EQ(did_you_mean("mistrl-7b", known), "Did you mean 'mistral-7b'?");
  EXPECT_EQ(did_you_mean("llama-3", known), "Did you mean 'llama-3.1-8b' or 'llama-3.3-70b'?");
}

}  // namespace
}  // namespace rbee
