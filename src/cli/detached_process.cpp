#include "cli/detached_process.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

namespace rbee::cli {
namespace {

class FileActions {
 public:
  explicit FileActions(const std::string& output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions_, 1, 2);
  }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class Attributes {
 public:
  Attributes() {
    posix_spawnattr_init(&attributes_);
    // Without a session of its own it would end with the terminal, or hold up the ssh that started it.
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID);
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace

Result<DetachedProcess> DetachedProcess::start(const std::string& program,
                                               const std::vector<std::string>& words,
                                               const std::vector<std::string>& environment,
                                               const std::filesystem::path& output) {
  // A link like /proc/self/exe would give the process its own name for one.
  std::error_code failure;
  const std::filesystem::path file = std::filesystem::canonical(program, failure);
  if (failure) return io_error(cat("'", program, "' is not there"), failure.value());
  const FileActions actions(output.string());
  const Attributes attributes;
  pid_t pid = 0;
  const int result = posix_spawn(&pid, file.c_str(), actions.get(), attributes.get(),
                                 engine::pointers(words).data(), engine::pointers(environment).data());
  if (result != 0) return io_error(cat("'", file.string(), "' cannot be started"), result);
  return DetachedProcess(pid);
}

bool DetachedProcess::has_ended() const {
  int status = 0;
  return waitpid(pid_, &status, WNOHANG) != 0;
}

}  // namespace rbee::cli
