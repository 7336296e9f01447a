// FleetView: what the keeper knows of its hives, each a copy of the hive's last report with its age, and the
// fleet that routing sees made of them. Holds no socket and no lock; its user has one.
#pragma once

#include "base/clock.h"
#include "domain/fleet.h"
#include "domain/report.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace rbee::keeper {

struct HiveView {
  std::string name;
  std::string address;
  bool up = false;
  bool reported = false;  // by this process, not only remembered
  Instant last_seen = {};
  HiveReport report = {};  // of a hive that is only remembered: its models
};

class FleetView {
 public:
  // One that was known in an earlier life: its models can be named, and nobody serves them yet.
  void remember(const std::string& hive, const std::string& address, std::vector<ModelFile> models);
  void on_report(HiveReport report, const std::string& address, Instant now);
  void on_figures(const std::string& hive, const Json& figures);
  void on_seen(const std::string& hive, Instant now);
  // Its workers stay as gone, with the reason; its engines do not.
  void on_gone(const std::string& hive);

  // In the order of names.
  [[nodiscard]] std::vector<HiveView> hives() const;
  [[nodiscard]] const HiveView* hive(const std::string& name) const;
  [[nodiscard]] Fleet fleet() const;
  // Of the hives that are up, one for each id, in their order.
  [[nodiscard]] std::vector<ModelFile> models() const;

 private:
  [[nodiscard]] FleetWorker as_routing_sees(const WorkerReport& worker, const HiveReport& report) const;

  std::map<std::string, HiveView> hives_;
  // What engines took of memory and time when they last ran, by worker and model's id: it says what the next
  // load will take.
  std::map<std::pair<std::string, std::string>, ModelSpeed> measured_;
};

}  // namespace rbee::keeper
