// catch_up(): waits until the keeper's copy of a hive is no older than the hive itself is now.
//
// A change that the hive made is told by its event stream, the answer to whoever asked for it comes on
// another connection. Without this wait `worker deploy` followed by a question could find no worker.
#pragma once

#include "keeper/core.h"

namespace rbee::keeper {

// The event stream is milliseconds behind; a hive that does not get there answers no more.
inline constexpr Milliseconds longest_catch_up{2'000};

// Gives up silently after longest_catch_up: the answer is right, only the copy is late.
net::Task<void> catch_up(std::shared_ptr<Core> core, net::Loop& loop, std::string hive);

}  // namespace rbee::keeper
