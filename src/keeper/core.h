// Core: what the handlers of a keeper share. It outlives every request, and is safe from every thread.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "keeper/access_log.h"
#include "keeper/asking.h"
#include "keeper/benchmark_book.h"
#include "keeper/gate.h"
#include "keeper/keeper.h"
#include "keeper/links.h"
#include "keeper/metrics.h"
#include "keeper/model_book.h"
#include "keeper/model_care.h"
#include "keeper/placing.h"
#include "keeper/request_head.h"
#include "keeper/span_export.h"
#include "keeper/speed_care.h"
#include "keeper/state.h"
#include "keeper/template_checks.h"
#include "net/kept_connections.h"
#include "net/server.h"

#include <atomic>
#include <memory>

namespace rbee::keeper {

struct Core {
  const Clock& clock;
  Random& random;
  std::shared_ptr<Log> log;
  KeeperOptions options;
  Metrics metrics = {};
  AccessLog access_log{log};
  SpanExport spans{clock, random, log, options.version};
  std::shared_ptr<net::ServerCounts> counts = std::make_shared<net::ServerCounts>();
  std::atomic<std::size_t> in_flight{0};  // clients' requests that a stop waits for
  std::shared_ptr<ModelBook> models = {};
  ModelCare care = {};
  SpeedCare speed_care = {};
  std::unique_ptr<Gate> gate = {};
  Asking asking = {};
  RequestReader requests = {};
  std::shared_ptr<Placing> placing = {};
  std::unique_ptr<State> state = {};
  std::unique_ptr<BenchmarkBook> benchmarks = {};
  Instant started = {};
  std::int64_t started_unix_ms = 0;
  net::Endpoint address = {};  // with its real port
  std::string key_print = {};  // of this keeper's own key, which its hives pin
  std::shared_ptr<HiveConnections> hives = {};
  std::shared_ptr<net::EngineConnections> engines = {};  // of the hive of the same home
  std::shared_ptr<Links> links = {};
  std::shared_ptr<const net::TlsContext> tls = {};  // with this keeper's key, for its hives
  std::atomic<bool> resume_streams = true;          // the configuration's
  std::atomic<bool> benchmarks_new = true;          // the same
  TemplateChecks templates = {};
};

}  // namespace rbee::keeper
