// hive token, key add, key list and key remove: who may come in. They work on this home's state folder,
// whether hive and keeper run or not.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/file_lock.h"
#include "domain/hive_token.h"
#include "hive/door.h"
#include "keeper/api_keys.h"
#include "net/identity_files.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

constexpr std::size_t token_secret_bytes = 16;
// A thousand keys have some 300 kB.
constexpr std::size_t largest_keys_bytes = 4u << 20;

Result<void> remove_file(const std::filesystem::path& file) {
  std::error_code failure;
  std::filesystem::remove(file, failure);
  if (failure) return io_error(cat("'", file.string(), "' cannot be removed"), failure.value());
  return {};
}

Result<void> revoke(const Context& context, const hive::TrustFiles& trust) {
  if (Result<void> removed = remove_file(trust.token); !removed) return removed;
  if (Result<void> removed = remove_file(trust.keeper); !removed) return removed;
  context.out.document(Json{{"revoked", true}});
  context.out.line("No token is valid any more, and this hive belongs to no keeper.");
  return {};
}

// Where another machine reaches the hive; empty: nowhere.
std::string listening_on(const Context& context) {
  const Result<std::string> text = read_file(context.paths.hive_folder / hive::Door::address_file, 256);
  return text ? std::string(trim(*text)) : std::string();
}

Result<keeper::ApiKeys> read_keys(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return keeper::ApiKeys();
  const Result<std::string> text = read_file(file, largest_keys_bytes);
  if (!text) return text.error();
  return keeper::ApiKeys::parse(*text);
}

// One change at a time: two commands that come at once both have their way.
template <class Change>
Result<void> change_keys(const Context& context, Change change) {
  if (Result<void> made = make_folder(context.paths.keeper_folder); !made) return made;
  const Result<FileLock> lock = FileLock::take(context.paths.keeper_folder / "keys.lock");
  if (!lock) return lock.error();
  const std::filesystem::path file = context.paths.keeper_folder / keeper::keys_file;
  Result<keeper::ApiKeys> keys = read_keys(file);
  if (!keys) return keys.error();
  if (Result<void> changed = change(*keys); !changed) return changed;
  return write_file(file, keys->text());
}

Json shown(const keeper::ApiKey& key) {
  return {{"name", key.name},
          {"requests_per_minute", key.requests_per_minute},
          {"tokens_per_minute", key.tokens_per_minute},
          {"models", key.models},
          {"admin", key.admin},
          {"made_unix_ms", key.made_unix_ms}};
}

std::string limit_text(std::uint64_t limit) { return limit == 0 ? "-" : cat(limit); }

}  // namespace

Result<void> run_hive_token(const Context& context) {
  const hive::TrustFiles trust(context.paths.hive_folder);
  if (context.options.revoke) return revoke(context, trust);
  const Result<std::optional<hive::KnownKeeper>> keeper = trust.read_keeper();
  if (!keeper) return keeper.error();
  if (*keeper && !(*keeper)->asking && !context.options.rotate) {
    return Error{ErrorCode::in_use,
                 cat("This hive is '", (*keeper)->hive_name, "' of a keeper already (key ", (*keeper)->key_print,
                     ")."),
                 "`rbee hive token --rotate` lets another one take it over; `--revoke` lets nobody in."};
  }
  const Result<net::TlsIdentity> identity = net::open_identity(context.paths.hive_folder, "rbee hive");
  if (!identity) return identity.error();
  const Result<std::string> print = net::key_print_of(*identity);
  if (!print) return print.error();
  const std::string secret = net::new_secret(token_secret_bytes);
  const hive::TokenRecord record = hive::record_of(secret, context.clock.unix_ms());
  if (Result<void> written = write_file(trust.token, hive::token_text(record)); !written) return written;
  const std::string token = format_token({secret, *print});
  const std::string address = listening_on(context);
  context.out.document(Json{{"token", token},
                            {"key", *print},
                            {"expires_unix_ms", record.expires_unix_ms},
                            {"listen", address.empty() ? Json() : Json(address)}});
  context.out.line(token);
  context.out.note("It serves once, within an hour: `rbee hive add NAME ADDRESS --token T` where the keeper is.");
  if (address.empty()) {
    context.out.note(
        "This hive is not reached from other machines now: start it with `rbee hive --listen 0.0.0.0:7835`.");
  }
  return {};
}

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
  const Json about = shown(key);
  Result<void> added = change_keys(context, [&](keeper::ApiKeys& keys) { return keys.add(std::move(key)); });
  if (!added) return added;
  Json document = about;
  document["key"] = secret;
  context.out.document(document);
  context.out.line(secret);
  context.out.note("It is shown this once. Clients send it as their API key.");
  return {};
}

Result<void> run_key_list(const Context& context) {
  const Result<keeper::ApiKeys> keys = read_keys(context.paths.keeper_folder / keeper::keys_file);
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
