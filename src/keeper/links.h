// Links: one event stream for each hive that the keeper knows, begun when it is added and ended when it is
// removed. Safe from every thread.
#pragma once

#include "keeper/hive_link.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace rbee::keeper {

class Links {
 public:
  // What comes of a hive, with the name that `connections` knows it by.
  using EventsOf = std::function<HiveLink::Events(const std::string& hive)>;

  Links(net::Loop& loop, std::shared_ptr<HiveConnections> connections, std::shared_ptr<Log> log,
        EventsOf events_of);

  // Begins to follow it, anew where it was followed before: its way may have changed.
  void follow(const std::string& hive);
  void forget(const std::string& hive);
  // No event comes after the loop's next turn.
  void stop();

 private:
  net::Loop& loop_;
  std::shared_ptr<HiveConnections> connections_;
  std::shared_ptr<Log> log_;
  EventsOf events_of_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<HiveLink>> links_;
  bool stopped_ = false;
};

}  // namespace rbee::keeper
