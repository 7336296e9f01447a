#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include <unistd.h>

#include "base/file.h"

namespace rbee {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rbee-log-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string file() const { return (folder_ / "rbee.log").string(); }
  [[nodiscard]] std::shared_ptr<Log> open(LogLevel level) const {
    auto log = Log::open({.level = level, .to_stderr = false, .file = file()});
    EXPECT_TRUE(log) << log.error().message;
    return *log;
  }
  [[nodiscard]] std::vector<fs::path> files() const {
    return {fs::directory_iterator(folder_), fs::directory_iterator()};
  }

 private:
  fs::path folder_;
};

TEST_F(LogTest, LinesBelowItsLevelAreLeftOut) {
  const auto log = open(LogLevel::info);
  log->debug("small talk");
  log->info("Detecting compute backends...");
  log->error("a fault");
  const std::string text = *read_file(file(), 10'000);
  EXPECT_THAT(text, HasSubstr("[INFO] Detecting compute backends...\n"));
  EXPECT_THAT(text, HasSubstr("[ERROR] a fault\n"));
  EXPECT_THAT(text, Not(HasSubstr("small talk")));
}

TEST_F(LogTest, BracesInALineAreNoFormat) {
  open(LogLevel::info)->info("{} {0} %v");
  EXPECT_THAT(*read_file(file(), 10'000), HasSubstr("[INFO] {} {0} %v\n"));
}

TEST_F(LogTest, FilesAreTurnedOverAndOnlyThreeOldOnesKept) {
  const auto log = open(LogLevel::info);
  const std::string line(1u << 20, 'x');
  for (int i = 0; i < 40; ++i) log->info(line);
  EXPECT_EQ(files().size(), 4u);
  for (const fs::path& one : files()) EXPECT_LE(fs::file_size(one), 8u << 20) << one;
}

TEST_F(LogTest, AFileThatCannotBeOpenedIsAnError) {
  fs::create_directory(file());
  const auto log = Log::open({.to_stderr = false, .file = file()});
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, ErrorCode::io_failed);
}

}  // namespace
}  // namespace rbee
