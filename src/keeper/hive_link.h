// HiveLink: follows one hive's event stream for as long as it lives, and dials again when it breaks.
//
// It says what it hears and what breaks; whether the hive is there is hive_presence.h's to judge, by the
// signs of life that each byte leaves. All events are given on the link's loop.
#pragma once

#include "base/log.h"
#include "base/random.h"
#include "domain/report.h"
#include "keeper/hive_connections.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace rbee::keeper {

class HiveLink : public std::enable_shared_from_this<HiveLink> {
 public:
  // Between two tries, each up to half as long again: a thousand hives of one keeper that starts anew, or of
  // one switch that is on again, are not dialled all at once.
  static constexpr Milliseconds first_pause{50};
  static constexpr Milliseconds longest_pause{2'000};

  // `hive` is what `connections` calls it, `name` its own.
  struct Events {
    std::function<void(const std::string& hive, HiveReport)> on_report;
    std::function<void(std::string_view figures)> on_figures;  // as LatestFigures has them
    std::function<void(const std::string& hive)> on_broken;    // its events have ended
    // It is there, and cannot be followed: its version differs, or it belongs to another keeper.
    std::function<void(const std::string& name, const Error& why)> on_unfit;
  };
  struct Settings {
    Milliseconds longest_silence{2'000};  // of its events: then they are asked for anew
    std::string version = {};             // of this keeper; empty: any will do
  };

  // Of the hive that `connections` knows by that name (its own may be another, for the hive of the same
  // home: that is learned by its first report). Safe from every thread, as stop() is.
  [[nodiscard]] static std::shared_ptr<HiveLink> start(net::Loop& loop, std::string hive,
                                                       std::shared_ptr<HiveConnections> connections,
                                                       Random& random, std::shared_ptr<Log> log,
                                                       Settings settings, Events events);
  // No event comes after the loop's next turn.
  void stop();

 private:
  HiveLink(net::Loop& loop, std::string hive, std::shared_ptr<HiveConnections> connections, Random& random,
           std::shared_ptr<Log> log, Settings settings, Events events);
  static net::Task<void> follow(std::shared_ptr<HiveLink> self);
  net::Task<bool> listen_once();
  [[nodiscard]] bool take(std::string_view event, std::string_view data);
  [[nodiscard]] std::string where() const;
  void tell_why(const Error& error);

  net::Loop& loop_;
  std::string hive_;
  std::shared_ptr<HiveConnections> connections_;
  Random& random_;
  std::shared_ptr<Log> log_;
  Settings settings_;
  Events events_;
  std::string name_;                        // by its first report
  net::ClientExchange* current_ = nullptr;  // while its events are read
  bool stopped_ = false;
  std::string told_;  // the last reason that was logged
};

}  // namespace rbee::keeper
