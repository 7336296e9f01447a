#include "hive/engine_log.h"

#include "base/text.h"
#include "hive/test_folder.h"

namespace rbee::hive {
namespace {

TEST(EngineLogs, TheTailNamesTheEngineOnEachLine) {
  const TestFolder folder;
  EngineLogs logs(folder.path());
  logs.begin("e1", "worker-a", "demo");
  logs.append("e1", "one\ntwo\n");
  EXPECT_EQ(logs.tail("", 1000), "e1: # engine e1 on worker-a with demo\ne1: one\ne1: two\n");
}

TEST(EngineLogs, TheTailIsOfOneWorkerWhereOneIsNamed) {
  const TestFolder folder;
  EngineLogs logs(folder.path());
  logs.begin("e1", "worker-a", "demo");
  logs.begin("e2", "worker-b", "demo");
  logs.append("e1", "of a\n");
  logs.append("e2", "of b\n");
  const std::string tail = logs.tail("worker-b", 1000);
  EXPECT_EQ(tail.find("of a"), std::string::npos);
  EXPECT_NE(tail.find("e2: of b\n"), std::string::npos);
}

TEST(EngineLogs, TheTailIsShortAndBeginsWithAWholeLine) {
  const TestFolder folder;
  EngineLogs logs(folder.path());
  logs.begin("e1", "worker-a", "demo");
  for (int i = 0; i < 1000; ++i) logs.append("e1", cat("line ", i, "\n"));
  const std::string tail = logs.tail("worker-a", 100);
  EXPECT_LE(tail.size(), 100U);
  EXPECT_TRUE(tail.starts_with("e1: line ")) << tail;
  EXPECT_TRUE(tail.ends_with("e1: line 999\n")) << tail;
}

TEST(EngineLogs, AFileThatIsFullIsRotatedOnceAndStaysItsWorkers) {
  const TestFolder folder;
  EngineLogs logs(folder.path());
  logs.begin("e1", "worker-a", "demo");
  const std::string mebibyte(1u << 20, 'x');
  for (int i = 0; i < 20; ++i) logs.append("e1", mebibyte + "\n");
  logs.append("e1", "last\n");
  std::uintmax_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) bytes += file.file_size();
  EXPECT_LE(bytes, 2 * EngineLogs::largest_file_bytes + 1000);
  EXPECT_TRUE(logs.tail("worker-a", 2u << 20).ends_with("e1: last\n"));
}

TEST(EngineLogs, ARestartGoesOnInTheSameFile) {
  const TestFolder folder;
  EngineLogs logs(folder.path());
  logs.begin("e1", "worker-a", "demo");
  logs.append("e1", "one\n");
  logs.begin("e1", "worker-a", "demo");
  EXPECT_EQ(logs.tail("", 1000), "e1: # engine e1 on worker-a with demo\ne1: one\n");
}

TEST(EngineLogs, OnlySoManyFilesStay) {
  const TestFolder folder;
  EngineLogs logs(folder.path());
  for (std::size_t i = 0; i < EngineLogs::most_files + 5; ++i) logs.begin(cat("e", i), "worker-a", "demo");
  std::size_t left = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) left += file.exists() ? 1 : 0;
  EXPECT_EQ(left, EngineLogs::most_files);
}

TEST(EngineLogs, TheLogOfAnEngineThatIsThereStaysHoweverOldItIs) {
  const TestFolder folder;
  EngineLogs logs(folder.path());
  logs.begin("quiet", "worker-a", "demo");
  const std::filesystem::path log = folder.path() / "quiet.log";
  std::filesystem::last_write_time(log, std::filesystem::last_write_time(log) - std::chrono::hours(1));
  const auto begin_many = [&](std::string_view prefix, const std::set<std::string>& there) {
    for (std::size_t i = 0; i < EngineLogs::most_files; ++i)
      logs.begin(cat(prefix, i), "worker-a", "demo", there);
  };
  begin_many("a", {"quiet"});
  EXPECT_TRUE(std::filesystem::exists(log));
  begin_many("b", {});
  EXPECT_FALSE(std::filesystem::exists(log));
}

TEST(EngineLogs, AnEmptyFolderHasAnEmptyTail) {
  const TestFolder folder;
  EXPECT_EQ(EngineLogs(folder.path()).tail("", 1000), "");
  EXPECT_EQ(EngineLogs(folder.path() / "none").tail("", 1000), "");
}

}  // namespace
}  // namespace rbee::hive
