// Hives that are not there though a request needs them: those that have not reported yet since the keeper
// started, and machines that sleep and can be woken.
#pragma once

#include "keeper/core.h"

namespace rbee::keeper {

// A keeper that comes back has heard its hives within some 100 ms; who asks before waits no longer than this.
inline constexpr Milliseconds first_reports_within{900};
// A machine wakes from its memory in some 5 s, from its disk in 30; clients commonly wait for a minute.
inline constexpr Milliseconds wakes_within{45'000};
// Packets are lost, and a network card that has just gone to sleep may not hear the first.
inline constexpr Milliseconds wake_again_every{5'000};
// What whoever was refused meanwhile is told to wait.
inline constexpr int retry_after_wake_s = 30;

// A hive that is gone and can be woken.
struct Sleeper {
  std::string hive;
  std::vector<std::string> mac_addresses;
};

// Of the hives that hold that model where none that is there does. `any_address`: also hives on loopback, for
// where the packets go somewhere else than to the network.
[[nodiscard]] std::vector<Sleeper> sleepers_with(const Snapshot& snapshot, std::string_view model,
                                                 bool any_address);

// Right after the keeper's start: hives that are known may not have reported yet.
[[nodiscard]] bool may_lack_reports(const Core& core);
// Until those have, where nobody else can serve the model.
net::Task<void> wait_for_first_reports(std::shared_ptr<Core> core, net::Loop& loop, std::string model);
// Wakes those that hold the model and waits for the first of them; not_yet also where the client left.
enum class Woken { nobody, not_yet, there };
net::Task<Woken> wake_holders(std::shared_ptr<Core> core, net::Loop& loop, std::string model,
                              const bool& client_left);
// By its user's word. Fails with unknown_name, or unsupported where it cannot be woken, with the reason.
[[nodiscard]] Result<Json> wake_hive(const Core& core, const std::string& hive);

}  // namespace rbee::keeper
