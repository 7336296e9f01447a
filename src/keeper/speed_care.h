// SpeedCare: when what was learned of speeds is written down: what changed, often enough that a keeper that
// is killed loses less than a minute of it; and once a day all that is in service, so that it is not
// forgotten as gone.
#pragma once

#include "base/clock.h"
#include "keeper/placing.h"

#include <optional>
#include <vector>

namespace rbee::keeper {

class SpeedCare {
 public:
  // A row of some hundred bytes for each model and worker that answered meanwhile.
  static constexpr Milliseconds between_writes{20'000};
  static constexpr Milliseconds between_all = std::chrono::hours(24);

  // What is to be written now; empty: nothing.
  [[nodiscard]] std::vector<routing::KnownSpeed> due(Instant now, Placing& placing);

 private:
  std::optional<Instant> last_ = {};
  std::optional<Instant> last_all_ = {};
};

}  // namespace rbee::keeper
