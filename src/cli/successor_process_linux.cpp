#include "cli/successor.h"
#include "cli/successor_process.h"
#include "engine/spawn.h"

#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstring>

namespace rbee::cli {
int start_with_descriptors(const std::string& program, const std::vector<std::string>& arguments,
                           const std::vector<std::string>& environment, const std::vector<int>& descriptors,
                           int& pid) {
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  int next = first_passed_descriptor;
  for (const int descriptor : descriptors) posix_spawn_file_actions_adddup2(&actions, descriptor, next++);
  // A client's connection that the child held too would stay open when it is closed here.
  posix_spawn_file_actions_addclosefrom_np(&actions, next);
  posix_spawnattr_t attributes{};
  posix_spawnattr_init(&attributes);
  sigset_t none{};
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t started = 0;
  const int failure = posix_spawn(&started, program.c_str(), &actions, &attributes,
                                  engine::pointers(arguments).data(), engine::pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  pid = started;
  return failure;
}

void tell_service_manager(const Environment& environment, const std::string& word) {
  const std::optional<std::string> path = environment.find("NOTIFY_SOCKET");
  sockaddr_un to{};
  if (!path || path->size() >= sizeof to.sun_path) return;
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path->data(), path->size());
  // systemd writes the 0 of an abstract name as '@'.
  if (to.sun_path[0] == '@') to.sun_path[0] = 0;
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path->size());
  const auto* address = reinterpret_cast<const sockaddr*>(&to);
  const ssize_t ignored = sendto(fd, word.data(), word.size(), MSG_NOSIGNAL, address, length);
  static_cast<void>(ignored);
  close(fd);
}

}  // namespace rbee::cli
