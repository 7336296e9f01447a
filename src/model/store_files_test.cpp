// The store's own files: one copy however many names, gone with the last; nothing left over.
#include "base/text.h"
#include "model/gguf_picture.h"
#include "model/sha256.h"
#include "model/store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace rbee::model {
namespace {

namespace fs = std::filesystem;

class StoreFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rbee-blobs-XXXXXX").string();
    folder_ = fs::canonical(::mkdtemp(pattern.data()));
    fs::create_directories(folder_ / "store/blobs");
  }
  void TearDown() override { fs::remove_all(folder_); }
  [[nodiscard]] ModelStore store() const { return *ModelStore::open(folder_ / "store"); }
  // A model that lies in blobs/; its checksum.
  std::string blob(std::uint64_t vocabulary) const {
    GgufPicture picture;
    picture.text("general.architecture", "llama").number("general.file_type", 7);
    picture.number("llama.context_length", 2048).tensor("token_embd.weight", {32, vocabulary}, 8);
    picture.write(folder_ / "new.gguf");
    const std::string sum = *sha256_of_file(folder_ / "new.gguf", [] { return true; });
    fs::rename(folder_ / "new.gguf", blob_path(sum));
    return sum;
  }
  std::string projector() const {
    GgufPicture picture;
    picture.text("general.architecture", "clip").tensor("v.weight", {32}, 8).write(folder_ / "new.gguf");
    const std::string sum = *sha256_of_file(folder_ / "new.gguf", [] { return true; });
    fs::rename(folder_ / "new.gguf", blob_path(sum));
    return sum;
  }
  [[nodiscard]] fs::path blob_path(const std::string& sum) const {
    return folder_ / "store/blobs" / cat(sum, ".gguf");
  }
  fs::path folder_;
};

TEST_F(StoreFilesTest, ABlobGoesWithItsLastName) {
  ModelStore models = store();
  const std::string sum = blob(4);
  ASSERT_TRUE(models.add_blobs("a", {sum}));
  ASSERT_TRUE(models.add_alias("b", "a-q8_0"));
  EXPECT_EQ(models.find("b-q8_0")->sha256, sum);
  ASSERT_TRUE(models.remove("a-q8_0"));
  EXPECT_TRUE(fs::exists(blob_path(sum)));
  ASSERT_TRUE(models.remove("b-q8_0"));
  EXPECT_FALSE(fs::exists(blob_path(sum)));
}

TEST_F(StoreFilesTest, AProjectorStaysAsLongAsAModelThatNeedsIt) {
  ModelStore models = store();
  const std::string small = blob(4);
  const std::string large = blob(8);
  const std::string eyes = projector();
  ASSERT_TRUE(models.add_blobs("small", {small}, eyes));
  ASSERT_TRUE(models.add_blobs("large", {large}, eyes));
  EXPECT_EQ(models.find("large-q8_0")->projector, blob_path(eyes));
  EXPECT_EQ(models.find("large-q8_0")->projector_bytes, fs::file_size(blob_path(eyes)));
  ASSERT_TRUE(models.remove("small-q8_0"));
  EXPECT_EQ(store().find("large-q8_0")->projector, blob_path(eyes));
  ASSERT_TRUE(models.remove("large-q8_0"));
  EXPECT_FALSE(fs::exists(blob_path(eyes)));
}

TEST_F(StoreFilesTest, AModelIsNoProjectorAndAProjectorThatHasGoneIsMissed) {
  ModelStore models = store();
  const Result<ModelFile> wrong = models.add_blobs("a", {blob(4)}, blob(8));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::bad_model_file);
  EXPECT_FALSE(models.add_blobs("a", {blob(4)}, "../../etc/passwd"));
  const std::string eyes = projector();
  ASSERT_TRUE(models.add_blobs("a", {blob(4)}, eyes));
  fs::remove(blob_path(eyes));
  EXPECT_TRUE(models.list().models.empty());
  EXPECT_NE(models.list().missing.front().reason.find(eyes), std::string::npos);
}

TEST_F(StoreFilesTest, TheProjectorBesideAModelIsItsOwnWhereNoOtherModelLiesThere) {
  ModelStore models = store();
  fs::create_directories(folder_ / "theirs");
  const auto lies = [&](const std::string& sum, const char* name) {
    fs::rename(blob_path(sum), folder_ / "theirs" / name);
  };
  lies(blob(4), "eyes-Q8_0.gguf");
  lies(projector(), "mmproj-F16.gguf");
  const Result<ModelFile> file = models.import("eyes", {.path = folder_ / "theirs/eyes-Q8_0.gguf"});
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(fs::equivalent(file->projector, folder_ / "theirs/mmproj-F16.gguf"));
  lies(blob(8), "other-Q8_0.gguf");
  EXPECT_EQ(models.import("other", {.path = folder_ / "theirs/other-Q8_0.gguf"})->projector, "");
}

TEST_F(StoreFilesTest, AUsersOwnFileStays) {
  ModelStore models = store();
  fs::rename(blob_path(blob(4)), folder_ / "mine.gguf");
  ASSERT_TRUE(models.add("mine", folder_ / "mine.gguf"));
  ASSERT_TRUE(models.remove("mine-q8_0"));
  EXPECT_TRUE(fs::exists(folder_ / "mine.gguf"));
}

TEST_F(StoreFilesTest, WhatNoNameLeadsToIsSweptAtTheStart) {
  const std::string named = blob(4);
  ASSERT_TRUE(store().add_blobs("a", {named}));
  const std::string orphan = blob(5);
  const std::string awaited = blob(6);
  fs::create_directories(folder_ / "store/downloads");
  std::ofstream(folder_ / "store/downloads/x.json")
      << R"({"url": "u", "bytes": 9, "etag": "", "missing": [], "sha256": ")" << awaited << "\"}";
  const ModelStore models = store();
  EXPECT_TRUE(fs::exists(blob_path(orphan))) << "a command that only looks removes nothing";
  models.sweep();
  EXPECT_TRUE(fs::exists(blob_path(named)));
  EXPECT_FALSE(fs::exists(blob_path(orphan)));
  EXPECT_TRUE(fs::exists(blob_path(awaited)));
  // A user who took a damaged list away does not lose the files.
  fs::remove(folder_ / "store/models.json");
  store().sweep();
  EXPECT_TRUE(fs::exists(blob_path(named)));
}

TEST_F(StoreFilesTest, AnImportIsALinkThatOutlivesItsSource) {
  ModelStore models = store();
  const std::string sum = blob(4);
  fs::create_directories(folder_ / "theirs");
  fs::rename(blob_path(sum), folder_ / "theirs/x.gguf");
  const Result<ModelFile> file = models.import("x", {.path = folder_ / "theirs/x.gguf", .sha256 = sum});
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(fs::hard_link_count(file->path), 2u);
  ASSERT_TRUE(models.import("x", {.path = folder_ / "theirs/x.gguf", .sha256 = sum}));
  fs::remove_all(folder_ / "theirs");
  EXPECT_TRUE(models.find("x-q8_0"));
}

TEST_F(StoreFilesTest, NoChecksumIsAPath) {
  ModelStore models = store();
  EXPECT_FALSE(models.add_blobs("a", {"../../etc/passwd"}));
  EXPECT_FALSE(models.add_blobs("a", {std::string(64, 'a')}));
}

}  // namespace
}  // namespace rbee::model
