// KeyLimits: how much each API key has used of what it may use in a minute. Pure: the time is given.
//
// A bucket for each key and limit: it holds a minute's worth, fills evenly, and a request takes one. Tokens
// are known when an answer ends, so they are taken then and may leave a debt, which is waited off.
#pragma once

#include "base/clock.h"
#include "keeper/api_keys.h"

#include <map>
#include <optional>
#include <string>

namespace rbee::keeper {

class KeyLimits {
 public:
  enum class Of { requests, tokens };
  struct Wait {
    int seconds = 1;  // at least 1
    Of of = Of::requests;
  };
  // Takes a request of that key. Where it may not: after what time it may.
  [[nodiscard]] std::optional<Wait> take_request(const ApiKey& key, Instant now);
  void spend_tokens(const ApiKey& key, std::uint64_t tokens, Instant now);
  // What keys have used that are there no more.
  void forget_all_but(const ApiKeys& keys);

 private:
  struct Bucket {
    double level = 0;
    Instant filled = {};
    bool used = false;
    void fill(std::uint64_t per_minute, Instant now);
    // Seconds until `wanted` are in it.
    [[nodiscard]] int seconds_to(double wanted, std::uint64_t per_minute) const;
  };
  struct Used {
    Bucket requests;
    Bucket tokens;
  };
  std::map<std::string, Used> used_;
};

}  // namespace rbee::keeper
