#include "model/store.h"

#include "base/file.h"
#include "model/gguf_picture.h"
#include "model/model_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include <unistd.h>

namespace rbee::model {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

GgufPicture llama(std::uint32_t file_type, std::uint64_t vocabulary = 4) {
  GgufPicture picture;
  picture.text("general.architecture", "llama").number("general.file_type", file_type);
  picture.number("llama.context_length", 2048).tensor("token_embd.weight", {32, vocabulary}, 8);
  return picture;
}
constexpr std::uint32_t q4_k_m = 15;
constexpr std::uint32_t q8_0 = 7;

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rbee-store-XXXXXX").string();
    folder_ = fs::canonical(::mkdtemp(pattern.data()));
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] fs::path file(std::string_view name) const { return folder_ / name; }
  [[nodiscard]] ModelStore store() const {
    Result<ModelStore> opened = ModelStore::open(folder_ / "store");
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  [[nodiscard]] static std::vector<std::string> ids(const std::vector<ModelFile>& files) {
    std::vector<std::string> out;
    for (const ModelFile& one : files) out.push_back(one.id);
    return out;
  }

 private:
  fs::path folder_;
};

TEST_F(StoreTest, TheIdIsTheNameAndTheQuantization) {
  llama(q4_k_m).write(file("a.gguf"));
  ModelStore models = store();
  const Result<ModelFile> added = models.add("tiny", file("a.gguf"));
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(added->id, "tiny-q4_k_m");
  EXPECT_EQ(added->name, "tiny");
  EXPECT_EQ(added->quant, "Q4_K_M");
  EXPECT_EQ(added->path, file("a.gguf").string());
  EXPECT_EQ(added->bytes, fs::file_size(file("a.gguf")));
  EXPECT_EQ(added->params, 128u);
  EXPECT_EQ(added->architecture, "llama");
  EXPECT_EQ(added->context_train, 2048u);
  EXPECT_EQ(added->sha256, "");
}

TEST_F(StoreTest, ANameThatEndsWithTheQuantizationIsTheId) {
  llama(q4_k_m).write(file("a.gguf"));
  ModelStore models = store();
  const Result<ModelFile> added = models.add("tiny-Q4_K_M", file("a.gguf"));
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(added->id, "tiny-Q4_K_M");
  EXPECT_EQ(added->name, "tiny");
}

TEST_F(StoreTest, AddingTheSameAgainChangesNothing) {
  llama(q8_0).write(file("a.gguf"));
  ModelStore models = store();
  ASSERT_TRUE(models.add("tiny", file("a.gguf")));
  fs::create_symlink(file("a.gguf"), file("link.gguf"));
  ASSERT_TRUE(models.add("tiny", file("link.gguf")));
  ASSERT_TRUE(models.add("tiny-q8_0", file("a.gguf")));
  EXPECT_THAT(ids(models.list().models), ElementsAre("tiny-q8_0"));
}

TEST_F(StoreTest, AddingAgainWhatAnOlderListSaysLessOfKeepsItsChecksum) {
  llama(q4_k_m).text("tokenizer.chat_template", "{{ tools }}").write(file("a.gguf"));
  {
    ModelStore models = store();
    ASSERT_TRUE(models.add("tiny", file("a.gguf")));
    ASSERT_TRUE(models.set_sha256("tiny-q4_k_m", std::string(64, 'a')));
  }
  const fs::path list = file("store") / "models.json";
  std::string text = *read_file(list, 1 << 20);
  text.replace(text.find("abilities"), std::string_view("abilities").size(), "somethingelse");
  ASSERT_TRUE(write_file(list, text));
  ModelStore models = store();
  const Result<ModelFile> again = models.add("tiny", file("a.gguf"));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_THAT(again->abilities, ElementsAre("completion", "tools"));
  EXPECT_EQ(again->sha256, std::string(64, 'a'));
}

TEST_F(StoreTest, AnotherFileUnderTheSameIdIsRefused) {
  llama(q8_0).write(file("a.gguf"));
  llama(q8_0).write(file("b.gguf"));
  ModelStore models = store();
  ASSERT_TRUE(models.add("tiny", file("a.gguf")));
  const Result<ModelFile> second = models.add("tiny", file("b.gguf"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::name_taken);
  EXPECT_THAT(second.error().message, HasSubstr("a.gguf"));
}

TEST_F(StoreTest, WhatWasAddedIsThereAfterARestart) {
  llama(q8_0).write(file("a.gguf"));
  llama(q4_k_m).write(file("b.gguf"));
  {
    ModelStore models = store();
    ASSERT_TRUE(models.add("tiny", file("a.gguf")));
    ASSERT_TRUE(models.add("tiny", file("b.gguf")));
    ASSERT_TRUE(models.remove("TINY-q8_0"));
  }
  EXPECT_THAT(ids(store().list().models), ElementsAre("tiny-q4_k_m"));
}

TEST_F(StoreTest, AFileThatVanishedOrChangedIsKeptWithTheReason) {
  llama(q8_0).write(file("a.gguf"));
  llama(q4_k_m).write(file("b.gguf"));
  ModelStore models = store();
  ASSERT_TRUE(models.add("gone", file("a.gguf")));
  ASSERT_TRUE(models.add("grown", file("b.gguf")));
  fs::rename(file("a.gguf"), file("away.gguf"));
  std::ofstream(file("b.gguf"), std::ios::app) << "more";
  const ModelStore::Listing listing = models.list();
  EXPECT_TRUE(listing.models.empty());
  ASSERT_EQ(listing.missing.size(), 2u);
  EXPECT_THAT(listing.missing[0].reason, HasSubstr("is not there"));
  EXPECT_THAT(listing.missing[1].reason, HasSubstr("bytes; it had"));
  const Result<ModelFile> found = models.find("gone-q8_0");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::bad_model_file);
  fs::rename(file("away.gguf"), file("a.gguf"));
  EXPECT_THAT(ids(models.list().models), ElementsAre("gone-q8_0"));
}

TEST_F(StoreTest, AFileWrittenAnewIsTakenAnewUnderItsName) {
  llama(q8_0).write(file("a.gguf"));
  ModelStore models = store();
  ASSERT_TRUE(models.add("tiny", file("a.gguf")));
  llama(q8_0, 8).write(file("a.gguf"));
  const Result<ModelFile> again = models.add("tiny", file("a.gguf"));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->params, 256u);
  EXPECT_THAT(ids(models.list().models), ElementsAre("tiny-q8_0"));
}

TEST_F(StoreTest, ANameFindsEveryQuantizationOfIt) {
  llama(q8_0).write(file("a.gguf"));
  llama(q4_k_m).write(file("b.gguf"));
  ModelStore models = store();
  ASSERT_TRUE(models.add("tiny", file("a.gguf")));
  ASSERT_TRUE(models.add("tiny", file("b.gguf")));
  EXPECT_THAT(ids(models.find_by_name("Tiny")), ElementsAre("tiny-q4_k_m", "tiny-q8_0"));
  EXPECT_THAT(ids(models.find_by_name("tiny@q8_0")), ElementsAre("tiny-q8_0"));
  EXPECT_TRUE(models.find_by_name("tin").empty());
}

TEST_F(StoreTest, AnUnknownIdGetsTheNearOnes) {
  llama(q8_0).write(file("a.gguf"));
  ModelStore models = store();
  ASSERT_TRUE(models.add("tiny", file("a.gguf")));
  const Result<ModelFile> found = models.find("tinny-q8_0");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::unknown_model);
  EXPECT_EQ(found.error().hint, "Did you mean 'tiny-q8_0'?");
  EXPECT_FALSE(models.remove("tinny-q8_0"));
}

TEST_F(StoreTest, WhatIsNoModelIsRefused) {
  std::ofstream(file("hello.gguf")) << "hello world";
  GgufPicture().text("general.architecture", "clip").tensor("v.weight", {32}, 8).write(file("mmproj.gguf"));
  GgufPicture().text("general.architecture", "llama").write(file("vocabulary.gguf"));
  GgufPicture().tensor("t", {32}, 8).write(file("unnamed.gguf"));
  ModelStore models = store();
  const auto expect_refused = [&](std::string_view name, std::string_view why) {
    const Result<ModelFile> added = models.add("x", file(name));
    ASSERT_FALSE(added) << name;
    EXPECT_EQ(added.error().code, ErrorCode::bad_model_file) << name;
    EXPECT_EQ(added.error().message, cat("'", file(name).string(), "' ", why));
  };
  expect_refused("hello.gguf", "is no GGUF file: it begins with 'hell'.");
  expect_refused("mmproj.gguf", "is a projector for images or sound, not a model.");
  expect_refused("vocabulary.gguf", "has no weights.");
  expect_refused("unnamed.gguf", "does not say of what architecture it is.");
  expect_refused("none.gguf", "is not there.");
  const Result<ModelFile> bad_name = models.add("../x", file("hello.gguf"));
  ASSERT_FALSE(bad_name);
  EXPECT_EQ(bad_name.error().code, ErrorCode::bad_request);
}

TEST_F(StoreTest, ASplitModelIsOneWhenAllItsPartsAreThere) {
  GgufPicture first = llama(q8_0);
  first.number("split.count", 3);
  first.write(file("m-00001-of-00003.gguf"));
  GgufPicture().tensor("blk.0.a.weight", {32}, 8).write(file("m-00002-of-00003.gguf"));
  ModelStore models = store();
  const Result<ModelFile> cut = models.add("split", file("m-00002-of-00003.gguf"));
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().message,
            cat("'", file("m-00003-of-00003.gguf").string(), "' is missing: part 3 of 3."));
  GgufPicture().tensor("blk.1.a.weight", {64}, 8).write(file("m-00003-of-00003.gguf"));
  const Result<ModelFile> whole = models.add("split", file("m-00002-of-00003.gguf"));
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->path, file("m-00001-of-00003.gguf").string());
  EXPECT_EQ(whole->params, 128u + 32 + 64);
  fs::remove(file("m-00003-of-00003.gguf"));
  ASSERT_EQ(models.list().missing.size(), 1u);
  EXPECT_THAT(models.list().missing[0].reason, HasSubstr("m-00003-of-00003.gguf"));
}

TEST_F(StoreTest, APartThatWasRenamedIsNoModel) {
  GgufPicture part = llama(q8_0);
  part.number("split.count", 3);
  part.write(file("renamed.gguf"));
  const Result<ModelFile> added = store().add("x", file("renamed.gguf"));
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message, HasSubstr("is a part of 3, but is not named so"));
}

TEST_F(StoreTest, ADamagedListIsAnErrorAndNotAnEmptyStore) {
  fs::create_directories(file("store"));
  std::ofstream(file("store") / "models.json") << R"({"models": [{"id": 7}]})";
  const Result<ModelStore> opened = ModelStore::open(file("store"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::bad_config);
  EXPECT_THAT(opened.error().message, HasSubstr("'id'"));
}

TEST(PartName, IsReadFromTheEndOfAFileName) {
  const auto part = parse_part_name("llama-405b-00002-of-00009.gguf");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->stem, "llama-405b");
  EXPECT_EQ(part->number, 2);
  EXPECT_EQ(part->count, 9);
  EXPECT_FALSE(parse_part_name("llama.gguf"));
  EXPECT_FALSE(parse_part_name("m-00004-of-00003.gguf"));
  EXPECT_FALSE(parse_part_name("m-00000-of-00003.gguf"));
  EXPECT_FALSE(parse_part_name("m-00001-of-99999.gguf"));
  EXPECT_FALSE(parse_part_name("m-+0001-of-00003.gguf"));
}

}  // namespace
}  // namespace rbee::model
