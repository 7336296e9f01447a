// The table of everything the keeper answers. The router and the description for machines are both read off
// it, so neither can know more than the other.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::keeper {

enum class RouteId {
  healthz,
  readyz,
  metrics,
  openapi,
  v1_models,
  v1_model,
  engine,
  status,
  hives,
  hive,
  hive_add,
  hive_remove,
  hive_approve,
  hive_drain,
  hive_resume,
  hive_wake,
  machine,
  workers,
  worker,
  deploy,
  worker_start,
  worker_stop,
  worker_remove,
  worker_drain,
  worker_pause,
  worker_resume,
  models,
  fit,
  model_add,
  model_remove,
  model_verify,
  model_stop,
  downloads,
  download,
  download_cancel,
  model_copy,
  import,
  ollama_tags,
  ollama_version,
  ollama_ps,
  ollama_show,
  ollama_pull,
  ollama_delete,
  logs,
  backup,
  benchmark,
  benchmarks,
  fleet,
  explain,
  requests,
  trace,
};

// What a path asks of who calls it from another machine: nothing, an API key, or one made with --admin.
enum class Right { anyone, client, admin };

struct Route {
  std::string_view method;
  std::string_view path;  // "{name}" stands for one part
  RouteId id;
  std::string_view summary;
  Right right = Right::admin;
};

struct Routed {
  RouteId id;
  std::vector<std::string> names;  // what stood for the "{...}", in their order
  Right right = Right::admin;
};

// Of a path that is known only by other methods: `allowed` names one.
struct Unrouted {
  std::string_view allowed = {};
};

class RouteResult {
 public:
  explicit RouteResult(Routed routed) : routed_(std::move(routed)) {}
  explicit RouteResult(Unrouted unrouted) : unrouted_(unrouted) {}
  [[nodiscard]] const Routed* routed() const { return routed_ ? &*routed_ : nullptr; }
  [[nodiscard]] std::string_view allowed() const { return unrouted_.allowed; }

 private:
  std::optional<Routed> routed_ = {};
  Unrouted unrouted_ = {};
};

[[nodiscard]] RouteResult route(std::string_view method, std::string_view path);
// OpenAPI 3.1, as JSON.
[[nodiscard]] std::string openapi(std::string_view version);

}  // namespace rbee::keeper
