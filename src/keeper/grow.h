// A request that needs more context than the running engine has: its hive starts that engine anew with more,
// where that fits and where the model and the configuration let it.
#pragma once

#include "keeper/core.h"
#include "net/loop.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace rbee::keeper {

// What an engine says of a prompt that it cannot take, by its own count.
struct TooLong {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t context = 0;
};
// Of the body of its 400; nothing where that is about something else. Pure.
[[nodiscard]] std::optional<TooLong> too_long(std::string_view body);

// The context that would do for a request of `tokens`; nothing where no engine of that model could ever have
// more than this one. `limit`: what the configuration lets one request use; 0: what the model was trained
// with. Pure.
[[nodiscard]] std::optional<std::uint32_t> context_for(std::uint64_t tokens, std::uint32_t has,
                                                       std::uint32_t trained, std::uint32_t limit);

// True once the hive has taken it: then that engine takes no more and the next load has that context.
net::Task<bool> ask_more_context(std::shared_ptr<Core> core, net::Loop& loop, FleetEngine engine,
                                 std::uint64_t tokens);

}  // namespace rbee::keeper
