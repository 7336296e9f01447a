// status, hive list, model list and add: what the keeper says, as a table or as it is.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/hive_choice.h"
#include "cli/lists.h"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace rbee::cli {
namespace {

Result<void> print_list(const Context& context, AdminClient& client, const char* target,
                        Table (*table)(const Json&)) {
  const Result<Json> answer = client.get(target);
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.table(table(*answer));
  return {};
}

}  // namespace

Result<void> run_hive_list(const Context& context, AdminClient& client) {
  return print_list(context, client, "/api/v1/hives", hives_table);
}

Result<void> run_model_list(const Context& context, AdminClient& client) {
  return print_list(context, client, "/api/v1/models", models_table);
}

Result<void> run_status(const Context& context, AdminClient& client) {
  const Result<Json> status = client.get("/api/v1/status");
  if (!status) return status.error();
  context.out.document(*status);
  context.out.text(status_text(*status, context.out.style().tables));
  return {};
}

Result<void> run_model_add(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  const Result<std::string> hive = choose_hive(client, options.hive);
  if (!hive) return hive.error();
  // The hive reads the path on its own side, where this command's working folder means nothing.
  const std::string path = std::filesystem::absolute(options.source).lexically_normal().string();
  const Json body{{"name", options.model}, {"path", path}};
  const Result<Json> answer = client.post(cat("/api/v1/hives/", net::percent_encode(*hive), "/models"), body);
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.line(cat("'", options.model, "' is known on ", *hive, "."));
  context.out.note(cat("`rbee infer -m ", options.model, " -p \"...\"` asks it."));
  return {};
}

}  // namespace rbee::cli
