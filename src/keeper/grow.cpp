#include "keeper/grow.h"

#include "base/json.h"
#include "base/text.h"
#include "net/client.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// It reads the model's header and asks the drivers what is free.
constexpr Milliseconds hive_answers_within{30'000};

struct Limits {
  std::uint32_t trained = 0;
  std::uint32_t configured = 0;
};

// What is said of the model goes before what is said of the worker.
Limits limits_of(const Core& core, const FleetEngine& engine) {
  Limits limits;
  for (const FleetWorker& worker : core.placing->snapshot().fleet.workers) {
    if (worker.report.name != engine.worker) continue;
    limits.configured = worker.report.context;
    const auto file = std::ranges::find(worker.models, engine.model_id, &ModelFile::id);
    if (file == worker.models.end()) break;
    limits.trained = file->context_train;
    if (const std::uint32_t own = core.models->of(*file).context; own > 0) limits.configured = own;
  }
  return limits;
}

}  // namespace

std::optional<TooLong> too_long(std::string_view body) {
  const Result<Json> json = parse_json(body);
  if (!json || !json->is_object()) return std::nullopt;
  const Json error = json->value("error", Json::object());
  if (!error.is_object() || get_string(error, "type") != "exceed_context_size_error") return std::nullopt;
  const std::int64_t prompt = get_int(error, "n_prompt_tokens").value_or(0);
  const std::int64_t context = get_int(error, "n_ctx").value_or(0);
  if (prompt <= 0 || context <= 0) return std::nullopt;
  return TooLong{static_cast<std::uint64_t>(prompt), static_cast<std::uint64_t>(context)};
}

std::optional<std::uint32_t> context_for(std::uint64_t tokens, std::uint32_t has, std::uint32_t trained,
                                         std::uint32_t limit) {
  std::uint32_t most = trained;
  if (limit > 0) most = most > 0 ? std::min(most, limit) : limit;
  if (most <= has || tokens > most) return std::nullopt;
  return std::max(static_cast<std::uint32_t>(tokens), has + 1);
}

net::Task<bool> ask_more_context(std::shared_ptr<Core> core, net::Loop& loop, FleetEngine engine,
                                 std::uint64_t tokens) {
  const Limits limits = limits_of(*core, engine);
  const std::optional<std::uint32_t> context =
      context_for(tokens, engine.context, limits.trained, limits.configured);
  if (!context) co_return false;
  Json wanted{{"context", *context}};
  if (limits.configured > 0) wanted["most"] = limits.configured;
  const std::string body = dump_json(wanted);
  net::ClientRequest request{.method = "POST",
                             .target = cat("/engines/", net::percent_encode(engine.id), "/context"),
                             .headers = {{"Content-Type", "application/json"}},
                             .body = body};
  net::Task<Result<net::ClientResponse>> fetching =
      HiveConnections::fetch(core->hives, loop, engine.hive, std::move(request), hive_answers_within);
  const Result<net::ClientResponse> response = co_await fetching;
  const bool taken = response && response->status < 300;
  std::string why = "its hive does not answer";
  if (response && !taken) why = error_of_hive(response->body).message;
  const std::string what = cat("Engine '", engine.id, "' has a context of ", engine.context,
                               " tokens and a request needs ", tokens);
  core->log->info(taken ? cat(what, ": it starts anew with more.")
                        : cat(what, ", but it cannot have more: ", why));
  co_return taken;
}

}  // namespace rbee::keeper
