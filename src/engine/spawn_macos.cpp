// macOS sends no signal at a parent's end. What a child gets instead is a pipe as its stdin whose other end
// only this process holds: when it ends, however it ends, the child reads the end of its input. An engine
// ends itself then (LLAMA_SERVER_ROUTER_PORT: docs of llama-server's router, which starts its children so);
// tools run for minutes at most and end by themselves; the process of the figures ends at its closed stdout.
#include "engine/spawn.h"

#include "base/text.h"
#include "engine/exits.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace rbee::engine {
namespace {

constexpr const char* end_with_stdin = "LLAMA_SERVER_ROUTER_PORT=1";

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe(ends) != 0) return io_error("a pipe cannot be made", errno);
  for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  return Pipe{.read = Fd(ends[0]), .write = Fd(ends[1])};
}

// Both are undone at the end of their scope.
struct FileActions {
  FileActions() { ::posix_spawn_file_actions_init(&actions); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t actions{};
};
struct Attributes {
  Attributes() { ::posix_spawnattr_init(&attributes); }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  posix_spawnattr_t attributes{};
};

// Leads a process group, with no signal blocked or ignored, and no descriptor but those that are named.
void set_attributes(Attributes& to) {
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&to.attributes, &all);
  ::posix_spawnattr_setsigmask(&to.attributes, &none);
  ::posix_spawnattr_setpgroup(&to.attributes, 0);
  const int flags =
      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_CLOEXEC_DEFAULT;
  ::posix_spawnattr_setflags(&to.attributes, static_cast<short>(flags));
}

}  // namespace

Result<Spawned> spawn(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                      const std::filesystem::path& folder) {
  Result<Pipe> output = make_pipe();
  if (!output) return output.error();
  Result<Pipe> lifeline = make_pipe();
  if (!lifeline) return lifeline.error();
  if (::fcntl(output->read.get(), F_SETFL, O_NONBLOCK) != 0)
    return io_error("a pipe cannot be set up", errno);

  FileActions files;
  ::posix_spawn_file_actions_adddup2(&files.actions, lifeline->read.get(), 0);
  ::posix_spawn_file_actions_adddup2(&files.actions, output->write.get(), 1);
  ::posix_spawn_file_actions_adddup2(&files.actions, output->write.get(), 2);
  if (!folder.empty()) ::posix_spawn_file_actions_addchdir_np(&files.actions, folder.c_str());
  Attributes how;
  set_attributes(how);
  std::vector<std::string> variables = environment;
  variables.emplace_back(end_with_stdin);
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> environment_pointers = pointers(variables);

  // There is no attribute for it; what another thread makes in this moment is the owner's alone too.
  const mode_t before = ::umask(077);
  pid_t pid = 0;
  const int reason = ::posix_spawn(&pid, arguments.front().c_str(), &files.actions, &how.attributes,
                                   argument_pointers.data(), environment_pointers.data());
  ::umask(before);
  if (reason != 0) return cannot_start(arguments.front(), reason);
  Fd exit = watch_exit(pid);
  if (!exit.is_open()) {
    const int why = errno;
    kill_group(pid, SIGKILL);
    (void)reap(pid);
    return io_error(cat("'", arguments.front(), "' cannot be watched"), why);
  }
  return Spawned{.pid = pid,
                 .exit = std::move(exit),
                 .lifeline = std::move(lifeline->write),
                 .output = std::move(output->read)};
}

}  // namespace rbee::engine
