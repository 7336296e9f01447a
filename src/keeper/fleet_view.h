// FleetView: what the keeper knows of its hives, each a copy of the hive's last report with its age, and the
// fleet that routing sees made of them. Holds no socket and no lock; its user has one.
#pragma once

#include "base/clock.h"
#include "domain/fleet.h"
#include "domain/hive_state.h"
#include "domain/report.h"
#include "keeper/hive_news.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace rbee::keeper {

struct HiveView {
  std::string name;
  std::string address;
  HiveState state = HiveState::gone;  // draining only by shown_state()
  bool reported = false;              // by this process, not only remembered
  std::string reason = {};            // why it cannot be followed, where it is there
  Instant reported_at = {};
  HiveReport report = {};  // of a hive that is only remembered: its models
  HiveNews news = {};      // newer than the report

  [[nodiscard]] Instant last_seen() const;
  // It can be asked, though it may be slow to answer.
  [[nodiscard]] bool answers() const { return state == HiveState::up || state == HiveState::suspect; }
  [[nodiscard]] HiveState shown_state() const {
    return state == HiveState::up && report.draining ? HiveState::draining : state;
  }
};

// Its machine with the newest figures; what is no figures changes nothing.
[[nodiscard]] Machine machine_now(const HiveView& hive);

class FleetView {
 public:
  // One that was known in an earlier life: its models can be named, and nobody serves them yet.
  void remember(const std::string& hive, const std::string& address, std::vector<ModelFile> models,
                std::vector<std::string> mac_addresses = {});
  void on_report(HiveReport report, const std::string& address, Instant now, HiveNews news = {});
  // Of one that is gone the workers stay as gone, with the reason; its engines do not.
  void on_state(const std::string& hive, HiveState state);
  void on_unfit(const std::string& hive, std::string why);
  void forget(const std::string& hive) { hives_.erase(hive); }

  // In the order of names.
  [[nodiscard]] std::vector<HiveView> hives() const;
  [[nodiscard]] const HiveView* hive(const std::string& name) const;
  [[nodiscard]] Fleet fleet() const;
  // Of the hives that are up, one for each id, in their order.
  [[nodiscard]] std::vector<ModelFile> models() const;

 private:
  [[nodiscard]] FleetWorker as_routing_sees(const WorkerReport& worker, const HiveView& view) const;

  std::map<std::string, HiveView> hives_;
  // What engines took of memory and time when they last ran, by worker and model's id: it says what the next
  // load will take.
  std::map<std::pair<std::string, std::string>, ModelSpeed> measured_;
};

}  // namespace rbee::keeper
