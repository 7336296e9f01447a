// ApiKeys: who may use this keeper from elsewhere, and for what. Texts in and out, but for read_keys().
//
// A key is shown once, when it is made; what is kept of it is its SHA-256 (it has 256 random bits, so nothing
// slower is needed), and it is compared in a time that tells nothing.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::keeper {

struct ApiKey {
  std::string name;
  std::string hash;
  std::int64_t made_unix_ms = 0;
  std::uint64_t requests_per_minute = 0;  // 0: no limit
  std::uint64_t tokens_per_minute = 0;    // of prompts and answers together; 0: no limit
  std::vector<std::string> models = {};   // names it may ask for, "*" as in rules; empty: all
  bool admin = false;                     // may use /api/v1 from elsewhere
};

// In the keeper's folder.
inline constexpr std::string_view keys_file = "keys.json";

class ApiKeys {
 public:
  // More than a household or a lab has people; each request is compared with all of them.
  static constexpr std::size_t most_keys = 1000;

  // Fails with name_taken, bad_usage (a name that is none) or not_allowed (there are most_keys).
  [[nodiscard]] Result<void> add(ApiKey key);
  // Fails with unknown_name and the nearest one.
  [[nodiscard]] Result<void> remove(std::string_view name);
  [[nodiscard]] const std::vector<ApiKey>& all() const { return keys_; }
  [[nodiscard]] bool empty() const { return keys_.empty(); }
  // Whose it is; nullptr: nobody's.
  [[nodiscard]] const ApiKey* find(std::string_view secret) const;

  // keys.json in the keeper's folder. Fails with bad_config and what is wrong.
  [[nodiscard]] static Result<ApiKeys> parse(std::string_view text);
  [[nodiscard]] std::string text() const;

 private:
  std::vector<ApiKey> keys_;
};

// None where there is no such file. Fails as parse() and read_file(). Blocks.
[[nodiscard]] Result<ApiKeys> read_keys(const std::filesystem::path& file);

// "rbee-" and 43 characters.
[[nodiscard]] std::string new_api_key();

[[nodiscard]] bool may_use(const ApiKey& key, std::string_view model);

// What a request's head says: "Authorization: Bearer K", "x-api-key: K" (Anthropic's clients), or nothing.
[[nodiscard]] std::string_view presented_key(std::string_view authorization, std::string_view x_api_key);

}  // namespace rbee::keeper
