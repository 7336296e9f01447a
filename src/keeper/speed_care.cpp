#include "keeper/speed_care.h"

#include <algorithm>
#include <set>

namespace rbee::keeper {
namespace {

std::vector<routing::KnownSpeed> those_in_service(const Placing& placing) {
  std::set<std::pair<std::string, std::string>> there;
  for (const FleetWorker& worker : placing.fleet().workers) {
    for (const ModelFile& file : worker.models) there.emplace(worker.report.name, file.id);
  }
  std::vector<routing::KnownSpeed> speeds = placing.known_speeds();
  std::erase_if(speeds, [&](const routing::KnownSpeed& speed) {
    return speed.from == routing::SpeedFrom::estimate || !there.contains({speed.worker, speed.model_id});
  });
  return speeds;
}

}  // namespace

std::vector<routing::KnownSpeed> SpeedCare::due(Instant now, Placing& placing) {
  if (!last_all_) last_all_ = now;  // hives are yet to report
  if (last_ && now - *last_ < between_writes) return {};
  last_ = now;
  std::vector<routing::KnownSpeed> news = placing.take_speed_news();
  if (now - *last_all_ < between_all) return news;
  last_all_ = now;
  // What is news is among them, but for what is not in service any more.
  std::ranges::move(those_in_service(placing), std::back_inserter(news));
  return news;
}

}  // namespace rbee::keeper
