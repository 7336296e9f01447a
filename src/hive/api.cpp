// The routes of docs/hive-api.md.
#include "hive/agent.h"

#include "base/json.h"
#include "base/text.h"
#include "model/model_parts.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace rbee::hive {
namespace {

Error closing() { return Error{ErrorCode::no_worker, "This hive is ending.", "Try again when it is back."}; }

// "/workers/NAME/stop" is {"workers", "NAME", "stop"}.
std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  for (const std::string_view part : split(path, '/')) {
    if (!part.empty()) segments.emplace_back(part);
  }
  return segments;
}

net::Task<void> respond(net::Exchange& exchange, int status, Result<std::string> text) {
  if (text) {
    std::string json = std::move(*text);
    (void)co_await exchange.respond_json(status, std::move(json));
  } else {
    Error error = text.error();
    (void)co_await exchange.respond_error(std::move(error));
  }
}

}  // namespace

// Those whose answer is a stream answer for themselves; all others give a status and one JSON text.
net::Task<void> Agent::answer(std::shared_ptr<Agent> self, net::Exchange& exchange) {
  if (!self || !self->runner_) {
    Result<std::string> nothing = closing();
    co_await respond(exchange, 0, std::move(nothing));
    co_return;
  }
  const std::string path = exchange.head().path;
  const std::string method = exchange.head().method;
  if (method == "GET" && path == "/events") {
    co_await EventHub::serve(self->events_, exchange);
  } else if (std::optional<FileTarget> file = file_target(path); file && method == "GET") {
    co_await send_file(self, exchange, std::move(*file));
  } else if (method == "GET" && path == "/logs") {
    co_await self->get_logs(exchange);
  } else if (method == "POST" && path == "/workers") {
    co_await self->post_workers(exchange);
  } else if (method == "POST" && path == "/downloads") {
    co_await self->post_downloads(exchange);
  } else if (method == "POST" && path.starts_with("/models/") && path.ends_with("/verify")) {
    std::string id = segments_of(path).at(1);
    co_await self->verify_model(exchange, std::move(id));
  } else if (method == "POST" && path.starts_with("/workers/") && path.ends_with("/bare")) {
    std::string worker = segments_of(path).at(1);
    co_await self->post_bare(exchange, std::move(worker));
  } else {
    const Result<std::string_view> body = co_await exchange.read_body();
    Reply reply;
    if (body) {
      const std::string request(*body);
      Reply got = co_await self->reply(method, path, request);
      reply = std::move(got);
    } else {
      reply.text = body.error();
    }
    co_await respond(exchange, reply.status, std::move(reply.text));
  }
}

net::Task<Agent::Reply> Agent::reply(std::string method, std::string path, std::string body) {
  const std::vector<std::string> parts = segments_of(path);
  const std::string first = parts.empty() ? std::string() : parts.front();
  const bool names_one = parts.size() == 2;
  if (!runner_) co_return Reply{.status = 0, .text = closing()};
  if (method == "GET" && path == "/report")
    co_return Reply{.status = 200, .text = dump_json(to_json(report()))};
  if (method == "POST" && path == "/trust") {
    net::Task<Result<void>> taking = take_trust();
    const Result<void> taken = co_await taking;
    co_return Reply{
        .status = 200,
        .text = taken ? Result<std::string>(std::string("{}")) : Result<std::string>(taken.error())};
  }
  if (method == "POST" && path == "/engines") {
    Result<std::string> text = co_await post_engine(body);
    co_return Reply{.status = 202, .text = std::move(text)};
  }
  if (method == "POST" && first == "engines" && parts.size() == 3 && parts.at(2) == "context") {
    Result<std::string> text = co_await post_context(parts.at(1), body);
    co_return Reply{.status = 202, .text = std::move(text)};
  }
  if (method == "GET" && path == "/identity") co_return Reply{.status = 200, .text = get_identity()};
  if (method == "POST" && path == "/tickets") {
    Result<std::string> text = co_await post_ticket(body);
    co_return Reply{.status = 200, .text = std::move(text)};
  }
  if (method == "POST" && path == "/reach") {
    Result<std::string> text = co_await post_reach(body);
    co_return Reply{.status = 200, .text = std::move(text)};
  }
  if (method == "POST" && first == "uploads") {
    net::Task<Result<std::string>> taking =
        parts.size() < 3 ? post_upload(std::move(body)) : go_on_with_upload(parts, std::move(body));
    Result<std::string> text = co_await taking;
    co_return Reply{.status = 200, .text = std::move(text)};
  }
  if (method == "POST" && path == "/fit") {
    Result<std::string> text = co_await post_fit(body);
    co_return Reply{.status = 200, .text = std::move(text)};
  }
  if (method == "POST" && path == "/models") {
    Result<std::string> text = co_await post_model(body);
    co_return Reply{.status = 200, .text = std::move(text)};
  }
  if (method == "POST" && path == "/imports") {
    Result<std::string> text = co_await post_import(body);
    co_return Reply{.status = 200, .text = std::move(text)};
  }
  if (method == "POST" && path == "/downloads/cancel")
    co_return Reply{.status = 200, .text = cancel_download(body)};
  if (method == "POST" && first == "models" && parts.size() == 3 && parts.at(2) == "stop")
    co_return Reply{.status = 202, .text = stop_model(parts.at(1))};
  if (method == "POST" && first == "models" && parts.size() == 3 && parts.at(2) == "cold") {
    Result<std::string> text = co_await post_cold(parts.at(1));
    co_return Reply{.status = 200, .text = std::move(text)};
  }
  if (method == "DELETE" && first == "models" && names_one) {
    Result<std::string> text = co_await delete_model(parts.at(1));
    co_return Reply{.status = 200, .text = std::move(text)};
  }
  if (method == "DELETE" && first == "engines" && names_one) {
    co_return after(202, supervisor_.unload(parts.at(1), clock_.now()));
  }
  if (method == "DELETE" && first == "workers" && names_one) {
    co_return after(202, supervisor_.remove_worker(parts.at(1), clock_.now()));
  }
  if (method == "POST" && first == "workers" && parts.size() == 3 && parts.at(2) == "stop") {
    co_return after(202, supervisor_.stop_worker(parts.at(1), clock_.now()));
  }
  if (method == "POST" && first == "workers" && parts.size() == 3 && parts.at(2) == "start") {
    co_return start_worker(parts.at(1));
  }
  if (method == "POST" && first == "workers" && parts.size() == 3)
    co_return hold_worker(parts.at(1), parts.at(2), body);
  if (method == "POST" && (path == "/drain" || path == "/resume")) co_return drain_hive(path == "/drain");
  co_return Reply{.status = 0,
                  .text = Error{ErrorCode::unknown_name, cat("The hive has no '", method, " ", path, "'."),
                                "docs/hive-api.md lists what it has."}};
}

// What the supervisor was told is carried out, and kept where it is about workers.
Agent::Reply Agent::after(int status, const Result<void>& done) {
  runner_->pump();
  if (!done) return {.status = 0, .text = done.error()};
  save_workers();
  return {.status = status, .text = std::string("{}")};
}

Agent::Reply Agent::start_worker(const std::string& name) {
  Reply reply = after(200, supervisor_.start_worker(name));
  if (!reply.text) return reply;
  Json answer;
  for (const WorkerReport& worker : supervisor_.worker_reports()) {
    if (worker.name == name) answer["worker"] = to_json(worker);
  }
  reply.text = dump_json(answer);
  return reply;
}

Result<ModelFile> Agent::find_model(std::string_view id) const {
  std::vector<std::string> ids;
  for (const ModelFile& file : models_) {
    if (file.id == id) return file;
    ids.push_back(file.id);
  }
  return Error{ErrorCode::unknown_model, cat("'", options_.name, "' has no model '", id, "'."),
               did_you_mean(id, ids)};
}

net::Task<void> Agent::list_models() {
  std::function<std::vector<ModelFile>()> list = [store = store_] { return (*store)->list().models; };
  std::vector<ModelFile> models = co_await work_->run(loop_, std::move(list));
  models_ = std::move(models);
  changed();
}

}  // namespace rbee::hive
