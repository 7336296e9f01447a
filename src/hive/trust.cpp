#include "hive/trust.h"

#include "base/json.h"
#include "base/text.h"
#include "net/tls.h"

#include <nlohmann/json.hpp>

namespace rbee::hive {
namespace {

// A host has a few addresses; what is beyond is not worth trying.
constexpr std::size_t most_addresses = 16;

Error refused(std::string message) {
  return Error{ErrorCode::not_allowed, std::move(message),
               "`rbee hive token`, typed on the hive's machine, prints a new one."};
}

std::vector<std::string> texts(const Json& object, std::string_view key) {
  std::vector<std::string> all;
  for (const Json& one : get_array(object, key)) {
    if (one.is_string() && all.size() < most_addresses) all.push_back(one.get<std::string>());
  }
  return all;
}

Error damaged(std::string_view what, const std::string& why) {
  return Error{ErrorCode::bad_config, cat("What this hive knows of ", what, " cannot be read: ", why),
               "`rbee hive token --revoke` forgets it; then add this hive anew."};
}

}  // namespace

TokenRecord record_of(std::string_view secret, std::int64_t now_unix_ms) {
  return {net::secret_hash(secret), now_unix_ms + token_life_ms};
}

Result<PairRequest> parse_pair_request(std::string_view json, std::string key_print) {
  const Result<Json> body = parse_json(json);
  if (!body) return body.error();
  const std::optional<std::string> secret = get_string(*body, "secret");
  const std::optional<std::string> name = get_string(*body, "hive");
  if (!secret || !name || name->empty())
    return Error{ErrorCode::bad_request, cat("\"", secret ? "hive" : "secret", "\" is missing.")};
  return PairRequest{*secret, std::move(key_print), *name, texts(*body, "addresses")};
}

Result<KnownKeeper> admit(const PairRequest& request, const std::optional<TokenRecord>& token,
                          std::int64_t now_unix_ms) {
  if (request.key_print.empty()) return refused("A keeper that shows no key cannot be let in.");
  if (!token) return refused("No token is waiting here: it was used, revoked or never made.");
  if (!net::equal_secrets(net::secret_hash(request.secret), token->secret_hash))
    return refused("This is not the token that waits here: it was used, or a newer one took its place.");
  if (now_unix_ms >= token->expires_unix_ms) {
    const std::int64_t minutes = (now_unix_ms - token->expires_unix_ms) / 60'000;
    return refused(cat("The token expired ", minutes, " minutes ago."));
  }
  return KnownKeeper{request.key_print, request.hive_name, request.addresses, false, {}};
}

std::string keeper_text(const KnownKeeper& keeper) {
  return dump_json_indented(Json{{"key", keeper.key_print},
                                 {"hive", keeper.hive_name},
                                 {"addresses", keeper.addresses},
                                 {"asking", keeper.asking},
                                 {"name", keeper.name}});
}

Result<KnownKeeper> parse_keeper(std::string_view text) {
  const Result<Json> json = parse_json(text);
  if (!json) return damaged("its keeper", json.error().message);
  KnownKeeper keeper{text_of(*json, "key"), text_of(*json, "hive"), texts(*json, "addresses"),
                     get_bool(*json, "asking").value_or(false), text_of(*json, "name")};
  if (keeper.key_print.size() != net::key_print_length) return damaged("its keeper", "it names no key.");
  return keeper;
}

std::string token_text(const TokenRecord& token) {
  return dump_json_indented(Json{{"hash", token.secret_hash}, {"expires_unix_ms", token.expires_unix_ms}});
}

Result<TokenRecord> parse_token_record(std::string_view text) {
  const Result<Json> json = parse_json(text);
  if (!json) return damaged("its token", json.error().message);
  const std::optional<std::string> hash = get_string(*json, "hash");
  const std::optional<std::int64_t> expires = get_int(*json, "expires_unix_ms");
  if (!hash || !expires) return damaged("its token", "a field is missing.");
  return TokenRecord{*hash, *expires};
}

}  // namespace rbee::hive
