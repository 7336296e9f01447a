// POST /fit: what would fit on this hive's workers, of a model that is here, of a file, or of one that would
// have to be fetched.
#include "hive/agent.h"
#include "hive/wanted_field.h"

#include "base/json.h"
#include "base/text.h"
#include "model/fit_json.h"
#include "model/model_parts.h"
#include "model/remote_model.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace rbee::hive {
namespace {

Error closing() { return Error{ErrorCode::no_worker, "This hive is ending.", "Try again when it is back."}; }

// Of a file that is here.
Result<model::RemoteModel> read_here(const std::string& path, std::uint64_t projector_bytes) {
  Result<model::ModelParts> parts = model::read_model(path);
  if (!parts) return parts.error();
  model::RemoteModel one;
  one.quants.push_back({.quant = parts->header.quant,
                        .bytes = parts->bytes,
                        .exact = true,
                        .header = std::move(parts->header),
                        .projector_bytes = projector_bytes});
  return one;
}

}  // namespace

// Of each worker, where idle engines give way: what other programs hold is not counted as free.
Json Agent::fit_row(const model::RemoteQuant& quant, const LoadSettings& settings) const {
  Json places = Json::array();
  for (WorkerSpec& worker : supervisor_.workers()) {
    describe_devices(worker, machine_);
    const model::Room room = room_of(worker, supervisor_.ledger(), RoomOf::all);
    const model::Fit fit =
        plan_fit(quant.header, worker, settings, room, corrections_, quant.projector_bytes);
    Json row{{"hive", options_.name}, {"worker", worker.name}, {"backend", backend_name(worker.backend)}};
    row.update(model::to_json(fit));
    places.push_back(std::move(row));
  }
  return Json{{"quant", quant.quant},
              {"bytes", quant.bytes},
              {"exact", quant.exact},
              {"general_rule", !model::is_known_architecture(quant.header)},
              {"hives", std::move(places)}};
}

// What a request wants looked at, as work that may block.
Result<std::function<Result<model::RemoteModel>()>> Agent::fit_question(const Json& json) const {
  using Work = std::function<Result<model::RemoteModel>()>;
  // With its tries a server that says nothing is given up before the one who asks gives up.
  constexpr int silence_s = 10;
  constexpr std::int64_t longest_look_ms = 55'000;
  if (const std::optional<std::string> text = get_string(json, "source")) {
    const std::string quant = text_of(json, "quant");
    const Result<model::Source> source = model::parse_source(*text, quant, model::catalog());
    if (!source) return source.error();
    model::WebSettings web = model::web_settings(options_.environment);
    web.allow_private = get_bool(json, "allow_private").value_or(false);
    web.silence_s = silence_s;
    // Who asks before a download would rather begin than wait for a slow answer.
    const std::int64_t within_ms = get_int(json, "within_ms").value_or(longest_look_ms);
    return Work([source = *source, web, ending = ending_, &clock = clock_,
                 within = Milliseconds{std::clamp<std::int64_t>(within_ms, 0, longest_look_ms)}] {
      const Instant begun = clock.now();
      return model::read_remote_model(source, web,
                                      [&] { return !ending->load() && clock.now() - begun < within; });
    });
  }
  std::string path = text_of(json, "path");
  std::uint64_t projector_bytes = 0;
  if (path.empty()) {
    const Result<std::string> id = wanted_string(json, "model");
    if (!id) return id.error();
    const Result<ModelFile> known = find_model(*id);
    if (!known) return known.error();
    path = known->path;
    projector_bytes = known->projector_bytes;
  }
  return Work([path, projector_bytes] { return read_here(path, projector_bytes); });
}

net::Task<Result<std::string>> Agent::post_fit(std::string body) {
  const Result<Json> json = parse_json(body);
  if (!json) co_return json.error();
  const Result<LoadSettings> settings = load_settings_from_json(*json);
  if (!settings) co_return settings.error();
  auto question = fit_question(*json);
  if (!question) co_return question.error();
  std::function<Result<model::RemoteModel>()> work = std::move(*question);
  // The web may take its time: nothing else waits behind it.
  const Result<model::RemoteModel> found = co_await headers_->run(loop_, std::move(work));
  if (!found) co_return found.error();
  if (!runner_) co_return closing();
  Json table = Json::array();
  for (const model::RemoteQuant& quant : found->quants) table.push_back(fit_row(quant, *settings));
  co_return dump_json(Json{{"name", found->name}, {"table", std::move(table)}});
}

}  // namespace rbee::hive
