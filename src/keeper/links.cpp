#include "keeper/links.h"

namespace rbee::keeper {

Links::Links(net::Loop& loop, std::shared_ptr<HiveConnections> connections, std::shared_ptr<Log> log,
             EventsOf events_of)
    : loop_(loop),
      connections_(std::move(connections)),
      log_(std::move(log)),
      events_of_(std::move(events_of)) {}

void Links::follow(const std::string& hive) {
  const std::scoped_lock lock(mutex_);
  if (stopped_) return;
  std::shared_ptr<HiveLink>& link = links_[hive];
  if (link) link->stop();
  link = HiveLink::start(loop_, hive, connections_, log_, events_of_(hive));
}

void Links::forget(const std::string& hive) {
  const std::scoped_lock lock(mutex_);
  const auto found = links_.find(hive);
  if (found == links_.end()) return;
  found->second->stop();
  links_.erase(found);
}

void Links::stop() {
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
  for (const auto& [hive, link] : links_) link->stop();
  links_.clear();
}

}  // namespace rbee::keeper
