#include "model/part_file.h"

#include "base/file.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include <cstdlib>

namespace rbee::model {
namespace {

namespace fs = std::filesystem;

class PartFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rbee-part-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }
  [[nodiscard]] PartFile::Paths paths() const { return {folder_ / "a.part", folder_ / "a.json"}; }
  [[nodiscard]] std::unique_ptr<PartFile> open() {
    Result<std::unique_ptr<PartFile>> part = PartFile::open(paths(), clock_);
    EXPECT_TRUE(part);
    return std::move(*part);
  }
  static PartState state(std::uint64_t bytes, std::vector<Span> missing) {
    return {
        .url = "http://x/a", .bytes = bytes, .etag = "\"e\"", .missing = std::move(missing), .sha256 = {}};
  }
  SystemClock clock_;
  fs::path folder_;
};

TEST_F(PartFileTest, WhatTheJournalSaysIsThereAfterItsEnd) {
  {
    const auto part = open();
    ASSERT_TRUE(part->write(0, "hello"));
    ASSERT_TRUE(part->write(8, "xy"));
    part->note(state(12, {{5, 8}, {10, 12}}), 5);
  }
  const auto left = PartFile::read_journal(paths());
  ASSERT_TRUE(left);
  EXPECT_EQ(left->missing, (std::vector<Span>{{5, 8}, {10, 12}}));
  EXPECT_EQ(left->etag, "\"e\"");
  EXPECT_TRUE(PartFile::has_data_of(*left, paths()));
  // The end that is missing may be two ranges, of which nothing has come.
  EXPECT_TRUE(PartFile::has_data_of(state(20, {{5, 8}, {10, 12}, {12, 20}}), paths()));
  EXPECT_FALSE(PartFile::has_data_of(state(20, {{5, 8}, {11, 12}, {12, 20}}), paths()));
  fs::resize_file(paths().data, 9);
  EXPECT_FALSE(PartFile::has_data_of(*left, paths()));
}

TEST_F(PartFileTest, TheChecksumIsOfTheWholeFile) {
  const auto part = open();
  const std::string text(3'000'000, 'x');
  ASSERT_TRUE(part->write(1'000'000, text.substr(1'000'000)));
  ASSERT_TRUE(part->write(0, text.substr(0, 1'000'000)));
  part->note(state(text.size(), {}), text.size());
  const Result<std::string> sum = part->finish(text.size(), [] { return true; });
  ASSERT_TRUE(sum) << sum.error().message;
  EXPECT_EQ(*sum, sha256_of(text));
  EXPECT_EQ(PartFile::read_journal(paths())->sha256, *sum);
}

TEST_F(PartFileTest, AfterARestartItIsAnotherFile) {
  const auto part = open();
  ASSERT_TRUE(part->write(0, "old bytes"));
  part->note(state(9, {}), 9);
  ASSERT_TRUE(part->restart());
  ASSERT_TRUE(part->write(0, "new"));
  part->note(state(3, {}), 3);
  EXPECT_EQ(*part->finish(3, [] { return true; }), sha256_of("new"));
}

TEST_F(PartFileTest, AFullDiskIsSaid) {
  fs::create_symlink("/dev/full", paths().data);
  const auto part = open();
  const Result<void> written = part->write(0, "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::no_space);
}

TEST_F(PartFileTest, AFinishThatNobodyWaitsForEnds) {
  const auto part = open();
  ASSERT_TRUE(part->write(0, "x"));
  const Result<std::string> sum = part->finish(1'000, [] { return false; });
  ASSERT_FALSE(sum);
}

TEST_F(PartFileTest, AJournalThatCannotBeIsNone) {
  EXPECT_TRUE(part_state_from_json(to_json(state(12, {{5, 8}}))));
  EXPECT_FALSE(part_state_from_json(to_json(state(0, {}))));
  EXPECT_FALSE(part_state_from_json(to_json(state(12, {{8, 5}}))));
  EXPECT_FALSE(part_state_from_json(to_json(state(12, {{5, 8}, {7, 9}}))));
  EXPECT_FALSE(part_state_from_json(to_json(state(12, {{5, 13}}))));
  PartState path = state(12, {});
  path.sha256 = "../../etc/passwd";
  EXPECT_FALSE(part_state_from_json(to_json(path)));
  for (const char* text :
       {"", "{", "[]", "{\"url\": 1}", "{\"url\": \"x\", \"bytes\": -1, \"missing\": []}"}) {
    ASSERT_TRUE(write_file(paths().journal, text));
    EXPECT_FALSE(PartFile::read_journal(paths())) << text;
  }
}

}  // namespace
}  // namespace rbee::model
