// hive token: who may come in. It works on this home's state folder, whether the hive runs or not.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/running_hive.h"
#include "cli/start_hive.h"
#include "domain/hive_token.h"
#include "hive/door.h"
#include "net/identity_files.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

constexpr std::size_t token_secret_bytes = 16;

Result<void> remove_file(const std::filesystem::path& file) {
  std::error_code failure;
  std::filesystem::remove(file, failure);
  if (failure) return io_error(cat("'", file.string(), "' cannot be removed"), failure.value());
  return {};
}

Result<void> revoke(const Context& context, const hive::TrustFiles& trust) {
  if (Result<void> removed = remove_file(trust.token); !removed) return removed;
  if (Result<void> removed = remove_file(trust.keeper); !removed) return removed;
  const Result<bool> told = tell_hive_of_trust(context);
  if (!told) return told.error();
  context.out.document(Json{{"revoked", true}});
  context.out.line("No token is valid any more, and this hive belongs to no keeper.");
  return {};
}

// Where another machine reaches the hive; empty: nowhere.
std::string listening_on(const Context& context) {
  const Result<std::string> text = read_file(context.paths.hive_folder / hive::Door::address_file, 256);
  return text ? std::string(trim(*text)) : std::string();
}

// As `hive add` over ssh reads it.
Json started_text(StartedAs started) {
  switch (started) {
    case StartedAs::ran_already: return {};
    case StartedAs::service: return "service";
    case StartedAs::process: return "process";
  }
  return {};
}

}  // namespace

Result<void> run_hive_token(const Context& context) {
  const hive::TrustFiles trust(context.paths.hive_folder);
  if (context.options.revoke) return revoke(context, trust);
  const Result<std::optional<hive::KnownKeeper>> keeper = trust.read_keeper();
  if (!keeper) return keeper.error();
  if (*keeper && !(*keeper)->asking && !context.options.rotate) {
    return Error{ErrorCode::in_use,
                 cat("This hive is '", (*keeper)->hive_name, "' of a keeper already (key ",
                     (*keeper)->key_print, ")."),
                 "`rbee hive token --rotate` lets another one take it over; `--revoke` lets nobody in."};
  }
  Result<StartedAs> started = StartedAs::ran_already;
  if (!context.options.listen.empty())
    started = start_hive(context, context.options.listen, context.options.name);
  if (!started) return started.error();
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
                            {"started", started_text(*started)},
                            {"listen", address.empty() ? Json() : Json(address)}});
  context.out.line(token);
  context.out.note(
      "It serves once, within an hour: `rbee hive add NAME ADDRESS --token T` where the keeper is.");
  if (address.empty()) {
    context.out.note(
        "This hive is not reached from other machines now: start it with `rbee hive --listen 0.0.0.0:7835`.");
  }
  return {};
}

}  // namespace rbee::cli
