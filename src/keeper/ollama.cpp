#include "keeper/ollama.h"

#include "base/calendar.h"
#include "base/json.h"
#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"
#include "keeper/api_error.h"
#include "keeper/catch_up.h"
#include "keeper/model_access.h"
#include "keeper/ollama_answer.h"
#include "model/sha256.h"
#include "model/source.h"
#include "net/client.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr Milliseconds hive_answers_within{60'000};
// Its events come several times a second.
constexpr Milliseconds longest_silence{60'000};

net::Task<void> refuse_as_ollama(net::Exchange& exchange, Error error) {
  const int status = info(error.code).http_status;
  std::string text = error_body(Api::ollama, error);
  net::Task<Result<void>> responding = exchange.respond_json(status, std::move(text));
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

net::Task<void> respond(net::Exchange& exchange, Result<Json> json) {
  if (!json) {
    net::Task<void> refusing = refuse_as_ollama(exchange, json.error());
    co_await refusing;
    co_return;
  }
  std::string text = dump_json(*json);
  net::Task<Result<void>> responding = exchange.respond_json(200, std::move(text));
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

std::string size_text(std::uint64_t params) {
  const auto count = static_cast<double>(params);
  return params < 1'000'000'000 ? cat(fixed(count / 1e6, 1), "M") : cat(fixed(count / 1e9, 1), "B");
}

Json details_json(const ModelFile& file) {
  return {{"parent_model", ""},
          {"format", "gguf"},
          {"family", file.architecture},
          {"families", Json::array({file.architecture})},
          {"parameter_size", size_text(file.params)},
          {"quantization_level", file.quant}};
}

// Ollama's own program cuts it to twelve letters without a look at its length. Where the checksum of the file
// is not known yet, its name and size stand for it.
std::string digest_of(const ModelFile& file) {
  return file.sha256.empty() ? model::sha256_of(cat(file.id, '/', file.bytes)) : file.sha256;
}

Json row_json(const ModelFile& file) {
  return {{"name", file.id},
          {"model", file.id},
          {"size", file.bytes},
          {"digest", digest_of(file)},
          {"details", details_json(file)}};
}

Json tags_json(const Core& core, const Visitor& visitor) {
  Json list = Json::array();
  for (const ModelFile& file : models_for(core, visitor)) {
    Json row = row_json(file);
    // Its own time is not kept, so every model has that of the keeper's start.
    row["modified_at"] = iso_time_ms(core.started_unix_ms);
    list.push_back(std::move(row));
  }
  return {{"models", std::move(list)}};
}

// Its clients take no time for one that is over.
constexpr Milliseconds for_ever{100ll * 365 * 24 * 3600 * 1000};

// Of what it takes, as these clients tell a processor from a device: nothing is the one, all the other.
std::uint64_t on_device_bytes(const HiveReport& report, const EngineReport& engine) {
  const auto worker = std::ranges::find(report.workers, engine.worker, &WorkerReport::name);
  if (worker == report.workers.end() || worker->backend == Backend::cpu) return 0;
  return static_cast<std::uint64_t>(static_cast<double>(engine.memory_bytes) * engine.offload);
}

Json ps_json(const Core& core, const Visitor& visitor) {
  const Snapshot snapshot = core.placing->snapshot();
  const std::vector<ModelFile> his = models_for(core, visitor);
  Json list = Json::array();
  for (const HiveView& hive : snapshot.hives) {
    for (const EngineReport& engine : hive.report.engines) {
      if (engine.state != EngineState::ready) continue;
      const auto file = std::ranges::find(hive.report.models, engine.model_id, &ModelFile::id);
      if (file == hive.report.models.end()) continue;
      if (std::ranges::find(his, file->id, &ModelFile::id) == his.end()) continue;
      Json row = row_json(*file);
      const std::optional<Instant> goes_at = core.care.goes_at(engine.id);
      const Milliseconds stays = goes_at ? *goes_at - core.clock.now() : for_ever;
      row["expires_at"] = iso_time_ms(core.clock.unix_ms() + stays.count());
      row["size"] = engine.memory_bytes;
      row["size_vram"] = on_device_bytes(hive.report, engine);
      row["context_length"] = engine.context;
      list.push_back(std::move(row));
    }
  }
  return {{"models", std::move(list)}};
}

Result<Json> parse_body(const Result<std::string_view>& body) {
  if (!body) return body.error();
  return parse_json(*body);
}

Result<std::string> model_of(const Result<Json>& body) {
  if (!body) return body.error();
  std::optional<std::string> name = get_string(*body, "model");
  if (!name) name = get_string(*body, "name");
  if (!name || name->empty()) return Error{ErrorCode::bad_request, "The field 'model' is missing.", {}, {}};
  return std::move(*name);
}

// "name:latest" is Ollama's spelling of a name without a tag.
Result<ModelFile> find_model(const Core& core, const Visitor& visitor, std::string_view asked) {
  constexpr std::string_view latest = ":latest";
  if (asked.ends_with(latest)) asked.remove_suffix(latest.size());
  const std::string resolved = core.models->resolve(asked);
  asked = resolved;
  for (const ModelFile& file : models_for(core, visitor)) {
    if (answers_to(file, asked)) return file;
  }
  return model_unknown(core, visitor, resolved);
}

Result<Json> show_json(const Core& core, const Visitor& visitor, const Result<Json>& body) {
  const Result<std::string> name = model_of(body);
  if (!name) return name.error();
  const Result<ModelFile> file = find_model(core, visitor, *name);
  if (!file) return file.error();
  const std::string& family = file->architecture;
  Json facts{{"general.architecture", family},
             {"general.parameter_count", file->params},
             {cat(family, ".context_length"), file->context_train}};
  Json capabilities = file->abilities.empty() ? Json::array({"completion"}) : Json(file->abilities);
  // Its hive told it of no projector until 0.1.
  const bool told = std::ranges::find(file->abilities, "vision") != file->abilities.end();
  if (!told && sees(*file)) capabilities.push_back("vision");
  return Json{{"modelfile", ""},
              {"parameters", ""},
              {"template", ""},
              {"details", details_json(*file)},
              {"model_info", std::move(facts)},
              {"capabilities", std::move(capabilities)},
              {"modified_at", iso_time_ms(core.started_unix_ms)}};
}

// These clients name no hive: the one of this machine is meant, or the first that is up.
std::string hive_for_ollama(const Core& core) {
  std::string first;
  for (const HiveView& hive : core.placing->snapshot().hives) {
    if (!hive.answers()) continue;
    if (core.hives->is_own(hive.name)) return hive.name;
    if (first.empty()) first = hive.name;
  }
  return first;
}

std::string hive_with_model(const Core& core, std::string_view id) {
  for (const HiveView& hive : core.placing->snapshot().hives) {
    const bool has = std::ranges::find(hive.report.models, id, &ModelFile::id) != hive.report.models.end();
    if (hive.answers() && has) return hive.name;
  }
  return hive_for_ollama(core);
}

net::Task<Result<net::ClientExchange>> ask_hive(std::shared_ptr<Core> core, net::Loop& loop, std::string hive,
                                                std::string method, std::string target, std::string body) {
  net::ClientRequest request{.method = std::move(method), .target = std::move(target), .body = body};
  if (!body.empty()) request.headers.add("Content-Type", "application/json");
  net::Task<Result<net::ClientExchange>> asking = HiveConnections::ask(
      core->hives, loop, hive, std::move(request), hive_answers_within, hive_answers_within);
  Result<net::ClientExchange> sent = co_await asking;
  if (!sent) co_return Error{ErrorCode::unreachable, "The hive does not answer.", {}, {}};
  if (sent->head().status < 400) co_return sent;
  constexpr std::size_t largest_error_bytes = 65536;
  net::Task<Result<std::string>> reading = sent->read_all(largest_error_bytes, hive_answers_within);
  const Result<std::string> text = co_await reading;
  co_return text ? error_of_hive(*text) : text.error();
}

// A name without a colon or a slash may be the catalog's; "llama3.2:1b" is Ollama's own where it is not.
std::string source_of(const std::string& name) {
  const Result<model::Source> known = model::parse_source(name, "", model::catalog());
  if (known) return name;
  return cat("ollama:", name);
}

// What a download's events come to, as Ollama's lines.
struct Pulled {
  std::string lines = {};  // of the last piece
  std::string last = {};
  bool failed = false;
  bool came = false;
};

// False once the events make no sense.
bool take_piece(net::SseReader& reader, std::string_view bytes, Pulled& pulled) {
  pulled.lines.clear();
  if (!reader.feed(bytes)) return false;
  while (const std::optional<net::SseEvent> event = reader.next()) {
    const std::string line = pull_line(event->event, event->data);
    if (!line.empty()) pulled.last = line;
    pulled.failed = pulled.failed || event->event == "error";
    pulled.came = pulled.came || event->event == "result";
    pulled.lines += line;
  }
  return true;
}

// Nothing but a word of its own tells a download whose hive is gone, or silent, from one that has ended.
net::Task<void> tell_of_loss(net::Exchange& exchange, std::string hive, bool streamed) {
  Error lost{
      ErrorCode::unreachable, cat("Hive '", hive, "' was lost before the download had ended."), {}, {}};
  if (!streamed) {
    net::Task<void> refusing = refuse_as_ollama(exchange, std::move(lost));
    co_await refusing;
    co_return;
  }
  const std::string line = error_event(Api::ollama, lost);
  const Result<void> written = co_await exchange.write(line);
  if (!written) co_return;
  const Result<void> ignored = co_await exchange.finish();
  static_cast<void>(ignored);
}

net::Task<void> pull(std::shared_ptr<Core> core, net::Exchange& exchange, std::string name, bool streamed,
                     bool insecure) {
  std::string body = dump_json(Json{{"source", source_of(name)}, {"allow_private", insecure}});
  std::string method = "POST";
  std::string target = "/downloads";
  const std::string name_of_hive = hive_for_ollama(*core);
  net::Task<Result<net::ClientExchange>> asking =
      ask_hive(core, exchange.loop(), name_of_hive, std::move(method), std::move(target), std::move(body));
  Result<net::ClientExchange> hive = co_await asking;
  if (!hive) {
    net::Task<void> refusing = refuse_as_ollama(exchange, hive.error());
    co_await refusing;
    co_return;
  }
  if (streamed) {
    net::Headers headers{{"Content-Type", "application/x-ndjson"}};
    net::Task<Result<void>> starting = exchange.start(200, std::move(headers));
    const Result<void> started = co_await starting;
    if (!started) co_return;
  }
  net::SseReader reader;
  Pulled pulled;
  while (true) {
    net::Task<Result<std::string_view>> reading = hive->read_some(longest_silence);
    const Result<std::string_view> bytes = co_await reading;
    if (!bytes || bytes->empty()) break;
    if (!take_piece(reader, *bytes, pulled)) break;
    if (pulled.came) {
      // Who is told of success finds it listed.
      net::Task<void> catching_up = catch_up(core, exchange.loop(), name_of_hive);
      co_await catching_up;
    }
    if (!streamed || pulled.lines.empty()) continue;
    net::Task<Result<void>> writing = exchange.write(pulled.lines);
    const Result<void> written = co_await writing;
    if (!written) co_return;
  }
  if (!pulled.came && !pulled.failed) {
    net::Task<void> telling = tell_of_loss(exchange, name_of_hive, streamed);
    co_await telling;
    co_return;
  }
  if (streamed) {
    net::Task<Result<void>> finishing = exchange.finish();
    const Result<void> ignored = co_await finishing;
    static_cast<void>(ignored);
    co_return;
  }
  const int status = pulled.failed ? 500 : 200;
  net::Task<Result<void>> responding = exchange.respond_json(status, pulled.last);
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

net::Task<void> remove(std::shared_ptr<Core> core, net::Exchange& exchange, std::string id) {
  std::string method = "DELETE";
  std::string target = cat("/models/", net::percent_encode(id));
  std::string no_body;
  const std::string name_of_hive = hive_with_model(*core, id);
  net::Task<Result<net::ClientExchange>> asking =
      ask_hive(core, exchange.loop(), name_of_hive, std::move(method), std::move(target), std::move(no_body));
  const Result<net::ClientExchange> hive = co_await asking;
  Result<Json> answer = Json::object();
  if (!hive) answer = hive.error();
  // So that the next question, here or of a list, does not find it any more.
  net::Task<void> catching_up = catch_up(core, exchange.loop(), name_of_hive);
  co_await catching_up;
  net::Task<void> responding = respond(exchange, std::move(answer));
  co_await responding;
}

}  // namespace

bool is_of_ollama(RouteId route) {
  switch (route) {
    case RouteId::ollama_tags:
    case RouteId::ollama_version:
    case RouteId::ollama_ps:
    case RouteId::ollama_show:
    case RouteId::ollama_pull:
    case RouteId::ollama_delete: return true;
    default: return false;
  }
}

std::string pull_line(std::string_view event, std::string_view data) {
  const Result<Json> json = parse_json(data);
  if (!json) return {};
  if (event == "result") return "{\"status\":\"success\"}\n";
  if (event == "error") {
    const Error error = error_from_json(*json);
    return cat(error_body(Api::ollama, error), "\n");
  }
  if (event != "progress") return {};
  const std::string state = text_of(*json, "state");
  const std::int64_t total = get_int(*json, "total").value_or(0);
  if (state == "checking") return "{\"status\":\"verifying sha256 digest\"}\n";
  if (state != "fetching" || total <= 0) return "{\"status\":\"pulling manifest\"}\n";
  Json line{{"status", "pulling model"}, {"total", total}, {"completed", get_int(*json, "done").value_or(0)}};
  // Ollama's own program cuts a digest to twelve digits, and ends itself where there are fewer.
  const std::string sha256 = text_of(*json, "sha256");
  if (model::is_sha256(sha256)) {
    line["status"] = cat("pulling ", sha256.substr(0, 12));
    line["digest"] = cat("sha256:", sha256);
  }
  return cat(dump_json(line), "\n");
}

net::Task<void> answer_as_ollama(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor,
                                 RouteId route) {
  net::Task<Result<std::string_view>> reading = exchange.read_body();
  const Result<std::string_view> body = co_await reading;
  const bool needs_body =
      route == RouteId::ollama_show || route == RouteId::ollama_pull || route == RouteId::ollama_delete;
  const Result<Json> json = needs_body ? parse_body(body) : Result<Json>(Json());
  net::Task<void> handling;
  const Result<std::string> name = needs_body ? model_of(json) : Result<std::string>(std::string());
  if (!name) {
    handling = refuse_as_ollama(exchange, name.error());
  } else if (route == RouteId::ollama_pull) {
    const bool streamed = get_bool(*json, "stream").value_or(true);
    const bool insecure = get_bool(*json, "insecure").value_or(false);
    handling = pull(core, exchange, *name, streamed, insecure);
  } else if (route == RouteId::ollama_delete) {
    const Result<ModelFile> file = find_model(*core, visitor, *name);
    if (file)
      handling = remove(core, exchange, file->id);
    else
      handling = refuse_as_ollama(exchange, file.error());
  } else if (route == RouteId::ollama_show) {
    handling = respond(exchange, show_json(*core, visitor, json));
  } else if (route == RouteId::ollama_ps) {
    handling = respond(exchange, ps_json(*core, visitor));
  } else if (route == RouteId::ollama_version) {
    handling = respond(exchange, Json{{"version", core->options.version}});
  } else {
    handling = respond(exchange, tags_json(*core, visitor));
  }
  co_await handling;
}

}  // namespace rbee::keeper
