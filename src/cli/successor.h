// A keeper's successor: the same program (as its file is now) started beside it, with the sockets that
// clients connect to and the lock of the home. So a keeper is restarted, or its program replaced, while
// clients ask: at every moment somebody accepts, on the very same sockets.
//
// The one that goes serves until the other says that it is ready; if that never comes it goes on as before.
#pragma once

#include "cli/environment.h"
#include "keeper/keeper.h"

#include <optional>
#include <string>
#include <vector>

namespace rbee::cli {

// Descriptors of the process before this one. -1: there is none.
struct HandedOver {
  keeper::Inherited sockets = {};
  int lock = -1;   // of the home, held
  int ready = -1;  // where it is told that this one serves
};

// The variable that says so to a successor.
inline constexpr const char* handed_over_variable = "RBEE_HANDED_OVER";
// Nothing where this process follows no other.
[[nodiscard]] std::optional<HandedOver> handed_over(const Environment& environment);
// Tells the process before that this one serves.
void say_ready(const HandedOver& from);

// Starts `program` with these words and waits until it serves. Its process id; fails with io_failed,
// timed_out, or unsupported where the system cannot. Blocks for a second or so.
[[nodiscard]] Result<int> start_successor(const std::string& program, const std::vector<std::string>& words,
                                          const Environment& environment, const HandedOver& what);

// One word of systemd's protocol ("READY=1", "MAINPID=123") to whoever started this as a service and wants
// it.
void tell_service_manager(const Environment& environment, const std::string& word);

}  // namespace rbee::cli
