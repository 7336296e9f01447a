#include "keeper/routes.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>

namespace rbee::keeper {
namespace {

using enum RouteId;
using enum Right;

constexpr auto table = std::to_array<Route>({
    {"GET", "/", hello, "Says that rbee is running.", anyone},
    {"GET", "/healthz", healthz, "200 while the keeper runs.", anyone},
    {"GET", "/readyz", readyz, "200 once requests can be served, 503 with the reason before.", anyone},
    {"GET", "/metrics", metrics, "Counters in Prometheus' text form."},
    {"GET", "/v1/models", v1_models, "The models there are, as OpenAI lists them.", client},
    {"GET", "/v1/models/{model}", v1_model, "One of them.", client},
    {"POST", "/v1/chat/completions", engine, "A chat, answered by a worker that has the model.", client},
    {"POST", "/v1/chat/completions/input_tokens", engine, "How many tokens a chat has.", client},
    {"POST", "/v1/completions", engine, "A text, continued.", client},
    {"POST", "/v1/embeddings", engine, "Vectors of texts.", client},
    {"POST", "/v1/responses", engine, "OpenAI's Responses API.", client},
    {"POST", "/v1/messages", engine, "Anthropic's Messages API.", client},
    {"POST", "/v1/messages/count_tokens", engine, "How many tokens a message has.", client},
    {"POST", "/v1/rerank", engine, "Documents by their nearness to a query.", client},
    {"POST", "/v1/reranking", engine, "The same by its other name.", client},
    {"POST", "/rerank", engine, "The same by its other name.", client},
    {"POST", "/reranking", engine, "The same by its other name.", client},
    {"POST", "/tokenize", engine, "The tokens of a text.", client},
    {"POST", "/detokenize", engine, "The text of tokens.", client},
    {"POST", "/apply-template", engine, "The prompt that a chat becomes.", client},
    {"POST", "/infill", engine, "Text between a prefix and a suffix.", client},
    {"POST", "/completion", engine, "A text, continued, in the engine's own words.", client},
    {"GET", "/props", engine, "The properties of the engine of ?model=.", client},
    {"GET", "/api/v1/openapi.json", openapi, "This description.", client},
    {"GET", "/api/v1/status", status, "The keeper, and all lists in one."},
    {"GET", "/api/v1/hives", hives, "The hives."},
    {"POST", "/api/v1/hives", hive_add, "Lets a hive into the system, by its token."},
    {"GET", "/api/v1/hives/{hive}", hive, "One of them, with how it is reached."},
    {"DELETE", "/api/v1/hives/{hive}", hive_remove, "Lets a hive out of the system."},
    {"POST", "/api/v1/hives/{hive}/approve", hive_approve, "Lets in a hive that has asked."},
    {"POST", "/api/v1/hives/{hive}/drain", hive_drain, "None of its workers takes new requests any more."},
    {"POST", "/api/v1/hives/{hive}/resume", hive_resume, "They take requests again."},
    {"POST", "/api/v1/hives/{hive}/wake", hive_wake, "Wakes a machine that sleeps (Wake on LAN)."},
    {"GET", "/api/v1/hives/{hive}/machine", machine,
     "What a hive's machine is and can do, with its workers."},
    {"POST", "/api/v1/hives/{hive}/workers", deploy,
     "Puts devices in service; server-sent events tell the progress."},
    {"POST", "/api/v1/hives/{hive}/models", model_add, "Makes a GGUF on the hive's machine known."},
    {"DELETE", "/api/v1/hives/{hive}/models/{model}", model_remove, "Forgets one; the file stays."},
    {"POST", "/api/v1/hives/{hive}/models/{model}/verify", model_verify,
     "Reads a model's files and compares their checksum; server-sent events tell the progress."},
    {"POST", "/api/v1/hives/{hive}/models/{model}/stop", model_stop, "Ends its engines when they are idle."},
    {"POST", "/api/v1/hives/{hive}/downloads", download,
     "Fetches a model; server-sent events tell the progress."},
    {"POST", "/api/v1/hives/{hive}/downloads/cancel", download_cancel,
     "Ends a download and throws away what has come."},
    {"POST", "/api/v1/hives/{hive}/imports", import, "Links models that other programs have fetched."},
    {"POST", "/api/v1/hives/{hive}/copies", model_copy,
     "Takes a model from another hive; server-sent events tell the progress."},
    {"POST", "/api/v1/hives/{hive}/uploads", upload,
     "A model's files will come by their checksums; what is there of each is told."},
    {"POST", "/api/v1/hives/{hive}/uploads/{upload}/{file}/{offset}", upload_piece,
     "The next piece of a file of an upload."},
    {"POST", "/api/v1/hives/{hive}/uploads/{upload}/done", upload_done,
     "All has come: it is compared with the checksums, and the model is known."},
    {"GET", "/api/v1/downloads", downloads, "The models that are on their way."},
    {"GET", "/api/v1/workers", workers, "The workers, by ?hive=&backend=&state=&limit=."},
    {"GET", "/api/v1/workers/{worker}", worker, "One of them, with its engines."},
    {"DELETE", "/api/v1/workers/{worker}", worker_remove, "Stops and forgets a worker."},
    {"POST", "/api/v1/workers/{worker}/start", worker_start, "Starts a stopped worker."},
    {"POST", "/api/v1/workers/{worker}/stop", worker_stop,
     "Stops a worker when it is idle, until it is started."},
    {"POST", "/api/v1/workers/{worker}/drain", worker_drain,
     "It takes no new requests; what runs may end, then its engines leave."},
    {"POST", "/api/v1/workers/{worker}/pause", worker_pause,
     "The same, and what runs has `yield_after` to end; for {\"for_s\": N} or until it is resumed."},
    {"POST", "/api/v1/workers/{worker}/resume", worker_resume, "Neither drained nor paused any more."},
    {"POST", "/api/v1/benchmarks", benchmark,
     "Measures workers in idle time; server-sent events tell the progress, who leaves interrupts it."},
    {"GET", "/api/v1/benchmarks", benchmarks,
     "What benchmarks found, by ?hive=&worker=&model=; history=1: all that is kept."},
    {"GET", "/api/v1/models", models, "The models, with where they are and where they are loaded."},
    {"POST", "/api/v1/fit", fit, "Where a model would fit, whole or in part, and what it would need."},
    {"GET", "/api/tags", ollama_tags, "The models there are, as Ollama lists them.", client},
    {"GET", "/api/version", ollama_version, "The version, as Ollama tells it.", client},
    {"GET", "/api/ps", ollama_ps, "The models that are loaded, as Ollama lists them.", client},
    {"POST", "/api/chat", engine, "A chat, as Ollama's clients speak.", client},
    {"POST", "/api/generate", engine, "A prompt, answered, as Ollama's clients speak.", client},
    {"POST", "/api/embed", engine, "Vectors of texts, as Ollama's clients speak.", client},
    {"POST", "/api/embeddings", engine, "The vector of one text, as Ollama's older clients speak.", client},
    {"POST", "/api/show", ollama_show, "What a model is, as Ollama tells it.", client},
    {"POST", "/api/pull", ollama_pull, "Fetches a model, as Ollama does."},
    {"DELETE", "/api/delete", ollama_delete, "Removes a model, as Ollama does."},
    {"GET", "/api/v1/fleet", fleet,
     "The workers as routing sees them: a FLEET.json, with the speeds that were measured or learned; with "
     "?estimates=1 those that are only estimates too."},
    {"GET", "/api/v1/route", explain,
     "Where a request would go and why, by ?model=&prompt_tokens=&max_tokens=&worker=."},
    {"GET", "/api/v1/requests", requests,
     "The last requests: what was predicted of each, and what it took; no texts."},
    {"GET", "/api/v1/requests/{request}/trace", trace, "Why one of the last requests went where it went."},
    {"GET", "/api/v1/backup", backup, "The keeper's state as one SQLite file, taken while it runs."},
    {"GET", "/api/v1/logs", logs, "The engines' logs, of ?hive=&worker=; follow=1 goes on."},
});

bool is_name(std::string_view part) { return part.starts_with('{'); }

std::string_view take_part(std::string_view& rest) {
  const std::string_view part = rest.substr(0, rest.find('/'));
  rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  return part;
}

// Each request asks some of the rows: nothing is allocated but the names of one that matches.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) return std::nullopt;
  std::vector<std::string> names;
  while (!pattern.empty() || !path.empty()) {
    const std::string_view wanted = take_part(pattern);
    const std::string_view given = take_part(path);
    if (is_name(wanted) && !given.empty())
      names.emplace_back(given);
    else if (wanted != given)
      return std::nullopt;
  }
  return names;
}

}  // namespace

RouteResult route(std::string_view method, std::string_view path) {
  // Those of clients have no names in them: as a rule there is nothing to take apart.
  for (const Route& row : table) {
    if (row.path == path && row.method == method) return RouteResult(Routed{row.id, {}, row.right});
  }
  Unrouted other;
  for (const Route& row : table) {
    std::optional<std::vector<std::string>> names = match(row.path, path);
    if (!names) continue;
    const bool head = method == "HEAD" && row.method == "GET" && row.id != RouteId::engine;
    if (row.method == method || head) return RouteResult(Routed{row.id, std::move(*names), row.right});
    other.allowed = row.method;
  }
  return RouteResult(other);
}

std::string openapi(std::string_view version) {
  Json paths = Json::object();
  for (const Route& row : table) {
    Json parameters = Json::array();
    for (const std::string_view part : split(row.path, '/')) {
      if (!is_name(part)) continue;
      parameters.push_back({{"name", part.substr(1, part.size() - 2)},
                            {"in", "path"},
                            {"required", true},
                            {"schema", {{"type", "string"}}}});
    }
    Json operation{{"summary", row.summary}};
    if (!parameters.empty()) operation["parameters"] = std::move(parameters);
    operation["responses"] = {
        {"default", {{"description", "JSON, or an error with code, message and hint."}}}};
    paths[std::string(row.path)][lower(row.method)] = std::move(operation);
  }
  return dump_json(Json{{"openapi", "3.1.0"},
                        {"info", {{"title", "rbee keeper"}, {"version", version}}},
                        {"paths", std::move(paths)}});
}

}  // namespace rbee::keeper
