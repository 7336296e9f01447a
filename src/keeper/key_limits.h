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
  // Takes a request of that key. Where it may not: the seconds (at least 1) after which it may.
  [[nodiscard]] std::optional<int> take_request(const ApiKey& key, Instant now);
  void spend_tokens(const ApiKey& key, std::uint64_t tokens, Instant now);
  // Of a key that is there no more.
  void forget(const std::string& name) { used_.erase(name); }

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
