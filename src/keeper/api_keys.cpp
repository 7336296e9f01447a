#include "keeper/api_keys.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "net/tls.h"
#include "routing/policy.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr std::string_view prefix = "rbee-";
constexpr std::size_t secret_bytes = 32;
constexpr std::size_t longest_name = 64;
// A thousand keys have some 300 kB.
constexpr std::size_t largest_keys_bytes = 4u << 20;
constexpr std::string_view bearer = "bearer ";

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= longest_name && std::ranges::all_of(name, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') ||
           std::string_view("-._@").find(letter) != std::string_view::npos;
  });
}

Json to_json(const ApiKey& key) {
  return {{"name", key.name},
          {"hash", key.hash},
          {"made_unix_ms", key.made_unix_ms},
          {"requests_per_minute", key.requests_per_minute},
          {"tokens_per_minute", key.tokens_per_minute},
          {"models", key.models},
          {"admin", key.admin}};
}

std::uint64_t limit_of(const Json& json, std::string_view field) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(get_int(json, field).value_or(0), 0));
}

Result<ApiKey> from_json(const Json& json) {
  ApiKey key;
  key.name = text_of(json, "name");
  key.hash = text_of(json, "hash");
  if (!is_name(key.name) || key.hash.size() != net::key_print_length)
    return Error{ErrorCode::bad_config, "The file of API keys has an entry without a name or a hash.",
                 "Move keys.json away and make the keys anew with `rbee key add NAME`."};
  key.made_unix_ms = get_int(json, "made_unix_ms").value_or(0);
  key.requests_per_minute = limit_of(json, "requests_per_minute");
  key.tokens_per_minute = limit_of(json, "tokens_per_minute");
  for (const Json& model : get_array(json, "models")) {
    if (model.is_string()) key.models.push_back(model.get<std::string>());
  }
  key.admin = get_bool(json, "admin").value_or(false);
  return key;
}

}  // namespace

Result<void> ApiKeys::add(ApiKey key) {
  if (!is_name(key.name)) {
    return Error{ErrorCode::bad_usage, cat("'", key.name, "' is no name for a key."),
                 cat("Use up to ", longest_name, " letters, digits and '-', '.', '_', '@'.")};
  }
  if (keys_.size() >= most_keys)
    return Error{ErrorCode::not_allowed, cat("There are ", most_keys, " keys already."),
                 "`rbee key remove NAME` makes room."};
  const bool taken = std::ranges::find(keys_, key.name, &ApiKey::name) != keys_.end();
  if (taken) return Error{ErrorCode::name_taken, cat("There is a key '", key.name, "' already.")};
  keys_.push_back(std::move(key));
  return {};
}

Result<void> ApiKeys::remove(std::string_view name) {
  const auto found = std::ranges::find(keys_, name, &ApiKey::name);
  if (found != keys_.end()) {
    keys_.erase(found);
    return {};
  }
  std::vector<std::string> names;
  for (const ApiKey& key : keys_) names.push_back(key.name);
  return Error{ErrorCode::unknown_name, cat("There is no key '", name, "'."), did_you_mean(name, names)};
}

const ApiKey* ApiKeys::find(std::string_view secret) const {
  if (!secret.starts_with(prefix)) return nullptr;
  const std::string hash = net::secret_hash(secret);
  const ApiKey* found = nullptr;
  // All are looked at, whichever it is.
  for (const ApiKey& key : keys_) {
    if (net::equal_secrets(key.hash, hash)) found = &key;
  }
  return found;
}

Result<ApiKeys> ApiKeys::parse(std::string_view text) {
  const Result<Json> json = parse_json(text);
  if (!json) {
    return Error{ErrorCode::bad_config, cat("The file of API keys cannot be read: ", json.error().message),
                 "Move keys.json away and make the keys anew with `rbee key add NAME`."};
  }
  ApiKeys keys;
  for (const Json& one : get_array(*json, "keys")) {
    Result<ApiKey> key = from_json(one);
    if (!key) return key.error();
    if (Result<void> added = keys.add(std::move(*key)); !added) return added.error();
  }
  return keys;
}

std::string ApiKeys::text() const {
  Json keys = Json::array();
  for (const ApiKey& key : keys_) keys.push_back(to_json(key));
  return dump_json_indented(Json{{"keys", std::move(keys)}});
}

Result<ApiKeys> read_keys(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return ApiKeys();
  const Result<std::string> text = read_file(file, largest_keys_bytes);
  if (!text) return text.error();
  return ApiKeys::parse(*text);
}

std::string new_api_key() { return cat(prefix, net::new_secret(secret_bytes)); }

bool may_use(const ApiKey& key, std::string_view model) {
  return key.models.empty() || std::ranges::any_of(key.models, [&](const std::string& pattern) {
           return routing::matches_pattern(pattern, model);
         });
}

std::string_view presented_key(std::string_view authorization, std::string_view x_api_key) {
  if (!x_api_key.empty()) return trim(x_api_key);
  if (authorization.size() <= bearer.size() ||
      !equal_ignoring_case(authorization.substr(0, bearer.size()), bearer))
    return {};
  return trim(authorization.substr(bearer.size()));
}

}  // namespace rbee::keeper
