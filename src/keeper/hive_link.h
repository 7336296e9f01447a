// HiveLink: follows one hive's event stream for as long as it lives, and dials again when it breaks.
//
// Any byte is a sign of life; a hive that is silent for 2 s is gone until it reports again. All events are
// given on the link's loop.
#pragma once

#include "base/log.h"
#include "domain/report.h"
#include "net/client.h"

#include <functional>
#include <memory>
#include <string>

namespace rbee::keeper {

class HiveLink : public std::enable_shared_from_this<HiveLink> {
 public:
  // A hive sends a heartbeat twice a second.
  static constexpr Milliseconds longest_silence{2'000};
  static constexpr Milliseconds first_pause{50};
  static constexpr Milliseconds longest_pause{1'000};

  struct Events {
    std::function<void(HiveReport)> on_report;
    // What changes of its machine from second to second (domain/machine_figures.h).
    std::function<void(const std::string& hive, const Json& figures)> on_figures;
    std::function<void(const std::string& hive)> on_seen;
    std::function<void(const std::string& hive)> on_gone;
  };

  // Safe from every thread, as stop() is.
  [[nodiscard]] static std::shared_ptr<HiveLink> start(net::Loop& loop, net::Endpoint hive,
                                                       std::shared_ptr<Log> log, Events events);
  // No event comes after the loop's next turn.
  void stop();

 private:
  HiveLink(net::Loop& loop, net::Endpoint hive, std::shared_ptr<Log> log, Events events);
  static net::Task<void> follow(std::shared_ptr<HiveLink> self);
  net::Task<bool> listen_once();
  void take_figures(std::string_view data);
  [[nodiscard]] bool take(std::string_view event, std::string_view data);

  net::Loop& loop_;
  net::Endpoint hive_;
  std::shared_ptr<Log> log_;
  Events events_;
  std::string name_;                        // by its first report
  net::ClientExchange* current_ = nullptr;  // while its events are read
  bool stopped_ = false;
};

}  // namespace rbee::keeper
