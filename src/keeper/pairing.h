// pair(): makes a keeper and a hive known to each other by a token.
//
// The hive's key is compared with the token's before anything secret is sent; then the secret is, over that
// connection; then each end knows the other's key, and the secret is spent.
#pragma once

#include "domain/hive_token.h"
#include "net/client.h"

#include <string>
#include <vector>

namespace rbee::keeper {

struct PairWith {
  std::string name;  // what the hive is called from now on
  net::Endpoint hive;
  HiveToken token;
  std::string version;                 // of this keeper
  std::vector<std::string> addresses;  // where the hive may dial this keeper; may be empty
};

// Nothing of it lasts longer: a machine that swallows packets must not hold up who types.
inline constexpr Milliseconds pair_within{10'000};

// The print of the hive's key, to be pinned. Fails with unreachable (nobody there, or not a hive), wrong_key,
// timed_out, not_allowed (the hive's own words about the token) or unsupported (versions).
net::Task<Result<std::string>> pair(net::Loop& loop, std::shared_ptr<const net::TlsContext> own,
                                    PairWith with);

// Versions speak with each other when their first two numbers are equal. Fails with unsupported, naming both.
[[nodiscard]] Result<void> check_versions(std::string_view keeper, std::string_view hive_name,
                                          std::string_view hive);

}  // namespace rbee::keeper
