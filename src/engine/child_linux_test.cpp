#include "engine/child.h"

#include "engine/test_folder.h"
#include "engine/test_process.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>
#include <optional>

namespace rbee::engine {
namespace {

const std::vector<std::string> path_only = {"PATH=/usr/bin:/bin"};

std::vector<std::string> output_of(ChildRun run, Result<ExitStatus>& ended) {
  std::vector<std::string> lines;
  run.on_line = [&lines](std::string_view line) { lines.emplace_back(line); };
  ended = run_child(run);
  return lines;
}

TEST(Child, BothOutputsComeLineByLine) {
  Result<ExitStatus> ended = ExitStatus{};
  const auto lines = output_of(
      {.arguments = {"sh", "-c", "echo one; echo two >&2; printf three"}, .environment = path_only}, ended);
  ASSERT_TRUE(ended);
  EXPECT_TRUE(ended->ok());
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", "three"}));
}

TEST(Child, SeesOnlyItsEnvironmentAnEmptyStdinAndItsFolder) {
  const TestFolder folder;
  Result<ExitStatus> ended = ExitStatus{};
  const auto lines = output_of({.arguments = {"sh", "-c", "echo \"<$HOME>\"; cat; umask; pwd"},
                                .environment = path_only,
                                .folder = folder.path()},
                               ended);
  EXPECT_EQ(lines,
            (std::vector<std::string>{"<>", "0077", std::filesystem::canonical(folder.path()).string()}));
}

TEST(Child, InheritsNoDescriptor) {
  const TestFolder folder;
  put_file(folder / "open", "x");
  const int fd = ::open((folder / "open").c_str(), O_RDONLY);  // without close-on-exec, as some libraries do
  Result<ExitStatus> ended = ExitStatus{};
  const auto lines = output_of(
      {.arguments = {"sh", "-c", "readlink /proc/self/fd/* || true"}, .environment = path_only}, ended);
  ::close(fd);
  for (const std::string& line : lines) EXPECT_EQ(line.find("/open"), std::string::npos) << line;
  EXPECT_FALSE(lines.empty());
}

TEST(Child, ExitCodeAndSignalAreTold) {
  Result<ExitStatus> ended = ExitStatus{};
  output_of({.arguments = {"sh", "-c", "exit 7"}, .environment = path_only}, ended);
  EXPECT_EQ(ended->text(), "ended with code 7");
  output_of({.arguments = {"sh", "-c", "kill -9 $$"}, .environment = path_only}, ended);
  EXPECT_EQ(ended->text(), "was killed by signal 9 (Killed)");
}

TEST(Child, ProgramThatIsNotThereIsNamed) {
  Result<ExitStatus> ended = ExitStatus{};
  output_of({.arguments = {"no-such-program"}, .environment = path_only}, ended);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::unsupported);
  EXPECT_NE(ended.error().message.find("'no-such-program'"), std::string::npos);
  output_of({.arguments = {"/no/such/program"}, .environment = path_only}, ended);
  EXPECT_EQ(ended.error().code, ErrorCode::unsupported);
}

TEST(Child, FileThatIsNoProgramIsNotAllowed) {
  const TestFolder folder;
  put_file(folder / "text", "hello");
  Result<ExitStatus> ended = ExitStatus{};
  output_of({.arguments = {(folder / "text").string()}, .environment = path_only}, ended);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::not_allowed);
}

TEST(Child, CancelKillsTheWholeGroup) {
  const TestFolder folder;
  std::atomic<bool> cancel = false;
  ChildRun run{
      .arguments = {"sh", "-c", "sleep 600 & echo $!; wait"}, .environment = path_only, .cancel = &cancel};
  std::optional<WatchedProcess> grandchild;
  run.on_line = [&](std::string_view line) {
    grandchild.emplace(std::stoi(std::string(line)));
    cancel = true;
  };
  const Result<ExitStatus> ended = run_child(run);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::cancelled);
  EXPECT_TRUE(grandchild->ends());
}

TEST(Child, SilenceBeyondTheLimitIsATimeout) {
  const Result<ExitStatus> ended = run_child(
      {.arguments = {"sleep", "600"}, .environment = path_only, .within = std::chrono::milliseconds(30)});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
}

}  // namespace
}  // namespace rbee::engine
