#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rbee {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rbee-file-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }
  [[nodiscard]] fs::path path(std::string_view name) const { return folder_ / name; }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

 private:
  fs::path folder_;
};

TEST_F(FileTest, WhatWasWrittenIsReadAndNothingLiesBeside) {
  ASSERT_TRUE(write_file(path("a"), "old"));
  ASSERT_TRUE(write_file(path("a"), "new"));
  EXPECT_EQ(*read_file(path("a"), 3), "new");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, OnlyTheOwnerMayRead) {
  ASSERT_TRUE(write_file(path("a"), "x"));
  struct stat found{};
  ASSERT_EQ(::stat(path("a").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
}

TEST_F(FileTest, ANameLeadsToAnOpenFileUntilSomethingElseStandsThere) {
  ASSERT_TRUE(write_file(path("a"), "x"));
  const int fd = ::open(path("a").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_TRUE(leads_to(path("a"), fd));
  ASSERT_TRUE(write_file(path("a"), "y"));
  EXPECT_FALSE(leads_to(path("a"), fd)) << "another file of that name";
  fs::remove(path("a"));
  EXPECT_FALSE(leads_to(path("a"), fd));
  ::close(fd);
}

TEST_F(FileTest, OneByteOverTheLimitIsRefused) {
  ASSERT_TRUE(write_file(path("a"), "12345"));
  EXPECT_TRUE(read_file(path("a"), 5));
  const Result<std::string> read = read_file(path("a"), 4);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::io_failed);
  EXPECT_THAT(read.error().message, HasSubstr("is larger than 4 B"));
}

TEST_F(FileTest, AReplacementThatFailsKeepsTheOldOneAndLeavesNothing) {
  // A folder with something in it cannot be renamed over.
  ASSERT_TRUE(make_folder(path("a/inside")));
  const Result<void> written = write_file(path("a"), "new");
  ASSERT_FALSE(written);
  EXPECT_TRUE(fs::is_directory(path("a/inside")));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, WhatCannotBeOpenedIsNamed) {
  const Result<std::string> read = read_file(path("none"), 10);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("none' cannot be opened: No such file"));
  const Result<void> written = write_file(path("none/a"), "x");
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("none/a' cannot be written: No such file"));
}

TEST_F(FileTest, AFolderIsMadeWithItsParentsForTheOwnerOnly) {
  ASSERT_TRUE(make_folder(path("x/y/z")));
  ASSERT_TRUE(make_folder(path("x/y/z")));
  struct stat found{};
  ASSERT_EQ(::stat(path("x/y").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0700U);
  ASSERT_TRUE(write_file(path("x/file"), ""));
  const Result<void> made = make_folder(path("x/file/sub"));
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("is a file where a folder is needed"));
}

}  // namespace
}  // namespace rbee
