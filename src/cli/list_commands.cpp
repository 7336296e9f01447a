// status, hive list, model list and add: what the keeper says, as a table or as it is.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/hive_choice.h"
#include "cli/lists.h"
#include "cli/model_source.h"

#include <nlohmann/json.hpp>

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
  if (context.options.catalog) return list_catalog(context);
  return print_list(context, client, "/api/v1/models", models_table);
}

Result<void> run_status(const Context& context, AdminClient& client) {
  const Result<Json> status = client.get("/api/v1/status");
  if (!status) return status.error();
  context.out.document(*status);
  context.out.text(status_text(*status, context.out.style().tables));
  return {};
}

}  // namespace rbee::cli
