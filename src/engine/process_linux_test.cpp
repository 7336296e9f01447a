#include "engine/process.h"

#include "engine/child.h"
#include "engine/test_folder.h"
#include "engine/test_process.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace rbee::engine {
namespace {

constexpr std::chrono::seconds patience{20};  // of a test that would otherwise wait forever

// What one child told, put together on the launcher's thread and read here.
class Told {
 public:
  ChildRequest request(std::vector<std::string> arguments) {
    return {.arguments = std::move(arguments),
            .environment = {"PATH=/usr/bin:/bin"},
            .on_start = [this](const Result<ProcessId>& process) { started_.set_value(process); },
            .on_line = [this](std::string_view line) { add(line); },
            .on_exit = [this](ExitStatus status) { ended_.set_value(status); }};
  }
  ChildRequest shell(std::string script) { return request({"/bin/sh", "-c", std::move(script)}); }
  Result<ProcessId> started() { return wait(start_); }
  ExitStatus ended() { return wait(end_); }
  void wait_for_line() { wait(line_); }
  [[nodiscard]] std::vector<std::string> lines() {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }

 private:
  template <class T>
  static T wait(std::future<T>& future) {
    if (future.wait_for(patience) != std::future_status::ready) throw std::runtime_error("nothing came");
    return future.get();
  }
  void add(std::string_view line) {
    const std::scoped_lock lock(mutex_);
    lines_.emplace_back(line);
    if (lines_.size() == 1) first_.set_value(true);
  }
  std::promise<Result<ProcessId>> started_;
  std::promise<bool> first_;
  std::promise<ExitStatus> ended_;
  std::future<Result<ProcessId>> start_ = started_.get_future();
  std::future<bool> line_ = first_.get_future();
  std::future<ExitStatus> end_ = ended_.get_future();
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

TEST(Launcher, LinesComeBeforeTheEnd) {
  Told told;
  Launcher launcher;
  launcher.start(told.shell("echo out; echo err >&2; exit 3"));
  EXPECT_TRUE(told.started());
  EXPECT_EQ(told.ended().code, 3);
  EXPECT_EQ(told.lines(), (std::vector<std::string>{"out", "err"}));
}

TEST(Launcher, ProgramThatIsNotThereIsAnErrorAndNothingElse) {
  Told told;
  Launcher launcher;
  launcher.start(told.request({"/no/such/llama-server"}));
  const Result<ProcessId> started = told.started();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::unsupported);
  EXPECT_NE(started.error().message.find("/no/such/llama-server"), std::string::npos);
}

TEST(Launcher, TerminateIsASignalTheChildMayHandle) {
  Told told;
  Launcher launcher;
  const ChildId child =
      launcher.start(told.shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"));
  told.wait_for_line();
  launcher.terminate(child);
  EXPECT_EQ(told.ended().code, 5);
}

TEST(Launcher, KillEndsTheWholeGroup) {
  Told told;
  Launcher launcher;
  const ChildId child = launcher.start(told.shell("trap '' TERM; sleep 600 & echo $!; wait"));
  told.wait_for_line();
  const WatchedProcess grandchild(std::stoi(told.lines().front()));
  launcher.terminate(child);
  launcher.kill(child);
  EXPECT_EQ(told.ended().signal, SIGKILL);
  EXPECT_TRUE(grandchild.ends());
}

TEST(Launcher, DeathFromOutsideIsSeen) {
  Told told;
  Launcher launcher;
  launcher.start(told.shell("echo up; exec sleep 600"));
  const Result<ProcessId> process = told.started();
  told.wait_for_line();
  ::kill(process->pid, SIGKILL);
  EXPECT_EQ(told.ended().text(), "was killed by signal 9 (Killed)");
}

TEST(Launcher, ChildrenEndWithTheLauncher) {
  Told told;
  ProcessId process;
  {
    Launcher launcher;
    launcher.start(told.shell("trap '' TERM; echo up; while :; do sleep 0.01; done"));
    process = *told.started();
    EXPECT_TRUE(is_same_process(process));
  }
  EXPECT_FALSE(is_same_process(process));
}

TEST(Launcher, ChildrenOutliveTheThreadThatAskedForThem) {
  Told told;
  Launcher launcher;
  ChildId child = 0;
  std::thread([&] { child = launcher.start(told.shell("echo up; read never < /dev/zero")); }).join();
  const ProcessId process = *told.started();
  told.wait_for_line();
  EXPECT_TRUE(is_same_process(process));
  launcher.kill(child);
  EXPECT_EQ(told.ended().signal, SIGKILL);
}

TEST(Launcher, ChildrenDieWithAProcessThatIsKilled) {
  // The parent in between is this very test program, killed before it can clean up.
  const TestFolder folder;
  const pid_t parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    Launcher launcher;
    launcher.start({.arguments = {"/bin/sh", "-c",
                                  "echo $$ > " + (folder / "pid.new").string() + "; mv " +
                                      (folder / "pid.new").string() + " " + (folder / "pid").string() +
                                      "; exec sleep 600"},
                    .environment = {"PATH=/usr/bin:/bin"}});
    while (true) ::pause();
  }
  const Result<ExitStatus> waited = run_child(
      {.arguments = {"sh", "-c", "until [ -s " + (folder / "pid").string() + " ]; do sleep 0.01; done"},
       .environment = {"PATH=/usr/bin:/bin"},
       .within = patience});
  ASSERT_TRUE(waited);
  const int engine = std::stoi(get_file(folder / "pid"));
  const WatchedProcess watched(engine);
  ::kill(parent, SIGKILL);
  int status = 0;
  ::waitpid(parent, &status, 0);
  EXPECT_TRUE(watched.ends());
}

TEST(ProcessId, ReusedPidIsAnotherProcess) {
  const ProcessId self{.pid = ::getpid(), .start_time = read_start_time(::getpid())};
  EXPECT_TRUE(is_same_process(self));
  EXPECT_FALSE(is_same_process({.pid = self.pid, .start_time = self.start_time + 1}));
  EXPECT_FALSE(is_same_process({.pid = 0, .start_time = 0}));
}

TEST(Leftover, OnlyTheVeryEngineWithThatSocketIsKilled) {
  const TestFolder folder;
  const std::string socket = (folder / "e.sock").string();
  Told told;
  Launcher launcher;
  launcher.start(told.request({"/bin/sh", "-c", "echo up; while :; do sleep 0.01; done", socket}));
  const ProcessId process = *told.started();
  told.wait_for_line();
  put_file(socket, "");
  EXPECT_FALSE(kill_leftover({.pid = process.pid, .start_time = process.start_time + 1}, socket));
  EXPECT_FALSE(kill_leftover(process, "/another.sock"));
  EXPECT_TRUE(is_same_process(process));
  EXPECT_TRUE(kill_leftover(process, socket));
  EXPECT_EQ(told.ended().signal, SIGKILL);
  EXPECT_FALSE(std::filesystem::exists(socket));
}

}  // namespace
}  // namespace rbee::engine
