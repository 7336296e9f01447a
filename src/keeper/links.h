// Links: one event stream for each hive that the keeper knows, begun when it is added and ended when it is
// removed, and a watch on whether each is there. Safe from every thread; events come on the loop.
#pragma once

#include "keeper/hive_link.h"
#include "keeper/hive_watch.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace rbee::keeper {

class Links : public std::enable_shared_from_this<Links> {
 public:
  // What comes of one hive.
  struct Events {
    std::function<void(HiveReport)> on_report;
    std::function<void(std::string_view figures)> on_figures;
    std::function<void(HiveState)> on_state;
    std::function<void(const std::string& name, const Error& why)> on_unfit;
  };
  // With the name that `connections` knows it by.
  using EventsOf = std::function<Events(const std::string& hive)>;
  struct Settings {
    Milliseconds gone_after = HivePresence::usual_gone_after;
    std::string version = {};  // of this keeper
  };

  static std::shared_ptr<Links> make(net::Loop& loop, std::shared_ptr<HiveConnections> connections,
                                     Random& random, std::shared_ptr<Log> log, Settings settings,
                                     EventsOf events_of);

  ~Links();
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  // Begins to follow it, anew where it was followed before: its way may have changed.
  void follow(const std::string& hive);
  void forget(const std::string& hive);
  // No event comes after the loop's next turn.
  void stop();

  // Where there are thousands of hives their words are heard in rounds, so far apart: a heartbeat has half a
  // second, and news of a hive is late by that at most. Of few, each is heard as it comes.
  [[nodiscard]] static Milliseconds rest_with(std::size_t hives);

 private:
  struct Followed {
    std::shared_ptr<HiveLink> link;
    std::shared_ptr<const Events> events;
  };
  Links(net::Loop& loop, std::shared_ptr<HiveConnections> connections, Random& random,
        std::shared_ptr<Log> log, Settings settings, EventsOf events_of);
  void open_watch();
  void on_loop(std::function<void(HiveWatch&)> work);
  [[nodiscard]] std::shared_ptr<const Events> events_of(const std::string& hive);
  [[nodiscard]] HiveLink::Events link_events(const std::shared_ptr<const Events>& events) const;

  net::Loop& loop_;
  std::shared_ptr<HiveConnections> connections_;
  Random& random_;
  std::shared_ptr<Log> log_;
  Settings settings_;
  EventsOf events_of_;
  std::shared_ptr<HiveWatch> watch_;
  std::mutex mutex_;
  std::map<std::string, Followed> links_;
  bool stopped_ = false;
};

}  // namespace rbee::keeper
