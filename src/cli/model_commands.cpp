// The commands about models but list: they are found, fetched, imported, checked and removed.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/download_plan.h"
#include "cli/hive_choice.h"
#include "cli/line_input.h"
#include "cli/model_source.h"
#include "cli/progress.h"
#include "cli/send_model.h"
#include "domain/model_name.h"
#include "model/hub.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace rbee::cli {
namespace {

std::string hive_target(const std::string& hive, std::string_view rest) {
  return cat("/api/v1/hives/", net::percent_encode(hive), rest);
}

model::WebSettings web_of(const Context& context) {
  model::WebSettings settings = model::web_settings(context.environment.variables);
  // A hub that the user named may lie in the user's own network.
  settings.allow_private = context.environment.find("HF_ENDPOINT").has_value();
  // A search is not worth waiting longer for.
  settings.silence_s = 10;
  return settings;
}

bool go_on() { return true; }

Result<Json> with_progress(const Context& context, AdminClient& client, const std::string& target,
                           const Json& body) {
  Progress progress(context.out, context.clock);
  const OnProgress show = [&progress](std::string_view message, std::uint64_t done, std::uint64_t total) {
    progress.update(message, done, total);
  };
  return client.loop().block_on(client.call_with_progress(target, dump_json(body), show));
}

// The one file that a user means by a name, by what the keeper lists.
Result<Json> find_listed(AdminClient& client, const std::string& asked) {
  const Result<Json> answer = client.get("/api/v1/models");
  if (!answer) return answer.error();
  std::vector<std::string> ids;
  std::vector<Json> found;
  for (const Json& row : get_array(*answer, "models")) {
    const ModelFile file{.id = text_of(row, "id"),
                         .name = text_of(row, "name"),
                         .quant = text_of(row, "quant"),
                         .path = {},
                         .architecture = {},
                         .sha256 = {}};
    if (equal_ignoring_case(file.id, asked)) return row;
    if (answers_to(file, asked)) found.push_back(row);
    ids.push_back(file.id);
    ids.push_back(file.name);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    const std::string hint = did_you_mean(asked, ids);
    return Error{ErrorCode::unknown_model, cat("There is no model '", asked, "'."),
                 hint.empty() ? "`rbee model list` has those that are here." : hint};
  }
  std::vector<std::string> which;
  for (const Json& row : found) which.push_back(text_of(row, "id"));
  return Error{ErrorCode::bad_usage,
               cat("'", asked, "' is ", which.size(), " files: ", join(which, ", "), "."),
               "Name one of them."};
}

// The hive that a command about a model that is here goes to: --hive, or the only one that has it.
Result<std::string> hive_of(const Json& model, const std::string& asked) {
  std::vector<std::string> hives;
  for (const Json& hive : get_array(model, "hives")) hives.push_back(hive.get<std::string>());
  if (asked.empty() && hives.size() == 1) return hives.front();
  if (!asked.empty() && std::ranges::find(hives, asked) != hives.end()) return asked;
  return Error{asked.empty() ? ErrorCode::bad_usage : ErrorCode::unknown_name,
               cat("'", text_of(model, "id"), "' is on ", join(hives, ", "), "."),
               "Name one of them with --hive."};
}

// One that is here already by that name and quantization, on that hive (empty: on any).
bool is_listed(AdminClient& client, const model::Source& source, const std::string& hive, Json& found) {
  if (source.kind != model::SourceKind::hub || !source.file.empty()) return false;
  const std::string quant = source.quant.empty() ? std::string(model::recommended_quant) : source.quant;
  const Result<Json> answer = client.get("/api/v1/models");
  if (!answer) return false;
  for (const Json& row : get_array(*answer, "models")) {
    if (get_string(row, "name") != source.name || get_string(row, "quant") != quant) continue;
    const Json& hives = get_array(row, "hives");
    if (!hive.empty() && std::ranges::find(hives, Json(hive)) == hives.end()) continue;
    found = row;
    return true;
  }
  return false;
}

Result<Json> add_path(AdminClient& client, const std::string& hive, const std::string& name,
                      const std::string& path) {
  // The hive reads the path on its own side, where this command's working folder means nothing.
  const std::string absolute = std::filesystem::absolute(path).lexically_normal().string();
  return client.post(hive_target(hive, "/models"), Json{{"name", name}, {"path", absolute}});
}

// The file as it lies here: a hive of this machine uses it where it is, another one is sent it.
Result<Json> bring_path(const Context& context, AdminClient& client, const std::string& hive,
                        const model::Source& source) {
  const Result<bool> shared = shares_our_files(client, hive);
  if (!shared) return shared.error();
  if (*shared) return add_path(client, hive, source.name, source.location);
  return send_model(context, client, hive, source.name, source.location);
}

void say_known(const Context& context, const Json& answer, const std::string& hive) {
  const Json& model = get_array(answer, "model");
  const std::string id = text_of(model, "id");
  context.out.document(answer);
  context.out.line(cat("'", id, "' is on ", hive, ": ",
                       bytes_text(static_cast<std::uint64_t>(get_int(model, "bytes").value_or(0))), "."));
  context.out.note(cat("`rbee infer -m ", id, " -p \"...\"` asks it."));
}

Result<void> say_listed(const Context& context, const Json& listed) {
  context.out.document(Json{{"model", listed}});
  context.out.line(cat("'", text_of(listed, "id"), "' is here already."));
  return {};
}

}  // namespace

Result<void> list_catalog(const Context& context) {
  const model::WebSettings web = web_of(context);
  Json list = Json::array();
  Table table{{"MODEL", "PARAMS", "CONTEXT", "LICENCE", "SOURCE", "CHECKED"}, {}};
  for (const model::CatalogEntry& entry : model::catalog()) {
    Json row = to_json(entry);
    std::string checked = entry.checked.empty() ? "never" : entry.checked;
    if (context.options.check) {
      const Result<model::Source> source = model::parse_source(entry.name, "", model::catalog());
      const Result<model::WantedModel> files =
          source ? model::find_files(*source, web, go_on) : source.error();
      row["found"] = files.has_value();
      row["reason"] = files ? Json(nullptr) : Json(files.error().message);
      checked = files ? "found now" : files.error().message;
      if (!files && files.error().code == ErrorCode::unreachable) return files.error();
    }
    table.rows.push_back({entry.name, cat(fixed(static_cast<double>(entry.params) / 1e9, 1), "B"),
                          cat(entry.context), entry.licence, cat("hf:", entry.repository), checked});
    list.push_back(std::move(row));
  }
  context.out.document(Json{{"models", std::move(list)}});
  context.out.table(table);
  return {};
}

Result<void> run_model_search(const Context& context, AdminClient&) {
  const std::string& text = context.options.source;
  Json known = Json::array();
  Table table{{"MODEL", "PARAMS", "WHERE"}, {}};
  for (const model::CatalogEntry* entry : model::search_catalog(model::catalog(), text)) {
    known.push_back(to_json(*entry));
    table.rows.push_back(
        {entry->name, cat(fixed(static_cast<double>(entry->params) / 1e9, 1), "B"), "catalog"});
  }
  const Result<std::vector<model::HubModel>> hub = model::search_hub(text, web_of(context), go_on);
  Json found = Json::array();
  if (hub) {
    for (const model::HubModel& one : *hub) {
      found.push_back({{"source", cat("hf:", one.repository)}, {"downloads", one.downloads}});
      table.rows.push_back({cat("hf:", one.repository), "", "hub"});
    }
  } else {
    context.out.note(cat("The hub was not asked: ", hub.error().message));
  }
  context.out.document(Json{{"catalog", std::move(known)},
                            {"hub", std::move(found)},
                            {"hub_error", hub ? Json(nullptr) : Json(hub.error().message)}});
  context.out.table(table);
  if (table.rows.empty()) context.out.note(cat("Nothing is called like '", text, "'."));
  return {};
}

Result<Json> fetch_model(const Context& context, AdminClient& client, const std::string& hive,
                         const std::string& source, const std::string& name, const std::string& quant) {
  const Json body{
      {"source", source}, {"quant", quant}, {"name", name}, {"allow_private", context.options.allow_private}};
  return with_progress(context, client, hive_target(hive, "/downloads"), body);
}

Result<void> run_model_download(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  Result<model::Source> source = model::parse_source(options.model, options.quant, model::catalog());
  if (!source) return source.error();
  const bool best = equal_ignoring_case(options.quant, "auto");
  Json listed;
  if (!best && is_listed(client, *source, options.hive, listed)) return say_listed(context, listed);
  const Result<DownloadPlan> plan = plan_download(context, client, *source);
  if (!plan) return plan.error();
  if (best) {
    source->quant = plan->quant;
    if (is_listed(client, *source, options.hive, listed)) return say_listed(context, listed);
  }
  if (!plan->warning.empty()) context.out.note(cat("warning: ", plan->warning));
  const Result<Json> answer = source->kind == model::SourceKind::path
                                  ? bring_path(context, client, plan->hive, *source)
                                  : fetch_model(context, client, plan->hive, options.model, "", plan->quant);
  if (!answer) return answer.error();
  say_known(context, *answer, plan->hive);
  return {};
}

Result<void> run_model_add(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  const Result<std::string> hive = choose_hive(client, options.hive);
  if (!hive) return hive.error();
  std::error_code ignored;
  const Result<Json> known = find_listed(client, options.source);
  Result<Json> answer = Json();
  if (known && !std::filesystem::exists(options.source, ignored)) {
    const Json body{{"name", options.model}, {"model", text_of(*known, "id")}};
    answer = client.post(hive_target(*hive, "/models"), body);
  } else {
    const Result<model::Source> source = model::parse_source(options.source, "", model::catalog());
    const bool is_source = source && source->kind != model::SourceKind::path &&
                           !std::filesystem::exists(options.source, ignored);
    answer = is_source ? fetch_model(context, client, *hive, options.source, options.model, "")
                       : add_path(client, *hive, options.model, options.source);
  }
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(cat("'", options.model, "' is known on ", *hive, "."));
  context.out.note(cat("`rbee infer -m ", options.model, " -p \"...\"` asks it."));
  return {};
}

Result<void> run_model_cancel(const Context& context, AdminClient& client) {
  const Result<std::string> hive = choose_hive(client, context.options.hive);
  if (!hive) return hive.error();
  const Json body{{"model", context.options.model}};
  const Result<Json> answer = client.post(hive_target(*hive, "/downloads/cancel"), body);
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(cat("The download of '", context.options.model, "' ends; what had come is thrown away."));
  return {};
}

Result<void> run_model_copy(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  const Json body{{"model", options.model}, {"from", options.from}};
  const Result<Json> answer = with_progress(context, client, hive_target(options.to, "/copies"), body);
  if (!answer) return answer.error();
  say_known(context, *answer, options.to);
  return {};
}

Result<void> run_model_import(const Context& context, AdminClient& client) {
  const Result<std::string> hive = choose_hive(client, context.options.hive);
  if (!hive) return hive.error();
  Json body = Json::object();
  if (!context.options.source.empty())
    body["folder"] = std::filesystem::absolute(context.options.source).lexically_normal().string();
  const Result<Json> answer = client.post(hive_target(*hive, "/imports"), body);
  if (!answer) return answer.error();
  const std::string folder = text_of(body, "folder");
  for (const Json& skipped : get_array(*answer, "skipped")) {
    const bool is_it = !folder.empty() && get_string(skipped, "path") == folder;
    if (!is_it || !get_array(*answer, "imported").empty()) continue;
    return Error{ErrorCode::unknown_name,
                 cat("'", folder, "' cannot be searched: ", text_of(skipped, "reason"), "."),
                 "Name a folder of the hive's machine that the hive's user may read."};
  }
  context.out.document(*answer);
  Table table{{"MODEL", "SIZE", "FILE"}, {}};
  for (const Json& model : get_array(*answer, "imported")) {
    table.rows.push_back({text_of(model, "id"),
                          bytes_text(static_cast<std::uint64_t>(get_int(model, "bytes").value_or(0))),
                          text_of(model, "path")});
  }
  context.out.table(table);
  for (const Json& skipped : get_array(*answer, "skipped")) {
    context.out.note(cat("'", text_of(skipped, "path"), "' was left out: ", text_of(skipped, "reason")));
  }
  const bool found = !get_array(*answer, "skipped").empty();
  if (table.rows.empty()) context.out.note(found ? "Nothing was imported." : "No model was found.");
  return {};
}

Result<void> run_model_verify(const Context& context, AdminClient& client) {
  const Result<Json> model = find_listed(client, context.options.model);
  if (!model) return model.error();
  const Result<std::string> hive = hive_of(*model, context.options.hive);
  if (!hive) return hive.error();
  const std::string id = text_of(*model, "id");
  const std::string target = hive_target(*hive, cat("/models/", net::percent_encode(id), "/verify"));
  const Result<Json> answer = with_progress(context, client, target, Json::object());
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(
      cat("'", id, "' is what it was: sha256 ", text_of(get_array(*answer, "model"), "sha256"), "."));
  return {};
}

Result<void> run_model_remove(const Context& context, AdminClient& client) {
  const Result<Json> model = find_listed(client, context.options.model);
  if (!model) return model.error();
  const Result<std::string> hive = hive_of(*model, context.options.hive);
  if (!hive) return hive.error();
  const std::string id = text_of(*model, "id");
  const Result<Json> answer = client.remove(hive_target(*hive, cat("/models/", net::percent_encode(id))));
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(cat("'", id, "' is removed from ", *hive, "."));
  return {};
}

Result<void> run_stop(const Context& context, AdminClient& client) {
  const Result<Json> model = find_listed(client, context.options.model);
  if (!model) return model.error();
  const Result<std::string> hive = hive_of(*model, context.options.hive);
  if (!hive) return hive.error();
  const std::string id = text_of(*model, "id");
  const std::string target = hive_target(*hive, cat("/models/", net::percent_encode(id), "/stop"));
  const Result<Json> answer = client.post(target, Json::object());
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(cat("'", id, "' is let go as its engines become idle."));
  return {};
}

Result<void> run_show(const Context& context, AdminClient& client) {
  const Result<Json> model = find_listed(client, context.options.model);
  if (!model) return model.error();
  context.out.document(*model);
  for (const auto& [key, value] : model->items()) {
    if (value.is_array()) {
      std::vector<std::string> parts;
      for (const Json& part : value) parts.push_back(part.get<std::string>());
      context.out.line(cat(key, " ", join(parts, ", ")));
    } else {
      context.out.line(cat(key, " ", value.is_string() ? value.get<std::string>() : dump_json(value)));
    }
  }
  return {};
}

Result<void> run_ps(const Context& context, AdminClient& client) {
  const Result<Json> workers = client.get("/api/v1/workers");
  if (!workers) return workers.error();
  Json list = Json::array();
  Table table{{"NAME", "QUANT", "WORKER", "CONTEXT", "SLOTS", "BUSY"}, {}};
  for (const Json& worker : get_array(*workers, "workers")) {
    const std::string name = text_of(worker, "name");
    for (const Json& model : get_array(worker, "models")) {
      if (!get_bool(model, "loaded").value_or(false)) continue;
      Json row = model;
      row["worker"] = name;
      table.rows.push_back(
          {text_of(model, "name"), text_of(model, "quant"), name, cat(get_int(model, "context").value_or(0)),
           cat(get_int(worker, "slots").value_or(0)), cat(get_int(worker, "busy").value_or(0))});
      list.push_back(std::move(row));
    }
  }
  context.out.document(Json{{"models", std::move(list)}});
  context.out.table(table);
  return {};
}

Result<void> offer_download(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  const Result<Json> models = client.get("/api/v1/models");
  if (!models) return models.error();
  const Result<Json> there = find_listed(client, options.model);
  if (there || there.error().code != ErrorCode::unknown_model) return {};
  const Result<model::Source> source = model::parse_source(options.model, options.quant, model::catalog());
  if (!source || source->kind == model::SourceKind::path) return there.error();
  const std::string hint = cat("`rbee model download ", options.model, "` fetches it.");
  if (!context.environment.stdin_terminal || !context.environment.stderr_terminal)
    return Error{ErrorCode::unknown_model, cat("No hive has '", options.model, "' yet."), hint};
  context.out.note(
      cat("No hive has '", options.model, "' yet. It would come from ", canonical(*source), "."));
  LineInput input(true);
  const std::optional<std::string> answer = input.next("Fetch it now? [y/N] ");
  if (!answer || !lower(trim(*answer)).starts_with('y'))
    return Error{ErrorCode::unknown_model, cat("'", options.model, "' was not fetched."), hint};
  return run_model_download(context, client);
}

Result<void> run_run(const Context& context, AdminClient& client) {
  if (context.options.prompt.empty()) return run_chat(context, client);
  if (const Result<void> there = offer_download(context, client); !there) return there;
  return run_infer(context, client);
}

}  // namespace rbee::cli
