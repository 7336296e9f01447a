#include "model/hub.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

namespace rbee::model {
namespace {

const std::string sha_a(64, 'a');

Json entry(const std::string& path) {
  return {{"type", "file"}, {"path", path}, {"size", 7}, {"lfs", {{"oid", sha_a}, {"size", 7}}}};
}

// "file, file + projector", or the error's code and hint.
std::string chosen(std::string_view asked, std::vector<std::string> paths) {
  Json tree =
      Json::array({{{"type", "directory"}, {"path", "sub"}}, {{"type", "file"}, {"path", "README.md"}}});
  for (const std::string& path : paths) tree.push_back(entry(path));
  const Result<Source> source = parse_source(asked, "", catalog());
  EXPECT_TRUE(source) << asked;
  const Result<WantedModel> model = choose_files(*source, dump_json(tree), "https://hub");
  if (!model) return cat(info(model.error().code).name, ": ", model.error().message, " ", model.error().hint);
  std::string text;
  for (const WantedFile& file : model->files) text += cat(text.empty() ? "" : ", ", file.file_name);
  if (model->projector) text += cat(" + ", model->projector->file_name);
  return text;
}

TEST(Hub, TheRecommendedQuantizationIsTakenWhereNobodySays) {
  EXPECT_EQ(chosen("hf:o/r", {"m-Q2_K.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf"}), "m-Q4_K_M.gguf");
  EXPECT_EQ(chosen("hf:o/r:q8", {"m-Q2_K.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf"}), "m-Q8_0.gguf");
  EXPECT_EQ(chosen("hf:o/r", {"m.Q5_K_M.gguf", "m.Q2_K.gguf"}), "m.Q5_K_M.gguf");
  EXPECT_EQ(chosen("hf:o/r", {"only.gguf"}), "only.gguf");
}

TEST(Hub, AQuantizationThatIsNotThereNamesThoseThatAre) {
  EXPECT_EQ(chosen("hf:o/r:q6", {"m-Q2_K.gguf", "m-Q8_0.gguf"}),
            "unknown_model: 'o/r' has no Q6_K. It has Q2_K, Q8_0.");
  EXPECT_TRUE(chosen("hf:o/r", {}).starts_with("unknown_model: 'o/r' has no GGUF files."));
  EXPECT_TRUE(chosen("hf:o/r/m-Q3_K.gguf", {"m-Q2_K.gguf"}).starts_with("unknown_model: 'o/r' has no file"));
}

TEST(Hub, ShardsComeTogetherAndAMissingOneIsNamed) {
  EXPECT_EQ(chosen("hf:o/r", {"a/m-Q4_K_M-00002-of-00002.gguf", "a/m-Q4_K_M-00001-of-00002.gguf"}),
            "a/m-Q4_K_M-00001-of-00002.gguf, a/m-Q4_K_M-00002-of-00002.gguf");
  EXPECT_TRUE(chosen("hf:o/r", {"m-Q4_K_M-00001-of-00003.gguf", "m-Q4_K_M-00003-of-00003.gguf"})
                  .starts_with("unknown_model: Part 2 of 3 of"));
}

TEST(Hub, AProjectorLiesBesideAVisionModel) {
  EXPECT_EQ(chosen("hf:o/r", {"mmproj-bf16.gguf", "mmproj-f16.gguf", "m-Q4_K_M.gguf"}),
            "m-Q4_K_M.gguf + mmproj-f16.gguf");
}

TEST(Hub, SizesAndChecksumsAreTheHubs) {
  const Json tree = Json::array({entry("dir x/m-Q4_K_M.gguf")});
  const Result<WantedModel> model =
      choose_files(*parse_source("hf:o/r", "", {}), dump_json(tree), "https://hub");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->files.front().url, "https://hub/o/r/resolve/main/dir%20x/m-Q4_K_M.gguf");
  EXPECT_EQ(model->files.front().bytes, 7u);
  EXPECT_EQ(model->files.front().sha256, sha_a);
}

TEST(Hub, WhatIsNoListIsSaid) {
  const Source source = *parse_source("hf:o/r", "", {});
  for (const char* text : {"", "{}", "<html>", "[1", "null"}) {
    const Result<WantedModel> model = choose_files(source, text, "https://hub");
    ASSERT_FALSE(model) << text;
    EXPECT_EQ(model.error().code, ErrorCode::source_unreachable);
  }
  EXPECT_FALSE(choose_files(source, R"([1, null, {"path": 3}, {"type": "file"}])", "https://hub"));
}

TEST(Hub, AManifestOfOllamaNamesABlob) {
  const Source source = *parse_source("ollama:llama3:8b", "", {});
  const auto manifest = [](const std::string& digest) {
    return dump_json(
        Json{{"layers",
              {{{"mediaType", "application/vnd.ollama.image.license"}, {"digest", "sha256:" + sha_a}},
               {{"mediaType", "application/vnd.ollama.image.model"}, {"digest", digest}, {"size", 5}}}}});
  };
  const Result<WantedModel> model =
      files_of_manifest(source, manifest("sha256:" + sha_a), "https://r/v2/library/llama3");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->files.front().url, "https://r/v2/library/llama3/blobs/sha256:" + sha_a);
  EXPECT_EQ(model->files.front().sha256, sha_a);
  EXPECT_FALSE(files_of_manifest(source, manifest("sha256:../../etc/passwd"), "https://r"));
  EXPECT_FALSE(files_of_manifest(source, "[]", "https://r"));
}

}  // namespace
}  // namespace rbee::model
