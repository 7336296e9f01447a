#include "model/gguf.h"

#include "model/gguf_picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::model {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t f32 = 0;
constexpr std::uint32_t q8_0 = 8;
constexpr std::uint32_t array_type = 9;

GgufPicture small_llama() {
  GgufPicture picture;
  picture.text("general.architecture", "llama").text("general.name", "Small").number("general.file_type", 15);
  picture.number("llama.context_length", 512).number("llama.block_count", 2).tokens(3);
  picture.tensor("token_embd.weight", {32, 3}, q8_0).tensor("blk.0.attn_norm.weight", {32}, f32);
  return picture;
}

void expect_bad(const PictureSource& source, std::string_view want) {
  const Result<GgufHeader> header = read_gguf(source);
  ASSERT_FALSE(header) << want;
  EXPECT_EQ(header.error().code, ErrorCode::bad_model_file);
  EXPECT_EQ(header.error().message, cat("'x.gguf' ", want));
}
void expect_bad(const GgufPicture& picture, std::string_view want) {
  expect_bad(PictureSource(picture), want);
}
void expect_bad(const std::string& bytes, std::string_view want) {
  expect_bad(PictureSource(bytes, bytes.size()), want);
}

TEST(Gguf, TellsWhatAModelIs) {
  const Result<GgufHeader> header = read_gguf(PictureSource(small_llama()));
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->version, 3u);
  EXPECT_EQ(header->architecture, "llama");
  EXPECT_EQ(header->name, "Small");
  EXPECT_EQ(header->quant, "Q4_K_M");
  EXPECT_EQ(header->context_train, 512u);
  EXPECT_EQ(header->block_count, 2u);
  EXPECT_EQ(header->vocabulary, 3u);
  EXPECT_EQ(header->params, 32u * 3 + 32);
  EXPECT_EQ(header->tensor_bytes, 3u * 34 + 128);
  ASSERT_EQ(header->tensors.size(), 2u);
  EXPECT_EQ(header->tensors[1].offset, 128u);
  EXPECT_EQ(header->tensor_data_offset % 32, 0u);
}

TEST(Gguf, ReadsTheDemoModel) {
  const auto source = open_source("models/demo/rbee-demo-q8_0.gguf");
  ASSERT_TRUE(source) << source.error().message;
  const Result<GgufHeader> header = read_gguf(**source);
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->architecture, "llama");
  EXPECT_EQ(header->quant, "Q8_0");
  EXPECT_EQ(header->block_count, 5u);
  EXPECT_EQ(header->context_train, 512u);
  EXPECT_EQ(header->vocabulary, 896u);
  EXPECT_GT(header->params, 1'000'000u);
  EXPECT_LT(header->params, 1'100'000u);
}

TEST(Gguf, Version2IsTheSame) {
  GgufPicture picture(2);
  picture.text("general.architecture", "llama").tensor("token_embd.weight", {32, 3}, q8_0);
  const Result<GgufHeader> header = read_gguf(PictureSource(picture));
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->version, 2u);
  EXPECT_EQ(header->quant, "Q8_0");  // of its largest type, since it says none
}

TEST(Gguf, ValuesOfEveryTypeAreRead) {
  GgufPicture picture;
  picture.raw_key("u8", 0, GgufPicture::bytes_of<std::uint8_t>(200));
  picture.raw_key("i8", 1, GgufPicture::bytes_of<std::int8_t>(-3));
  picture.raw_key("u16", 2, GgufPicture::bytes_of<std::uint16_t>(60000));
  picture.raw_key("i16", 3, GgufPicture::bytes_of<std::int16_t>(-300));
  picture.raw_key("i32", 5, GgufPicture::bytes_of<std::int32_t>(-70000));
  picture.raw_key("f32", 6, GgufPicture::bytes_of<float>(1.5F));
  picture.raw_key("bool", 7, GgufPicture::bytes_of<std::uint8_t>(1));
  picture.raw_key("u64", 10, GgufPicture::bytes_of<std::uint64_t>(~0ull));
  picture.raw_key("i64", 11, GgufPicture::bytes_of<std::int64_t>(-1));
  picture.raw_key("f64", 12, GgufPicture::bytes_of<double>(2.5));
  picture.numbers("layers", {4, 0, 8});
  const Result<GgufHeader> header = read_gguf(PictureSource(picture));
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->integer("u8"), 200);
  EXPECT_EQ(header->integer("i8"), -3);
  EXPECT_EQ(header->integer("u16"), 60000);
  EXPECT_EQ(header->integer("i16"), -300);
  EXPECT_EQ(header->integer("i32"), -70000);
  EXPECT_EQ(std::get<double>(header->metadata.at("f32")), 1.5);
  EXPECT_EQ(header->integer("bool"), 1);
  EXPECT_EQ(header->integer("u64"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(header->integer("i64"), -1);
  EXPECT_EQ(std::get<double>(header->metadata.at("f64")), 2.5);
  EXPECT_EQ(header->integer_of_layer("layers", 2), 8);
  EXPECT_EQ(header->integer_of_layer("layers", 3), std::nullopt);
  EXPECT_EQ(header->integer_of_layer("i8", 7), -3);
}

TEST(Gguf, AFileThatIsNoGgufIsNamedByItsFirstBytes) {
  expect_bad("hello world", "is no GGUF file: it begins with 'hell'.");
  expect_bad(std::string("\x7f"
                         "ELF\x02",
                         5),
             "is no GGUF file: it begins with the bytes 7f 45 4c 46.");
  expect_bad("GG", "is no GGUF file: it begins with 'GG'.");
  expect_bad("", "is empty.");
}

TEST(Gguf, OtherVersionsAreRefused) {
  expect_bad(GgufPicture(1), "has GGUF version 1; 2 and 3 are known.");
  expect_bad(GgufPicture(4), "has GGUF version 4; 2 and 3 are known.");
  expect_bad(GgufPicture(0x03000000), "is written for big-endian machines.");
}

TEST(Gguf, AFileCutInItsWeightsNamesTheTensor) {
  const GgufPicture picture = small_llama();
  const std::string header = picture.header();
  const PictureSource cut(header, header.size() + 200);
  expect_bad(cut, cat("is cut: tensor 'blk.0.attn_norm.weight' ends at byte ", header.size() + 256,
                      ", the file has ", header.size() + 200, "."));
}

TEST(Gguf, AFileCutAnywhereInItsHeaderIsAnError) {
  const std::string header = small_llama().header();
  for (std::size_t length = 0; length < header.size(); ++length) {
    const Result<GgufHeader> got = read_gguf(PictureSource(header.substr(0, length), length));
    ASSERT_FALSE(got) << length;
    EXPECT_EQ(got.error().code, ErrorCode::bad_model_file) << length;
  }
}

TEST(Gguf, CountsThatNoFileCanHoldAreRefusedBeforeAnythingIsAllocated) {
  const std::string begin = cat("GGUF", GgufPicture::bytes_of<std::uint32_t>(3));
  const auto counts = [&](std::uint64_t tensors, std::uint64_t keys) {
    return begin + GgufPicture::bytes_of(tensors) + GgufPicture::bytes_of(keys);
  };
  expect_bad(counts(0, 1ull << 60), "is damaged: it says it has 1152921504606846976 keys.");
  expect_bad(counts(100'001, 0), "is damaged: it says it has 100001 tensors.");
  expect_bad(counts(0, 1000), "is cut: its header goes on after byte 24, where the file ends.");
  GgufPicture array;
  array.raw_key("tokenizer.ggml.tokens", array_type,
                GgufPicture::bytes_of<std::uint32_t>(8) + GgufPicture::bytes_of<std::uint64_t>(~0ull));
  EXPECT_FALSE(read_gguf(PictureSource(array)));
  GgufPicture text;
  text.raw_key("general.name", 8, GgufPicture::bytes_of<std::uint64_t>((1u << 20) + 1));
  const Result<GgufHeader> got = read_gguf(PictureSource(text));
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr("is damaged: a value of 1048577 bytes"));
}

TEST(Gguf, AHeaderOfMoreThan64MiBIsRefused) {
  GgufPicture picture;
  const std::uint64_t elements = 70u << 20;
  picture.raw_key("long", array_type,
                  GgufPicture::bytes_of<std::uint32_t>(0) + GgufPicture::bytes_of(elements));
  expect_bad(PictureSource(picture.header(), 100u << 20), "has a header of more than 64 MiB.");
}

TEST(Gguf, NestedArraysAreWalkedOverAsDeepAsTwo) {
  const auto nested = [](int depth) {
    std::string bytes = GgufPicture::bytes_of<std::uint32_t>(0) + GgufPicture::bytes_of<std::uint64_t>(0);
    for (int i = 1; i < depth; ++i) {
      bytes = GgufPicture::bytes_of<std::uint32_t>(9) + GgufPicture::bytes_of<std::uint64_t>(1) + bytes;
    }
    return GgufPicture().raw_key("nested", array_type, bytes);
  };
  EXPECT_TRUE(read_gguf(PictureSource(nested(2))));
  expect_bad(nested(3), "has arrays nested deeper than 2.");
}

TEST(Gguf, DamagedTensorsAreRefused) {
  expect_bad(GgufPicture().tensor("t", {32}, 4),
             "has tensor 't' of type 4, which this version does not know.");
  expect_bad(GgufPicture().tensor("t", {33}, q8_0),
             "is damaged: a row of tensor 't' has 33 elements, no multiple of the 32 of Q8_0.");
  expect_bad(GgufPicture().tensor("t", {1, 1, 1, 1, 1}, f32), "is damaged: tensor 't' has 5 dimensions.");
  expect_bad(GgufPicture().tensor("t", {1ull << 40, 1ull << 40}, f32),
             "is damaged: tensor 't' has more elements than any memory holds.");
  expect_bad(GgufPicture().tensor("t", {1ull << 62}, f32),
             "is damaged: tensor 't' is larger than any memory.");
  expect_bad(GgufPicture().tensor("t", {8}, f32).tensor("u", {8}, f32, 0),
             "is damaged: tensor 'u' begins at 0 instead of 32.");
  expect_bad(GgufPicture().tensor("t", {8}, f32).tensor("t", {8}, f32),
             "is damaged: tensor 't' stands in it twice.");
}

TEST(Gguf, DamagedKeysAreRefused) {
  expect_bad(GgufPicture().number("a", 1).number("a", 2), "is damaged: the key 'a' stands in it twice.");
  expect_bad(GgufPicture().raw_key("a", 13, ""), "is damaged: the key 'a' has the unknown type 13.");
  expect_bad(GgufPicture().number("general.alignment", 48),
             "is damaged: its alignment is 48, which is no power of two up to a MiB.");
  expect_bad(GgufPicture().number("general.alignment", 0),
             "is damaged: its alignment is 0, which is no power of two up to a MiB.");
}

TEST(OpenSource, WhatIsNoFileIsNamed) {
  const auto gone = open_source("models/demo/none.gguf");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::bad_model_file);
  EXPECT_THAT(gone.error().message, HasSubstr("none.gguf"));
  const auto folder = open_source("models/demo");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message, "'models/demo' is a folder, not a GGUF file.");
}

}  // namespace
}  // namespace rbee::model
