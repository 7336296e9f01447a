#include "keeper/gateway.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"
#include "keeper/dispatch.h"
#include "keeper/header_filter.h"
#include "keeper/model_access.h"
#include "keeper/request_head.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// An engine reads a header line of 8 KiB at most; its own paths with a query are far below.
constexpr std::size_t longest_target = 4096;

net::Task<void> respond_json(net::Exchange& exchange, Json json) {
  std::string text = dump_json(json);
  net::Task<Result<void>> responding = exchange.respond_json(200, std::move(text));
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

Result<RequestHead> head_of(const net::RequestHead& head, std::string_view body) {
  if (head.method != "GET") return read_request_head(body);
  std::optional<std::string> model = net::query_value(head.query, "model");
  if (model && !model->empty() && model->size() <= longest_model_name)
    return RequestHead{.model = std::move(*model)};
  return Error{ErrorCode::bad_request, "The request names no model.",
               "Add ?model=NAME; `rbee model list` has the names."};
}

// Anything else is normal: a client of another system may send its own words.
Priority priority_of(std::string_view word) {
  if (equal_ignoring_case(word, "high")) return Priority::high;
  return equal_ignoring_case(word, "low") ? Priority::low : Priority::normal;
}

// Only what says no is no: a client that sends the field wants it.
bool wants_trace(const net::RequestHead& head) {
  const auto yes = [](const std::optional<std::string>& word) {
    return word && *word != "0" && !equal_ignoring_case(*word, "false");
  };
  const std::optional<std::string_view> header = head.headers.find("x-rbee-explain");
  return yes(header ? std::optional<std::string>(*header) : std::nullopt) ||
         yes(net::query_value(head.query, "explain"));
}

// A request that its key does not allow, or not now.
std::optional<Gate::TooMany> refused_by_key(Core& core, const Visitor& visitor, const std::string& model) {
  if (!may_ask(core, visitor, model)) return Gate::TooMany{model_unknown(core, visitor, model), 0};
  return core.gate->take_request(visitor);
}

}  // namespace

net::Task<void> list_models(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor) {
  const std::vector<ModelFile> models = models_for(*core, visitor);
  const std::int64_t created = core->started_unix_ms / 1000;
  Json list = openai_models_json(models, created);
  for (const auto& [alias, name] : core->models->aliases()) {
    const auto file = std::ranges::find_if(models, [&](const auto& one) { return answers_to(one, name); });
    if (file == models.end()) continue;
    Json row = openai_model_json(*file, created);
    row["id"] = alias;
    list["data"].push_back(std::move(row));
  }
  net::Task<void> responding = respond_json(exchange, std::move(list));
  co_await responding;
}

net::Task<void> show_model(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor,
                           std::string model) {
  const std::vector<ModelFile> models = models_for(*core, visitor);
  const std::string name = core->models->resolve(model);
  for (const ModelFile& file : models) {
    if (!answers_to(file, name)) continue;
    Json found = openai_model_json(file, core->started_unix_ms / 1000);
    net::Task<void> responding = respond_json(exchange, std::move(found));
    co_await responding;
    co_return;
  }
  Error error = model_unknown(*core, visitor, model);
  net::Headers headers;
  net::Task<void> refusing = refuse(exchange, Api::openai, std::move(error), 0, std::move(headers));
  co_await refusing;
}

net::Task<void> ask_engine_of_model(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor) {
  const Api api = api_of(exchange.head().path);
  const Result<std::string_view> body = co_await exchange.read_body();
  Result<RequestHead> head = body ? head_of(exchange.head(), *body) : body.error();
  if (head && exchange.head().target.size() > longest_target) {
    head = Error{ErrorCode::bad_request,
                 cat("The request's target is longer than ", longest_target, " bytes."),
                 {},
                 {}};
  }
  int later = 0;
  if (head) {
    if (std::optional<Gate::TooMany> no = refused_by_key(*core, visitor, head->model)) {
      core->metrics.refused(info(no->error.code).name);
      head = std::move(no->error);
      later = jittered(no->retry_after_s, core->random);
    }
  }
  if (!head) {
    if (head.error().code == ErrorCode::cancelled) co_return;
    Error error = head.error();
    net::Headers headers{{"x-rbee-request-id", core->random.id()}};
    net::Task<void> refusing = refuse(exchange, api, std::move(error), later, std::move(headers));
    co_await refusing;
    core->metrics.request_ended("", "", Outcome::refused, 0);
    co_return;
  }
  Call call{.method = exchange.head().method,
            .target = exchange.head().target,
            .api = api,
            .visitor = std::move(visitor),
            .model = core->models->resolve(head->model),
            .worker = std::string(exchange.head().headers.find("x-rbee-worker").value_or("")),
            .slots = head->n,
            .prompt = std::move(head->prompt),
            .max_tokens = head->max_tokens,
            .stream = head->stream,
            .priority = priority_of(exchange.head().headers.find("x-rbee-priority").value_or("")),
            .user = std::move(head->user),
            .session = std::string(exchange.head().headers.find("x-session-id").value_or("")),
            .needs_tools = head->has_tools,
            .needs_vision = head->has_images,
            .explain = wants_trace(exchange.head()),
            .keep_alive = head->keep_alive,
            .num_ctx = head->num_ctx,
            .headers = to_engine(exchange.head().headers),
            .body = *body};
  net::Task<void> serving = dispatch(core, exchange, std::move(call));
  co_await serving;
}

net::Task<void> answer_unrouted(net::Exchange& exchange, std::string allowed) {
  const net::RequestHead& head = exchange.head();
  Error error{ErrorCode::unknown_name,
              cat("There is nothing at ", head.path, "."),
              "`GET /api/v1/openapi.json` lists what there is.",
              {}};
  if (!allowed.empty()) {
    error = Error{ErrorCode::bad_request,
                  cat(head.path, " is asked with ", allowed, ", not with ", head.method, "."),
                  "`GET /api/v1/openapi.json` lists what there is.",
                  {}};
  } else if (head.path.starts_with("/v1/")) {
    error = Error{ErrorCode::unsupported, cat("No engine answers ", head.path, "."), {}, {}};
  }
  const Api api = api_of(head.path);
  net::Headers headers;
  net::Task<void> refusing = refuse(exchange, api, std::move(error), 0, std::move(headers));
  co_await refusing;
}

}  // namespace rbee::keeper
