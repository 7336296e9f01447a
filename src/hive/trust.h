// Trust: which keeper a hive belongs to, and by which token another may come in.
//
// Pure: texts in and out, the time is given. A hive belongs to one system: a keeper that is known stays the
// only one until it is forgotten (`rbee hive token --revoke`), or another brings a token made after it.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::hive {

struct KnownKeeper {
  std::string key_print;               // of the key it must prove to have
  std::string hive_name;               // what it calls this hive
  std::vector<std::string> addresses;  // where it may be dialled; may be empty
  bool asking = false;                 // this hive has asked to join and was not answered yet
  std::string name = {};               // as its user typed it, with the port: looked up before it is dialled
};

// What is kept of a token: enough to know it again, not enough to use it.
struct TokenRecord {
  std::string secret_hash;
  std::int64_t expires_unix_ms = 0;  // by this machine's own clock, which is the only one it is read with
};

// Long enough to walk to another machine, short enough to be worthless in a shell's history.
inline constexpr std::int64_t token_life_ms = std::int64_t{60} * 60 * 1000;

[[nodiscard]] TokenRecord record_of(std::string_view secret, std::int64_t now_unix_ms);

// What a keeper says when it comes with a token.
struct PairRequest {
  std::string secret;
  std::string key_print;  // that it proved to have
  std::string hive_name;
  std::vector<std::string> addresses;
};
// The body of POST /pair but for the key: fails with bad_request naming the field.
[[nodiscard]] Result<PairRequest> parse_pair_request(std::string_view json, std::string key_print);

// The keeper that is known from now on; then the token is spent. Fails with not_allowed: no token, another
// one, or one that expired (it says when).
[[nodiscard]] Result<KnownKeeper> admit(const PairRequest& request, const std::optional<TokenRecord>& token,
                                        std::int64_t now_unix_ms);

// keeper.json and token.json in the hive's folder. Reading fails with bad_config.
[[nodiscard]] std::string keeper_text(const KnownKeeper& keeper);
[[nodiscard]] Result<KnownKeeper> parse_keeper(std::string_view text);
[[nodiscard]] std::string token_text(const TokenRecord& token);
[[nodiscard]] Result<TokenRecord> parse_token_record(std::string_view text);

}  // namespace rbee::hive
