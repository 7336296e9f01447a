// EventHub: tells any number of subscribers what is new, each over its own HTTP answer. On one loop.
//
// A subscriber gets the newest event at once and then each that follows; one that reads slowly skips those
// that were overtaken meanwhile, for each event is whole in itself.
#pragma once

#include "net/server.h"

#include <memory>
#include <string>
#include <vector>

namespace rbee::hive {

class EventHub {
 public:
  // A keeper takes a hive that is silent for 1 s for suspect, for 2 s for gone: twice a second, and a little
  // more often, so that one which stalls for 1.5 s right before its heartbeat is silent for 1.9 and no
  // longer.
  static constexpr Milliseconds heartbeat_every{400};

  // Takes the place of the last one. `event`: as net::format_sse() writes it.
  void publish(std::string event);
  // What has become of a part of it since: told after it, each in place of the one before.
  void publish_change(std::string event);
  // Ends all subscriptions; those that come later end at once.
  void close();
  // Answers one request until its client goes away or the hub is closed.
  static net::Task<void> serve(std::shared_ptr<EventHub> hub, net::Exchange& exchange);

 private:
  struct Subscriber {
    explicit Subscriber(net::Loop& loop) : news(loop) {}
    net::Signal news;
    bool left = false;
  };
  std::shared_ptr<const std::string> newest_ = std::make_shared<const std::string>();
  std::shared_ptr<const std::string> change_ = std::make_shared<const std::string>();
  void notify_all();
  std::vector<std::weak_ptr<Subscriber>> subscribers_;
  bool closed_ = false;
};

}  // namespace rbee::hive
