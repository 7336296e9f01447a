#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace rbee {
namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Json, WhatIsWrongIsToldWithItsPlace) {
  const Result<Json> parsed = parse_json(R"({"a": )");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::bad_json);
  EXPECT_EQ(parsed.error().message, "The text is no JSON: it goes wrong at byte 7.");
  EXPECT_FALSE(parse_json(""));
  EXPECT_FALSE(parse_json("{} {}"));
  EXPECT_FALSE(parse_json("\"\xff\""));
}

TEST(Json, ANumberThatNothingCanHoldIsAnErrorAndNoException) {
  const Result<Json> parsed = parse_json("[290E9929]");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::bad_json);
}

TEST(Json, SixtyFourLevelsAreTheDeepest) {
  EXPECT_TRUE(parse_json(nested(64)));
  const Result<Json> deeper = parse_json(nested(65));
  ASSERT_FALSE(deeper);
  EXPECT_EQ(deeper.error().code, ErrorCode::bad_json);
  EXPECT_FALSE(parse_json(nested(1'000'000)));
}

TEST(Json, BracketsWithinTextsAreNoLevels) {
  EXPECT_TRUE(parse_json(R"({"a":")" + std::string(100, '[') + R"(\\","b":"\"{"})"));
}

// A minute and more where each object's end costs all those before it.
TEST(Json, ALongListOfObjectsCostsItsLength) {
  std::string text = "[{}";
  for (int i = 1; i < 300'000; ++i) text += ",{}";
  const Result<Json> list = parse_json(text + "]");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->size(), 300'000u);
}

TEST(Json, KeysKeepTheirOrder) {
  const Result<Json> parsed = parse_json(R"({"name":1,"a":2})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(dump_json(*parsed), R"({"name":1,"a":2})");
}

TEST(Json, TextThatIsNoUtf8IsWrittenWithReplacementCharacters) {
  const Json json = {{"path", "/m/\xff.gguf"}};
  EXPECT_EQ(dump_json(json), "{\"path\":\"/m/\xef\xbf\xbd.gguf\"}");
}

TEST(Json, AFieldOfAnotherTypeIsNoField) {
  const Json json = {{"text", "x"}, {"int", 7}, {"real", 1.5}, {"flag", true}, {"null", nullptr}};
  EXPECT_EQ(get_string(json, "text"), "x");
  EXPECT_EQ(get_string(json, "int"), std::nullopt);
  EXPECT_EQ(get_string(json, "none"), std::nullopt);
  EXPECT_EQ(get_int(json, "int"), 7);
  EXPECT_EQ(get_int(json, "real"), std::nullopt);
  EXPECT_EQ(get_number(json, "int"), 7);
  EXPECT_EQ(get_number(json, "real"), 1.5);
  EXPECT_EQ(get_bool(json, "flag"), true);
  EXPECT_EQ(get_bool(json, "null"), std::nullopt);
  EXPECT_EQ(get_string(Json::array(), "text"), std::nullopt);
  EXPECT_TRUE(get_array(json, "text").empty());
}

TEST(Json, NullIsAsGoodAsAbsent) {
  Json object = {{"null", nullptr}, {"text", "words"}, {"number", 7}};
  EXPECT_EQ(find_field(object, "null"), nullptr);
  EXPECT_EQ(find_field(object, "other"), nullptr);
  EXPECT_EQ(find_field(object["number"], "text"), nullptr);
  EXPECT_EQ(text_of(object, "text"), "words");
  EXPECT_EQ(text_of(object, "number"), "");
  *find_field(object, "number") = 8;
  EXPECT_EQ(get_int(object, "number"), 8);
}

TEST(Json, AnErrorGoesThereAndBack) {
  const Error error{ErrorCode::does_not_fit, "Too large.", "Stop a model.", "secret"};
  const Json json = error_json(error);
  EXPECT_EQ(dump_json(json),
            R"({"error":{"code":"does_not_fit","message":"Too large.","hint":"Stop a model."}})");
  const Error back = error_from_json(json);
  EXPECT_EQ(back.code, error.code);
  EXPECT_EQ(back.message, error.message);
  EXPECT_EQ(back.hint, error.hint);
  EXPECT_EQ(error_from_json(Json("nonsense")).code, ErrorCode::internal);
}

}  // namespace
}  // namespace rbee
