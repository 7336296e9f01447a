// key add, key list and key remove: who may ask this home's keeper from elsewhere. They work on its state
// folder, whether it runs or not; one that runs heeds them with the next request.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/file_lock.h"
#include "keeper/api_keys.h"
#include "net/tls.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

// One change at a time: two commands that come at once both have their way.
template <class Change>
Result<void> change_keys(const Context& context, Change change) {
  if (Result<void> made = make_folder(context.paths.keeper_folder); !made) return made;
  const Result<FileLock> lock = FileLock::take(context.paths.keeper_folder / "keys.lock");
  if (!lock) return lock.error();
  const std::filesystem::path file = context.paths.keeper_folder / keeper::keys_file;
  Result<keeper::ApiKeys> keys = keeper::read_keys(file);
  if (!keys) return keys.error();
  if (Result<void> changed = change(*keys); !changed) return changed;
  return write_file(file, keys->text());
}

Json limit_json(std::uint64_t limit) { return limit == 0 ? Json() : Json(limit); }

Json shown(const keeper::ApiKey& key) {
  return {{"name", key.name},
          {"requests_per_minute", limit_json(key.requests_per_minute)},
          {"tokens_per_minute", limit_json(key.tokens_per_minute)},
          {"models", key.models},
          {"admin", key.admin},
          {"made_unix_ms", key.made_unix_ms}};
}

std::string limit_text(std::uint64_t limit) { return limit == 0 ? "-" : cat(limit); }

}  // namespace

Result<void> run_key_add(const Context& context) {
  const Options& options = context.options;
  const std::string secret = keeper::new_api_key();
  keeper::ApiKey key{.name = options.name, .hash = net::secret_hash(secret)};
  key.made_unix_ms = context.clock.unix_ms();
  key.requests_per_minute = options.requests_per_minute;
  key.tokens_per_minute = options.tokens_per_minute;
  for (const std::string_view model : split(options.models, ',')) {
    if (!trim(model).empty()) key.models.emplace_back(trim(model));
  }
  key.admin = options.admin;
  Json document = shown(key);
  Result<void> added = change_keys(context, [&](keeper::ApiKeys& keys) { return keys.add(std::move(key)); });
  if (!added) return added;
  document["key"] = secret;
  context.out.document(document);
  context.out.line(secret);
  context.out.note("It is shown this once. Clients send it as their API key.");
  return {};
}

Result<void> run_key_list(const Context& context) {
  const Result<keeper::ApiKeys> keys = keeper::read_keys(context.paths.keeper_folder / keeper::keys_file);
  if (!keys) return keys.error();
  Json list = Json::array();
  Table table{.header = {"NAME", "REQUESTS/MIN", "TOKENS/MIN", "MODELS", "ADMIN"}, .rows = {}};
  for (const keeper::ApiKey& key : keys->all()) {
    list.push_back(shown(key));
    table.rows.push_back({key.name, limit_text(key.requests_per_minute), limit_text(key.tokens_per_minute),
                          key.models.empty() ? "all" : join(key.models, ", "), key.admin ? "yes" : "no"});
  }
  context.out.document(Json{{"keys", std::move(list)}});
  context.out.table(table);
  return {};
}

Result<void> run_key_remove(const Context& context) {
  const std::string& name = context.options.name;
  Result<void> removed = change_keys(context, [&](keeper::ApiKeys& keys) { return keys.remove(name); });
  if (!removed) return removed;
  context.out.document(Json{{"removed", name}});
  context.out.line(cat("The key '", name, "' opens nothing any more."));
  return {};
}

}  // namespace rbee::cli
