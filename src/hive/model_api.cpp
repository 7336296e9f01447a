// What the hive's API does with models: they are made known, fetched, imported, checked and taken away.
#include "hive/agent.h"
#include "hive/import_models.h"
#include "hive/wanted_field.h"

#include "base/json.h"
#include "base/text.h"
#include "model/verify.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <future>
#include <utility>

namespace rbee::hive {
namespace {

// A bar that moves five times a second looks alive.
constexpr Milliseconds between_events{200};
// Who waits for the end of a download hears of it at once.
constexpr Milliseconds between_looks{20};

Error closing() { return Error{ErrorCode::no_worker, "This hive is ending.", "Try again when it is back."}; }

std::string progress_event(std::string_view message, std::uint64_t done, std::uint64_t total,
                           const DownloadReport& report) {
  Json json{{"message", message}, {"done", done}, {"total", total}, {"bytes_per_s", report.bytes_per_s}};
  json["seconds_left"] = report.seconds_left ? Json(*report.seconds_left) : Json(nullptr);
  json["state"] = report.state;
  json["sha256"] = report.sha256;
  return net::format_sse("progress", dump_json(json));
}

std::string message_of(const DownloadReport& report) {
  if (report.state == "waiting") return cat(report.name, " waits for other downloads");
  if (report.state == "asking") return cat("asking for ", report.id);
  if (report.state == "checking") return cat("checking ", report.name);
  std::string text = cat(report.name, " ", bytes_text(report.done_bytes));
  if (report.bytes > 0) text += cat(" of ", bytes_text(report.bytes));
  if (report.bytes_per_s > 0) text += cat(", ", bytes_text(report.bytes_per_s), "/s");
  if (report.seconds_left)
    text += cat(", ", duration_text(static_cast<double>(*report.seconds_left)), " left");
  if (!report.reason.empty()) text += cat("; trying again: ", report.reason);
  return text;
}

std::string event_of(const Result<ModelFile>& outcome) {
  if (!outcome) return net::format_sse("error", dump_json(error_json(outcome.error())));
  Json json;
  json["model"] = to_json(*outcome);
  return net::format_sse("result", dump_json(json));
}

Result<model::DownloadRequest> parse_download(const Result<std::string_view>& body) {
  if (!body) return body.error();
  const Result<Json> json = parse_json(*body);
  if (!json) return json.error();
  const auto request = model::download_request_from_json(*json);
  if (!request) return Error{ErrorCode::bad_request, "The field 'source' is missing.", {}, {}};
  return *request;
}

}  // namespace

void Agent::open_downloads() {
  model::Downloads::Options options{.folder = folders_.models,
                                    .web = model::web_settings(options_.environment)};
  // What other hives of the system see of us.
  options.web.own_key_file = (folders_.hive / "key.pem").string();
  options.web.own_certificate_file = (folders_.hive / "certificate.pem").string();
  model::Downloads::Events events;
  // Called on a download's thread, which may wait; the store belongs to work_.
  events.store = [store = store_, work = work_.get(), loop = &loop_, weak = weak_from_this()](
                     const std::string& name, const std::vector<std::string>& sha256s,
                     const std::string& projector) -> Result<ModelFile> {
    std::promise<Result<ModelFile>> done;
    const bool taken = work->post([&] { done.set_value((*store)->add_blobs(name, sha256s, projector)); });
    if (!taken) return Error{ErrorCode::internal, "The hive has too much to do.", {}, {}};
    Result<ModelFile> stored = done.get_future().get();
    if (stored) {
      loop->post([weak, loop, file = *stored] {
        if (const auto self = weak.lock()) loop->spawn(self->take_in(file));
      });
    }
    return stored;
  };
  events.changed = [loop = &loop_, weak = weak_from_this()] {
    loop->post([weak] {
      if (const auto self = weak.lock()) self->changed();
    });
  };
  downloads_ = std::make_shared<model::Downloads>(std::move(options), clock_, std::move(events));
  downloads_->resume();
}

net::Task<void> Agent::take_in(ModelFile file) {
  const std::shared_ptr<Agent> self = shared_from_this();
  co_await list_models();
  if (!runner_) co_return;
  supervisor_.forgive_model(file.id);
  runner_->pump();
  log_->info(cat("Model '", file.id, "' is here: ", bytes_text(file.bytes), "."));
}

net::Task<void> Agent::post_downloads(net::Exchange& exchange) {
  const std::shared_ptr<Agent> self = shared_from_this();
  const Result<std::string_view> body = co_await exchange.read_body();
  const Result<model::DownloadRequest> request = parse_download(body);
  Result<std::string> id =
      request.has_error() ? Result<std::string>(request.error()) : Result<std::string>("");
  if (request && downloads_) {
    std::function<Result<std::string>()> begin = [downloads = downloads_, wanted = *request] {
      return downloads->start(wanted);
    };
    Result<std::string> begun = co_await files_->run(loop_, std::move(begin));
    id = std::move(begun);
  }
  if (!id) {
    Error error = id.error();
    (void)co_await exchange.respond_error(std::move(error));
    co_return;
  }
  net::Headers headers{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}};
  const Result<void> started = co_await exchange.start(200, headers);
  if (!started) co_return;
  co_await tell_of_download(exchange, *id);
}

// Until it is over. Who leaves only stops looking on: the download goes on.
net::Task<void> Agent::tell_of_download(net::Exchange& exchange, std::string id) {
  std::optional<Instant> told_at;
  while (downloads_) {
    const auto view = downloads_->find(id);
    if (!view) break;
    std::string event;
    if (view->is_over()) {
      Result<ModelFile> outcome =
          view->model ? Result<ModelFile>(*view->model) : Result<ModelFile>(*view->error);
      // Listed before it is told of, so that the next question finds it.
      if (outcome) co_await list_models();
      event = event_of(outcome);
      const Result<void> told = co_await exchange.write(event);
      if (told) (void)co_await exchange.finish();
      co_return;
    }
    if (!told_at || clock_.now() - *told_at >= between_events) {
      told_at = clock_.now();
      event =
          progress_event(message_of(view->report), view->report.done_bytes, view->report.bytes, view->report);
      const Result<void> written = co_await exchange.write(event);
      if (!written) co_return;
    }
    co_await net::sleep_for(loop_, between_looks);
  }
  const std::string event = net::format_sse("error", dump_json(error_json(closing())));
  const Result<void> told = co_await exchange.write(event);
  if (told) (void)co_await exchange.finish();
}

Result<std::string> Agent::cancel_download(const std::string& body) {
  const Result<Json> json = parse_json(body);
  if (!json) return json.error();
  const Result<std::string> which = wanted_string(*json, "model");
  if (!which) return which.error();
  if (!downloads_) return closing();
  const Result<void> cancelled = downloads_->cancel(*which);
  if (!cancelled) return cancelled.error();
  return std::string("{}");
}

net::Task<Result<std::string>> Agent::post_model(std::string body) {
  const Result<Json> json = parse_json(body);
  if (!json) co_return json.error();
  const Result<std::string> name = wanted_string(*json, "name");
  if (!name) co_return name.error();
  const std::string alias_of = text_of(*json, "model");
  std::string path = text_of(*json, "path");
  if (alias_of.empty() && path.empty())
    co_return Error{ErrorCode::bad_request, "The field 'path' is missing.", {}, {}};
  std::function<Result<ModelFile>()> add = [store = store_, name = *name, path,
                                            alias_of]() -> Result<ModelFile> {
    if (!alias_of.empty()) return (*store)->add_alias(name, alias_of);
    if (!std::filesystem::path(path).is_absolute()) {
      return Error{ErrorCode::bad_request, cat("'", path, "' is no absolute path.")};
    }
    return (*store)->add(name, path);
  };
  const Result<ModelFile> added = co_await work_->run(loop_, std::move(add));
  if (!added) co_return added.error();
  co_await list_models();
  if (!runner_) co_return closing();
  supervisor_.forgive_model(added->id);
  runner_->pump();
  Json answer;
  answer["model"] = to_json(*added);
  co_return dump_json(answer);
}

// A file that an engine has open must not go, nor its name: a restart would not find it.
Result<void> Agent::check_unused(const std::string& id) const {
  for (const EngineReport& engine : supervisor_.engine_reports()) {
    if (!equal_ignoring_case(engine.model_id, id) || engine.state == EngineState::failed) continue;
    return Error{ErrorCode::in_use,
                 cat("'", id, "' is loaded on '", engine.worker, "'."),
                 cat("`rbee stop ", id, "` ends its engines; then it can be removed."),
                 {}};
  }
  return {};
}

net::Task<Result<std::string>> Agent::delete_model(std::string id) {
  const Result<void> unused = check_unused(id);
  if (!unused) co_return unused.error();
  // While it is taken away no load may begin with it.
  std::erase_if(models_, [&](const ModelFile& file) { return equal_ignoring_case(file.id, id); });
  std::function<Result<void>()> remove = [store = store_, id] { return (*store)->remove(id); };
  const Result<void> removed = co_await work_->run(loop_, std::move(remove));
  co_await list_models();
  if (!removed) co_return removed.error();
  if (!runner_) co_return closing();
  supervisor_.forget_model(id, clock_.now());
  runner_->pump();
  co_return std::string("{}");
}

Result<std::string> Agent::stop_model(const std::string& id) {
  const Result<ModelFile> known = find_model(id);
  if (!known) return known.error();
  int ended = 0;
  for (const EngineReport& engine : supervisor_.engine_reports()) {
    if (engine.model_id == id && supervisor_.unload(engine.id, clock_.now())) ++ended;
  }
  runner_->pump();
  return dump_json(Json{{"engines", ended}});
}

net::Task<void> Agent::verify_model(net::Exchange& exchange, std::string id) {
  const std::shared_ptr<Agent> self = shared_from_this();
  const Result<std::string_view> body = co_await exchange.read_body();
  const Result<ModelFile> known = find_model(id);
  if (!body || !known) {
    Error error = known ? body.error() : known.error();
    (void)co_await exchange.respond_error(std::move(error));
    co_return;
  }
  net::Headers headers{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}};
  const Result<void> started = co_await exchange.start(200, headers);
  if (!started) co_return;
  const auto done = std::make_shared<std::atomic<std::uint64_t>>(0);
  struct Outcome {
    std::optional<Result<ModelFile>> result = {};
  };
  const auto outcome = std::make_shared<Outcome>();
  const auto left = std::make_shared<std::atomic<bool>>(false);  // who asked: nobody wants the answer
  const bool taken = checks_->post([file = *known, done, outcome, left, ending = ending_, loop = &loop_] {
    const auto keep_on = [&] { return !left->load() && !ending->load(); };
    Result<ModelFile> result = model::verify(file, keep_on, *done);
    loop->post([outcome, result] { outcome->result = result; });
  });
  if (!taken) co_return;
  while (!outcome->result && runner_) {
    DownloadReport report;
    report.state = "checking";
    const std::string event = progress_event(cat("checking ", known->id), *done, known->bytes, report);
    const Result<void> written = co_await exchange.write(event);
    if (!written) {
      left->store(true);
      co_return;
    }
    co_await net::sleep_for(loop_, between_events);
  }
  Result<ModelFile> result = outcome->result ? *outcome->result : Result<ModelFile>(closing());
  if (result && known->sha256.empty()) {
    std::function<Result<void>()> keep = [store = store_, file = *result] {
      return (*store)->set_sha256(file.id, file.sha256);
    };
    const Result<void> kept = co_await work_->run(loop_, std::move(keep));
    if (!kept) result = kept.error();
    co_await list_models();
  }
  const std::string event = event_of(result);
  const Result<void> told = co_await exchange.write(event);
  if (told) (void)co_await exchange.finish();
}

net::Task<Result<std::string>> Agent::post_import(std::string body) {
  std::string folder;
  if (!trim(body).empty()) {
    const Result<Json> json = parse_json(body);
    if (!json) co_return json.error();
    folder = text_of(*json, "folder");
  }
  std::function<Result<std::string>()> import =
      [store = store_, folder, environment = options_.environment]() -> Result<std::string> {
    const std::vector<std::filesystem::path> folders =
        folder.empty() ? known_model_folders(environment) : std::vector<std::filesystem::path>{folder};
    return dump_json(import_models(**store, folders, !folder.empty()));
  };
  const Result<std::string> imported = co_await work_->run(loop_, std::move(import));
  co_await list_models();
  co_return imported;
}

}  // namespace rbee::hive
