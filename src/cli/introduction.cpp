#include "cli/introduction.h"

#include "base/text.h"
#include "cli/demo_model.h"
#include "cli/progress.h"

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace rbee::cli {
namespace {

using net::Task;

// The hive's first report takes some milliseconds over a unix socket; a slow disk may make it a second.
constexpr Milliseconds between_looks{20};
constexpr int most_looks = 1500;

bool is_up(const Json& answer, const std::string& name) {
  for (const Json& hive : get_array(answer, "hives")) {
    if (get_string(hive, "name") == name) return get_string(hive, "state") == "up";
  }
  return false;
}

Task<Result<void>> wait_for_hive(AdminClient& client, std::string name) {
  const std::string method = "GET";
  const std::string target = "/api/v1/hives";
  const std::string nothing;
  for (int look = 0; look < most_looks; ++look) {
    const Result<Json> answer = co_await client.call(method, target, nothing);
    if (!answer) co_return answer.error();
    if (is_up(*answer, name)) co_return Result<void>();
    co_await net::sleep_for(client.loop(), between_looks);
  }
  co_return Error{ErrorCode::timed_out,
                  cat("The hive '", name, "' of this machine did not report to the keeper."),
                  "The log (`rbee logs`) says what it waits for."};
}

Task<Result<void>> put_demo_in_service(const Context& context, AdminClient& client, std::string hive,
                                       std::string path) {
  const std::string method = "POST";
  const std::string models = cat("/api/v1/hives/", net::percent_encode(hive), "/models");
  const std::string model = dump_json(Json{{"name", demo_model_name}, {"path", path}});
  const Result<Json> added = co_await client.call(method, models, model);
  if (!added) co_return added.error();
  Progress progress(context.out, context.clock);
  const OnProgress show = [&progress](std::string_view message, std::uint64_t done, std::uint64_t total) {
    progress.update(message, done, total);
  };
  const std::string workers = cat("/api/v1/hives/", net::percent_encode(hive), "/workers");
  const std::string no_options = "{}";
  const Result<Json> deployed = co_await client.call_with_progress(workers, no_options, show);
  if (!deployed) co_return deployed.error();
  co_return Result<void>();
}

}  // namespace

InService in_service(const Json& status) {
  InService now{.has_worker = !get_array(status, "workers").empty()};
  const auto models = get_array(status, "models");
  if (!models.empty()) now.model = text_of(models.front(), "name");
  return now;
}

std::string greeting(const std::string& address, const InService& now) {
  const std::string model = now.model.empty() ? "MODEL" : now.model;
  // Over TLS a client takes the keeper's certificate, from its state folder, and a key.
  const bool secure = address.starts_with("https://");
  const std::string_view more =
      secure ? " --cacert keeper/certificate.pem -H \"Authorization: Bearer $RBEE_API_KEY\"" : "";
  std::string text = cat("rbee is up: ", address, "\n\n  curl ", address, "/v1/chat/completions", more,
                         " -H 'Content-Type: application/json' \\\n    -d '{\"model\": \"", model,
                         "\", \"messages\": [{\"role\": \"user\", \"content\": \"What is rbee?\"}]}'\n\n");
  if (!now.model.empty() && now.has_worker) {
    text += cat("Next: `rbee chat ", model, "` talks to it; `rbee status` shows what runs");
  } else {
    text += now.has_worker ? "Next: " : "Next: `rbee worker deploy` puts this machine's devices in service; ";
    text += now.model.empty() ? "`rbee model add NAME FILE` makes a model known"
                              : cat("then `rbee chat ", model, "` talks to it");
  }
  return text + "; Ctrl-C or `rbee down` ends it.\n";
}

Task<Result<void>> introduce(const Context& context, AdminClient& client, Introduction what) {
  const Result<void> up = co_await wait_for_hive(client, what.hive);
  if (!up) co_return up.error();
  const bool demo = !what.demo_model_path.empty();
  if (demo) {
    const Result<void> in_service =
        co_await put_demo_in_service(context, client, what.hive, what.demo_model_path);
    if (!in_service) co_return in_service.error();
  }
  const std::string method = "GET";
  const std::string target = "/api/v1/status";
  const std::string nothing;
  const Result<Json> status = co_await client.call(method, target, nothing);
  if (!status) co_return status.error();
  InService now = in_service(*status);
  if (demo) now.model = demo_model_name;
  const std::string& address = client.url();
  context.out.document(Json{{"address", address}, {"pid", getpid()}, {"demo", demo}});
  context.out.text(greeting(address, now));
  co_return Result<void>();
}

}  // namespace rbee::cli
