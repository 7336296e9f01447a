// hive add, info and remove: which machines belong to this system.
#include "base/text.h"
#include "cli/add_over_ssh.h"
#include "cli/commands.h"
#include "cli/lists.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

std::string target_of(const std::string& hive) { return cat("/api/v1/hives/", net::percent_encode(hive)); }

}  // namespace

Result<void> run_hive_add(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  const Result<std::string> token =
      options.token.empty() ? token_over_ssh(context) : Result<std::string>(options.token);
  if (!token) return token.error();
  const Json body{{"name", options.hive}, {"address", options.source}, {"token", *token}};
  const Result<Json> added = client.post("/api/v1/hives", body);
  if (!added) return added.error();
  context.out.document(*added);
  context.out.line(cat("Hive '", options.hive, "' at ", added->value("address", ""),
                       " belongs to this system: ", added->value("state", ""), ", rbee ",
                       added->value("version", ""), "."));
  context.out.note(cat("Next: rbee worker deploy --hive ", options.hive));
  return {};
}

Result<void> run_hive_info(const Context& context, AdminClient& client) {
  const Result<Json> about = client.get(target_of(context.options.hive));
  if (!about) return about.error();
  context.out.document(*about);
  Table table{.header = {"WHAT", "VALUE"}, .rows = {}};
  for (const auto& [key, value] : about->items())
    table.rows.push_back({key, value.is_string() ? value.get<std::string>() : dump_json(value)});
  context.out.table(table);
  return {};
}

Result<void> run_hive_approve(const Context& context, AdminClient& client) {
  const Result<Json> approved = client.post(cat(target_of(context.options.hive), "/approve"), Json::object());
  if (!approved) return approved.error();
  context.out.document(*approved);
  context.out.line(cat("Hive '", context.options.hive, "' belongs to this system now; its key is ",
                       approved->value("key", ""), "."));
  if (approved->value("state", "") != "up")
    context.out.note("It has not come back yet: it does by itself once `rbee hive` runs there.");
  context.out.note(cat("Next: rbee worker deploy --hive ", context.options.hive));
  return {};
}

Result<void> run_hive_remove(const Context& context, AdminClient& client) {
  const Result<Json> removed = client.remove(target_of(context.options.hive));
  if (!removed) return removed.error();
  context.out.document(*removed);
  context.out.line(cat("Hive '", context.options.hive, "' does not belong to this system any more."));
  if (!removed->value("told", false))
    context.out.note(
        "It did not answer: `rbee hive token --revoke` on its machine makes it forget this keeper.");
  return {};
}

Result<void> run_hive_drain(const Context& context, AdminClient& client) {
  const std::string& hive = context.options.hive;
  const Result<Json> done = client.post(cat(target_of(hive), "/drain"), Json::object());
  if (!done) return done.error();
  context.out.document(*done);
  context.out.line(cat("Hive '", hive, "' takes no new requests; its engines leave as they become idle."));
  context.out.note(cat("`rbee hive resume ", hive, "` puts it back in service."));
  return {};
}

Result<void> run_hive_resume(const Context& context, AdminClient& client) {
  const std::string& hive = context.options.hive;
  const Result<Json> done = client.post(cat(target_of(hive), "/resume"), Json::object());
  if (!done) return done.error();
  context.out.document(*done);
  context.out.line(cat("Hive '", hive, "' takes requests again."));
  return {};
}

Result<void> run_hive_wake(const Context& context, AdminClient& client) {
  const std::string& hive = context.options.hive;
  const Result<Json> done = client.post(cat(target_of(hive), "/wake"), Json::object());
  if (!done) return done.error();
  context.out.document(*done);
  if (done->value("state", "") == "up")
    context.out.line(cat("Hive '", hive, "' is there."));
  else
    context.out.line(
        cat("A packet that wakes it was sent for hive '", hive, "'; `rbee status` says when it is up."));
  return {};
}

}  // namespace rbee::cli
