// HiveWatch: looks at every hive when it is due, and tells what has become of it (hive_presence.h decides).
//
// On one loop; its methods and callbacks are that loop's.
#pragma once

#include "keeper/hive_presence.h"
#include "net/loop.h"
#include "net/sign_of_life.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace rbee::keeper {

class HiveWatch : public std::enable_shared_from_this<HiveWatch> {
 public:
  // A look that comes so much later than it was due: the keeper itself stood still.
  static constexpr Milliseconds own_pause{300};

  struct Events {
    std::function<void(const std::string& hive, HiveState state)> on_state;
    // It is gone: what is asked of it and was silent for so long is given up. Again each so often, until it
    // is back, for what was not silent yet.
    std::function<void(const std::string& hive, Milliseconds silent)> give_up;
  };
  HiveWatch(net::Loop& loop, Milliseconds gone_after, Events events);

  // `life`: where any byte of it is told. Anew where it is watched already.
  void add(const std::string& hive, std::shared_ptr<net::SignOfLife> life);
  void remove(const std::string& hive);
  void reported(const std::string& hive);
  void link_broken(const std::string& hive);
  void refused(const std::string& hive);
  void stop();

 private:
  struct Watched {
    HivePresence presence;
    std::shared_ptr<net::SignOfLife> life = {};
    HiveState told = HiveState::gone;
    std::optional<Instant> give_up_at = {};
  };
  template <class Event>
  void on(const std::string& hive, Event event);
  void look(const std::string& hive, Watched& watched, Instant now);
  void look_at_all();
  void arm(Instant now);

  net::Loop& loop_;
  Milliseconds gone_after_;
  Events events_;
  std::map<std::string, Watched> hives_;
  net::Timer timer_;
  std::optional<Instant> armed_ = {};
};

}  // namespace rbee::keeper
