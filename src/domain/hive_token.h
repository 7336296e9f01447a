// HiveToken: what `rbee hive token` prints and `rbee hive add --token` takes. One string, typed or pasted
// once, that lets a keeper know the hive (its key) and the hive know the keeper (a secret that serves once).
#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace rbee {

struct HiveToken {
  std::string secret;     // 22 characters: 128 bits
  std::string key_print;  // of the hive's key, 43 characters
};

// "rbee-hive-SECRET.PRINT".
[[nodiscard]] std::string format_token(const HiveToken& token);
// Spaces and line ends around it are those of a paste. Fails with bad_request saying what is wrong with it:
// that it is no token, or that it was cut.
[[nodiscard]] Result<HiveToken> parse_token(std::string_view text);

}  // namespace rbee
