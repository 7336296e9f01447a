#include "model/catalog.h"

#include "base/file.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

namespace rbee::model {
namespace {

std::string entry_with(std::string_view field, const Json& value) {
  Json entry{{"name", "m"},          {"title", "M"},
             {"kind", "chat"},       {"params", 1},
             {"context", 1},         {"licence", "mit"},
             {"repository", "o/r"},  {"file", "m-{quant}.gguf"},
             {"quants", {"Q4_K_M"}}, {"aliases", Json::array()},
             {"checked", nullptr}};
  entry[std::string(field)] = value;
  return dump_json(Json{{"models", Json::array({entry})}});
}

// "llama-3.1-8b Q4_K_M", or the error's code and hint.
std::string found(std::string_view asked) {
  const Result<CatalogChoice> choice = find_in_catalog(catalog(), asked);
  if (!choice) return cat(info(choice.error().code).name, " ", choice.error().hint);
  return cat(choice->entry->name, " ", choice->quant);
}

TEST(Catalog, TheOneThatIsBuiltInIsRight) {
  const Result<std::vector<CatalogEntry>> parsed = parse_catalog(catalog_text());
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_GT(parsed->size(), 20u);
}

TEST(Catalog, ItsSchemaKnowsItsFieldsAndNoOthers) {
  const Result<std::string> text = read_file("models/catalog.schema.json", 1u << 20);
  ASSERT_TRUE(text) << text.error().message;
  const Result<Json> schema = parse_json(*text);
  ASSERT_TRUE(schema);
  const Json& entry = schema->at("properties").at("models").at("items");
  const Result<Json> built_in = parse_json(catalog_text());
  ASSERT_TRUE(built_in);
  for (const Json& model : get_array(*built_in, "models")) {
    for (const Json& key : entry.at("required")) EXPECT_TRUE(model.contains(key.get<std::string>())) << model;
    for (const auto& [key, value] : model.items()) EXPECT_TRUE(entry.at("properties").contains(key)) << key;
  }
  EXPECT_EQ(entry.at("additionalProperties"), false);
}

TEST(Catalog, NamesOfTheSeedAreThere) {
  EXPECT_EQ(found("llama-3.1-70b-q4"), "llama-3.1-70b Q4_K_M");
  EXPECT_EQ(found("llama-3.1-8b"), "llama-3.1-8b ");
  EXPECT_EQ(found("llama-3.1-8b-q4"), "llama-3.1-8b Q4_K_M");
  EXPECT_EQ(found("mistral-7b"), "mistral-7b ");
}

TEST(Catalog, AQuantizationMayStandBehindANameInSeveralForms) {
  EXPECT_EQ(found("Llama-3.1-8B@Q8_0"), "llama-3.1-8b Q8_0");
  EXPECT_EQ(found("llama3.1:8b-q5_k_m"), "llama-3.1-8b Q5_K_M");
  EXPECT_EQ(found("llama3.1:8b:q6"), "llama-3.1-8b Q6_K");
  EXPECT_TRUE(found("mistral-7b@q17").starts_with("unknown_model It has Q2_K, ")) << found("mistral-7b@q17");
}

TEST(Catalog, AMissNamesWhatComesNear) {
  EXPECT_NE(found("lama-3.1-8b").find("llama-3.1-8b"), std::string::npos) << found("lama-3.1-8b");
  EXPECT_NE(found("zzzzzzzz").find("model search"), std::string::npos) << found("zzzzzzzz");
}

TEST(Catalog, WhatIsWrongIsNamed) {
  EXPECT_TRUE(parse_catalog(entry_with("title", "N")));
  for (const auto& [field, value] : {std::pair<std::string, Json>{"name", "A B"},
                                     {"kind", "music"},
                                     {"params", 0},
                                     {"repository", "o"},
                                     {"file", "m.gguf"},
                                     {"quants", {"Q99"}},
                                     {"aliases", {"m"}},
                                     {"colour", "red"}}) {
    const Result<std::vector<CatalogEntry>> parsed = parse_catalog(entry_with(field, value));
    ASSERT_FALSE(parsed) << field;
    EXPECT_EQ(parsed.error().code, ErrorCode::bad_config);
  }
}

TEST(Catalog, ASearchWantsEveryWord) {
  const std::vector<const CatalogEntry*> vision = search_catalog(catalog(), "Gemma vision");
  ASSERT_FALSE(vision.empty());
  for (const CatalogEntry* entry : vision) EXPECT_EQ(entry->kind, "vision");
  EXPECT_TRUE(search_catalog(catalog(), "gemma nothing-like-it").empty());
}

}  // namespace
}  // namespace rbee::model
