// Core: what the handlers of a keeper share. It outlives every request, and is safe from every thread.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "keeper/keeper.h"
#include "keeper/metrics.h"
#include "keeper/model_book.h"
#include "keeper/model_care.h"
#include "keeper/placing.h"
#include "keeper/state.h"

#include <memory>

namespace rbee::keeper {

struct Core {
  const Clock& clock;
  Random& random;
  std::shared_ptr<Log> log;
  KeeperOptions options;
  Metrics metrics = {};
  std::shared_ptr<ModelBook> models = {};
  ModelCare care = {};
  std::shared_ptr<Placing> placing = {};
  std::unique_ptr<State> state = {};
  Instant started = {};
  std::int64_t started_unix_ms = 0;
  net::Endpoint address = {};   // with its real port
  net::Endpoint own_hive = {};  // where the hive of the same home answers
};

}  // namespace rbee::keeper
