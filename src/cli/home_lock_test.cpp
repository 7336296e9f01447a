#include "cli/home_lock.h"

#include "cli/keeper_address.h"

#include <gmock/gmock.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace rbee::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class HomeLockTest : public testing::Test {
 protected:
  HomeLockTest() {
    std::string name = (fs::temp_directory_path() / "rbee-lock-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    environment_.variables = {"HOME=/nonexistent", "RBEE_HOME=" + folder_.string()};
    paths_ = find_paths(environment_).value();
  }
  ~HomeLockTest() override { fs::remove_all(folder_); }

  std::string keeper(const Options& options = {}) {
    const Result<KeeperAddress> found = find_keeper(options, environment_, paths_);
    return found ? found->endpoint.text() : found.error().message;
  }

  fs::path folder_;
  Environment environment_;
  Paths paths_;
  ManualClock clock_;
};

TEST_F(HomeLockTest, TheSecondIsToldWhoHoldsThePlace) {
  Result<HomeLock> first = HomeLock::take(paths_.lock, "up", clock_);
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(first->set_address("http://127.0.0.1:4321"));
  const Result<HomeLock> second = HomeLock::take(paths_.lock, "keeper", clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::already_running);
  for (const std::string& part :
       {std::string("`rbee up`"), std::to_string(getpid()), folder_.string(),
        std::string("http://127.0.0.1:4321"), std::string("since 1970-01-01T00:00:00Z")}) {
    EXPECT_THAT(second.error().message, HasSubstr(part));
  }
}

TEST_F(HomeLockTest, ThePlaceIsFreeOnceTheHolderIsGone) {
  {
    const Result<HomeLock> first = HomeLock::take(paths_.lock, "up", clock_);
    ASSERT_TRUE(first);
    ASSERT_TRUE(find_holder(paths_.lock));
    EXPECT_EQ(find_holder(paths_.lock)->pid, getpid());
  }
  EXPECT_FALSE(fs::exists(paths_.lock));
  EXPECT_FALSE(find_holder(paths_.lock));
  EXPECT_TRUE(HomeLock::take(paths_.lock, "up", clock_));
}

TEST_F(HomeLockTest, AFileThatAKilledProcessLeftHoldsNothing) {
  std::ofstream(paths_.lock) << R"({"command": "up", "pid": 1, "address": "http://127.0.0.1:4321"})";
  EXPECT_FALSE(find_holder(paths_.lock));
  EXPECT_EQ(keeper(), "127.0.0.1:7833");
  EXPECT_TRUE(HomeLock::take(paths_.lock, "up", clock_));
}

TEST_F(HomeLockTest, AKeeperIsFoundByFlagThenVariableThenHomeThenDefault) {
  EXPECT_EQ(keeper(), "127.0.0.1:7833");
  Result<HomeLock> lock = HomeLock::take(paths_.lock, "up", clock_);
  ASSERT_TRUE(lock);
  EXPECT_EQ(keeper(), "127.0.0.1:7833");
  ASSERT_TRUE(lock->set_address("http://127.0.0.1:4321"));
  EXPECT_EQ(keeper(), "127.0.0.1:4321");
  environment_.variables.emplace_back("RBEE_KEEPER=127.0.0.1:5000");
  EXPECT_EQ(keeper(), "127.0.0.1:5000");
  Options options;
  options.keeper = "http://127.0.0.1:6000";
  EXPECT_EQ(keeper(options), "127.0.0.1:6000");
  options.keeper = "not an address";
  EXPECT_THAT(keeper(options), HasSubstr("--keeper is no address of a keeper: 'not an address'"));
}

}  // namespace
}  // namespace rbee::cli
