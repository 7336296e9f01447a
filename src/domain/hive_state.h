// How a hive stands with its keeper. The words are those of docs/cli.md.
#pragma once

#include <string_view>

namespace rbee {

// suspect: silent, or its link is broken: no new requests. draining: it takes none, at its user's word.
enum class HiveState { up, suspect, gone, draining, asking };
inline constexpr HiveState all_hive_states[] = {HiveState::up, HiveState::suspect, HiveState::gone,
                                                HiveState::draining, HiveState::asking};

[[nodiscard]] constexpr std::string_view hive_state_name(HiveState state) {
  switch (state) {
    case HiveState::up: return "up";
    case HiveState::suspect: return "suspect";
    case HiveState::gone: return "gone";
    case HiveState::draining: return "draining";
    case HiveState::asking: return "asking";
  }
  return "";
}

}  // namespace rbee
