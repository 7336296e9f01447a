// Asking: hives that want to be let in and were not answered yet. Nothing of it is kept over a restart: a
// hive that still wants to asks again. Safe from every thread.
#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace rbee::keeper {

struct AskingHive {
  std::string name;
  std::string key_print;  // that it proved to have
  std::string version = {};
  std::vector<std::string> addresses = {};  // where it says that it listens
  Instant last_asked = {};
};

class Asking {
 public:
  // Anybody may ask: more than these at once are not a household's machines.
  static constexpr std::size_t most = 64;
  static constexpr std::size_t most_refused = 256;
  // A hive asks every few seconds while it runs.
  static constexpr Milliseconds forgotten_after{10 * 60'000};

  // Fails with name_taken (another one asks under it), not_allowed (it was told no) or queue_full.
  [[nodiscard]] Result<void> ask(AskingHive hive);
  [[nodiscard]] std::vector<AskingHive> all(Instant now) const;
  // No longer asking: it was let in.
  [[nodiscard]] std::optional<AskingHive> take(const std::string& name);
  // Told no, now and when it asks again. False: nobody of that name asks.
  bool refuse(const std::string& name);
  // Its user types `hive join` again.
  void forgive(const std::string& key_print);

 private:
  mutable std::mutex mutex_;
  std::vector<AskingHive> hives_;
  std::deque<std::string> refused_;  // their keys
};

}  // namespace rbee::keeper
