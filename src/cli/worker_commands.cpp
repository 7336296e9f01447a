#include "base/text.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/hive_choice.h"
#include "cli/lists.h"
#include "cli/progress.h"
#include "domain/backend.h"
#include "domain/report.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

std::string worker_target(const Options& options, std::string_view action = {}) {
  return cat("/api/v1/workers/", net::percent_encode(options.worker), action);
}

// What the hive's POST /workers takes (docs/hive-api.md).
Result<Json> deploy_body(const Options& options) {
  Json body = Json::object();
  if (!options.backend.empty()) {
    const Result<Backend> backend = parse_backend(options.backend);
    if (!backend) return backend.error();
    body["backend"] = backend_name(*backend);
  }
  if (!options.device.empty()) body["device"] = options.device;
  if (!options.name.empty()) body["name"] = options.name;
  if (options.slots) body["slots"] = *options.slots;
  if (options.context) body["context"] = *options.context;
  if (options.vram > 0) body["vram"] = options.vram;
  if (options.no_benchmark) body["benchmark"] = false;
  return body;
}

std::string query_of(const Options& options) {
  std::string query;
  const auto add = [&query](std::string_view key, const std::string& value) {
    if (!value.empty()) query += cat(query.empty() ? "?" : "&", key, "=", net::percent_encode(value));
  };
  add("hive", options.hive);
  add("backend", options.backend);
  add("state", options.state);
  if (options.limit) add("limit", cat(*options.limit));
  return query;
}

void print_deployed(const Context& context, const Json& answer) {
  context.out.document(answer);
  for (const Json& worker : get_array(answer, "workers")) {
    context.out.line(cat(text_of(worker, "name"), " (", text_of(worker, "backend"), ", ",
                         text_of(worker, "device"), ") is ", text_of(worker, "state")));
  }
}

// Its own hold is over; that of its hive, or another program on its device, may not be.
std::string back_in_service(const std::string& name, const Json& answer) {
  const Json worker = answer.value("worker", Json::object());
  const std::string state = text_of(worker, "state");
  const std::string reason = text_of(worker, "reason");
  if (state.empty() || state == worker_state_name(WorkerState::ready))
    return cat(name, " takes requests again.");
  const std::string said = cat(name, " takes no requests, it is ", state, reason.empty() ? "" : ": ", reason);
  return said.ends_with('.') ? said : cat(said, ".");
}

}  // namespace

Result<void> run_worker_deploy(const Context& context, AdminClient& client) {
  const Result<Json> body = deploy_body(context.options);
  if (!body) return body.error();
  const Result<std::string> hive = choose_hive(client, context.options.hive);
  if (!hive) return hive.error();
  Result<Json> answer = Json();
  {
    Progress progress(context.out, context.clock);
    const OnProgress show = [&progress](std::string_view message, std::uint64_t done, std::uint64_t total) {
      progress.update(message, done, total);
    };
    const std::string target = cat("/api/v1/hives/", net::percent_encode(*hive), "/workers");
    answer = client.loop().block_on(client.call_with_progress(target, dump_json(*body), show));
  }
  if (!answer) return answer.error();
  print_deployed(context, *answer);
  return {};
}

Result<void> run_worker_start(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  if (options.worker.empty() && options.backend.empty() && options.device.empty()) {
    return Error{ErrorCode::bad_usage, "`rbee worker start` needs a worker, or a backend to put in service.",
                 "Write `rbee worker start W`, or `rbee worker start --hive H --backend cuda`."};
  }
  if (options.worker.empty()) return run_worker_deploy(context, client);
  const Result<Json> answer = client.post(worker_target(options, "/start"), Json::object());
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(back_in_service(options.worker, *answer));
  return {};
}

Result<void> run_worker_stop(const Context& context, AdminClient& client) {
  const Result<Json> answer = client.post(worker_target(context.options, "/stop"), Json::object());
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(cat(context.options.worker, " ends its engines as they become idle, and takes no more."));
  return {};
}

Result<void> run_worker_remove(const Context& context, AdminClient& client) {
  const Result<Json> answer = client.remove(worker_target(context.options));
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(cat(context.options.worker, " is removed once its engines are idle."));
  return {};
}

Result<void> run_worker_drain(const Context& context, AdminClient& client) {
  const std::string& worker = context.options.worker;
  const Result<Json> answer = client.post(worker_target(context.options, "/drain"), Json::object());
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(cat(worker, " takes no new requests; its engines leave as they become idle."));
  context.out.note(cat("`rbee worker resume ", worker, "` puts it back in service."));
  return {};
}

Result<void> run_worker_pause(const Context& context, AdminClient& client) {
  const std::string& worker = context.options.worker;
  Json body = Json::object();
  if (const std::string& text = context.options.pause_for; !text.empty()) {
    const Result<Milliseconds> time = parse_duration(text);
    if (!time || *time < Milliseconds{1000}) {
      return Error{ErrorCode::bad_usage, cat("'", text, "' is no time of a second or more."),
                   "Write --for 30m, --for 2h or --for 1d."};
    }
    body["for_s"] = time->count() / 1000;
  }
  const Result<Json> answer = client.post(worker_target(context.options, "/pause"), body);
  if (!answer) return answer.error();
  context.out.document(*answer);
  const std::string until = context.options.pause_for.empty() ? cat("until `rbee worker resume ", worker, "`")
                                                              : cat("for ", context.options.pause_for);
  context.out.line(cat(worker, " is paused ", until, "; its engines leave."));
  return {};
}

Result<void> run_worker_resume(const Context& context, AdminClient& client) {
  const Result<Json> answer = client.post(worker_target(context.options, "/resume"), Json::object());
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(back_in_service(context.options.worker, *answer));
  return {};
}

Result<void> run_worker_list(const Context& context, AdminClient& client) {
  Options options = context.options;
  if (!options.backend.empty()) {
    const Result<Backend> backend = parse_backend(options.backend);
    if (!backend) return backend.error();
    options.backend = backend_name(*backend);
  }
  const Result<Json> answer = client.get(cat("/api/v1/workers", query_of(options)));
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.table(workers_table(*answer));
  return {};
}

Result<void> run_worker_info(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  if (!options.worker.empty()) {
    const Result<Json> worker = client.get(worker_target(options));
    if (!worker) return worker.error();
    context.out.document(*worker);
    context.out.table(workers_table(Json{{"workers", Json::array({*worker})}}));
    context.out.table(engines_table(*worker));
    return {};
  }
  const Result<std::string> hive = choose_hive(client, options.hive);
  if (!hive) return hive.error();
  const Result<Json> machine = client.get(cat("/api/v1/hives/", net::percent_encode(*hive), "/machine"));
  if (!machine) return machine.error();
  context.out.document(*machine);
  context.out.table(devices_table(*machine));
  for (const Json& backend : get_array(*machine, "backends")) {
    context.out.line(cat(text_of(backend, "name"), " is not usable: ", text_of(backend, "reason"), ". ",
                         text_of(backend, "cure")));
  }
  if (context.out.style().tables) context.out.line("");
  context.out.table(workers_table(*machine));
  return {};
}

}  // namespace rbee::cli
