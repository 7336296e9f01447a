#include "cli/port_owner.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <libproc.h>
#include <sys/proc_info.h>

#include <array>
#include <vector>

namespace rbee::cli {
namespace {

// More than any user's limit on open files by default; one that has more is looked at as far as this.
constexpr std::size_t most_descriptors = 4096;

bool listens(int pid, int descriptor, std::uint16_t port) {
  socket_fdinfo socket{};
  const int got = proc_pidfdinfo(pid, descriptor, PROC_PIDFDSOCKETINFO, &socket, sizeof socket);
  if (got != static_cast<int>(sizeof socket) || socket.psi.soi_kind != SOCKINFO_TCP) return false;
  const tcp_sockinfo& tcp = socket.psi.soi_proto.pri_tcp;
  return tcp.tcpsi_state == TSI_S_LISTEN &&
         ntohs(static_cast<std::uint16_t>(tcp.tcpsi_ini.insi_lport)) == port;
}

bool has_listener(int pid, std::uint16_t port) {
  std::vector<proc_fdinfo> descriptors(most_descriptors);
  const int bytes = proc_pidinfo(pid, PROC_PIDLISTFDS, 0, descriptors.data(),
                                 static_cast<int>(descriptors.size() * sizeof(proc_fdinfo)));
  if (bytes <= 0) return false;  // another user's
  descriptors.resize(static_cast<std::size_t>(bytes) / sizeof(proc_fdinfo));
  for (const proc_fdinfo& one : descriptors) {
    if (one.proc_fdtype == PROX_FDTYPE_SOCKET && listens(pid, one.proc_fd, port)) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> find_port_owner(std::uint16_t port) {
  const int bytes = proc_listpids(PROC_ALL_PIDS, 0, nullptr, 0);
  if (bytes <= 0) return std::nullopt;
  std::vector<pid_t> pids(static_cast<std::size_t>(bytes) / sizeof(pid_t));
  const int filled = proc_listpids(PROC_ALL_PIDS, 0, pids.data(), bytes);
  if (filled <= 0) return std::nullopt;
  pids.resize(static_cast<std::size_t>(filled) / sizeof(pid_t));
  for (const pid_t pid : pids) {
    if (pid <= 0 || !has_listener(pid, port)) continue;
    std::array<char, 2 * MAXCOMLEN + 1> name{};
    const bool named = proc_name(pid, name.data(), static_cast<std::uint32_t>(name.size())) > 0;
    return cat(named ? name.data() : "a process", " (pid ", pid, ")");
  }
  return std::nullopt;
}

}  // namespace rbee::cli
