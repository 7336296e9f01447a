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
      const Asked asked{.method = method, .path = path, .parts = segments_of(path)};
      std::string request(*body);
      net::Task<Reply> replying = self->reply(asked, std::move(request));
      Reply got = co_await replying;
      reply = std::move(got);
    } else {
      reply.text = body.error();
    }
    co_await respond(exchange, reply.status, std::move(reply.text));
  }
}

net::Task<Agent::Reply> Agent::at_once(Reply reply) { co_return std::move(reply); }

net::Task<Agent::Reply> Agent::when_there(int status, net::Task<Result<std::string>> asking) {
  Result<std::string> text = co_await asking;
  co_return Reply{.status = status, .text = std::move(text)};
}

net::Task<Agent::Reply> Agent::reply(const Asked& asked, std::string body) {
  if (!runner_) return at_once({.status = 0, .text = closing()});
  const std::string first = asked.parts.empty() ? std::string() : asked.parts.front();
  if (first == "engines") return reply_of_engines(asked, std::move(body));
  if (first == "workers") return at_once(reply_of_workers(asked, body));
  if (first == "models") return reply_of_models(asked, std::move(body));
  const std::string& path = asked.path;
  if (asked.method == "GET") {
    if (path == "/report") return at_once({.status = 200, .text = dump_json(to_json(report()))});
    if (path == "/identity") return at_once({.status = 200, .text = get_identity()});
  }
  if (asked.method != "POST") return at_once(no_such(asked));
  if (path == "/trust") return when_there(200, post_trust());
  if (path == "/tickets") return when_there(200, post_ticket(std::move(body)));
  if (path == "/reach") return when_there(200, post_reach(std::move(body)));
  if (path == "/fit") return when_there(200, post_fit(std::move(body)));
  if (path == "/imports") return when_there(200, post_import(std::move(body)));
  if (path == "/downloads/cancel") return at_once({.status = 200, .text = cancel_download(body)});
  if (path == "/drain" || path == "/resume") return at_once(drain_hive(path == "/drain"));
  if (first != "uploads") return at_once(no_such(asked));
  return when_there(200, asked.parts.size() < 3 ? post_upload(std::move(body))
                                                : go_on_with_upload(asked.parts, std::move(body)));
}

net::Task<Agent::Reply> Agent::reply_of_engines(const Asked& asked, std::string body) {
  const std::vector<std::string>& parts = asked.parts;
  const bool posts = asked.method == "POST";
  if (posts && parts.size() == 1) return when_there(202, post_engine(std::move(body)));
  if (posts && parts.size() == 3 && parts[2] == "context")
    return when_there(202, post_context(parts[1], std::move(body)));
  if (asked.method == "DELETE" && parts.size() == 2)
    return at_once(after(202, supervisor_.unload(parts[1], clock_.now())));
  return at_once(no_such(asked));
}

Agent::Reply Agent::reply_of_workers(const Asked& asked, const std::string& body) {
  const std::vector<std::string>& parts = asked.parts;
  if (asked.method == "DELETE" && parts.size() == 2)
    return after(202, supervisor_.remove_worker(parts[1], clock_.now()));
  if (asked.method != "POST" || parts.size() != 3) return no_such(asked);
  if (parts[2] == "stop") return after(202, supervisor_.stop_worker(parts[1], clock_.now()));
  if (parts[2] == "start") return after_of_worker(parts[1], supervisor_.start_worker(parts[1]));
  return hold_worker(parts[1], parts[2], body);
}

net::Task<Agent::Reply> Agent::reply_of_models(const Asked& asked, std::string body) {
  const std::vector<std::string>& parts = asked.parts;
  const bool posts = asked.method == "POST";
  if (posts && parts.size() == 1) return when_there(200, post_model(std::move(body)));
  if (posts && parts.size() == 3 && parts[2] == "stop")
    return at_once({.status = 202, .text = stop_model(parts[1])});
  if (posts && parts.size() == 3 && parts[2] == "cold") return when_there(200, post_cold(parts[1]));
  if (asked.method == "DELETE" && parts.size() == 2) return when_there(200, delete_model(parts[1]));
  return at_once(no_such(asked));
}

Agent::Reply Agent::no_such(const Asked& asked) {
  return {
      .status = 0,
      .text = Error{ErrorCode::unknown_name, cat("The hive has no '", asked.method, " ", asked.path, "'."),
                    "docs/hive-api.md lists what it has."}};
}

net::Task<Result<std::string>> Agent::post_trust() {
  net::Task<Result<void>> taking = take_trust();
  const Result<void> taken = co_await taking;
  if (!taken) co_return taken.error();
  co_return std::string("{}");
}

// What the supervisor was told is carried out, and kept where it is about workers.
Agent::Reply Agent::after(int status, const Result<void>& done) {
  runner_->pump();
  if (!done) return {.status = 0, .text = done.error()};
  save_workers();
  return {.status = status, .text = std::string("{}")};
}

Agent::Reply Agent::after_of_worker(const std::string& name, const Result<void>& done) {
  Reply reply = after(200, done);
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
