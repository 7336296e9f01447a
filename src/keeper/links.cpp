#include "keeper/links.h"

#include <algorithm>

namespace rbee::keeper {
namespace {

// A hive speaks twice a second. A rest of a millisecond with two hundred of them hears some at a time.
constexpr std::size_t hives_per_ms = 200;
constexpr std::size_t longest_rest_ms = 5;

}  // namespace

Milliseconds Links::rest_with(std::size_t hives) {
  return Milliseconds{std::min(hives / hives_per_ms, longest_rest_ms)};
}

Links::Links(net::Loop& loop, std::shared_ptr<HiveConnections> connections, Random& random,
             std::shared_ptr<Log> log, Settings settings, EventsOf events_of)
    : loop_(loop),
      connections_(std::move(connections)),
      random_(random),
      log_(std::move(log)),
      settings_(std::move(settings)),
      events_of_(std::move(events_of)) {}

std::shared_ptr<Links> Links::make(net::Loop& loop, std::shared_ptr<HiveConnections> connections,
                                   Random& random, std::shared_ptr<Log> log, Settings settings,
                                   EventsOf events_of) {
  std::shared_ptr<Links> links(new Links(loop, std::move(connections), random, std::move(log),
                                         std::move(settings), std::move(events_of)));
  links->open_watch();
  return links;
}

// A timer belongs to its loop's thread, in its end too.
Links::~Links() {
  loop_.post([watch = std::move(watch_)]() mutable { watch.reset(); });
}

void Links::open_watch() {
  const std::weak_ptr<Links> weak = weak_from_this();
  HiveWatch::Events events{
      .on_state =
          [weak](const std::string& hive, HiveState state) {
            const auto self = weak.lock();
            const auto told = self ? self->events_of(hive) : nullptr;
            if (told) told->on_state(state);
          },
      .give_up = [connections = connections_](const std::string& hive,
                                              Milliseconds silent) { connections->give_up(hive, silent); },
  };
  watch_ = std::make_shared<HiveWatch>(loop_, settings_.gone_after, std::move(events));
  connections_->on_refused = [weak](const std::string& hive) {
    if (const auto self = weak.lock()) self->on_loop([hive](HiveWatch& watch) { watch.refused(hive); });
  };
}

void Links::on_loop(std::function<void(HiveWatch&)> work) {
  loop_.post([watch = watch_, work = std::move(work)] { work(*watch); });
}

std::shared_ptr<const Links::Events> Links::events_of(const std::string& hive) {
  const std::scoped_lock lock(mutex_);
  const auto at = links_.find(hive);
  return at == links_.end() ? nullptr : at->second.events;
}

HiveLink::Events Links::link_events(const std::shared_ptr<const Events>& events) const {
  const std::shared_ptr<HiveWatch> watch = watch_;
  return {
      .on_report =
          [events, watch](const std::string& hive, HiveReport report) {
            events->on_report(std::move(report));
            watch->reported(hive);
          },
      .on_figures = events->on_figures,
      .on_broken = [watch](const std::string& hive) { watch->link_broken(hive); },
      .on_unfit = events->on_unfit,
  };
}

void Links::follow(const std::string& hive) {
  const std::scoped_lock lock(mutex_);
  if (stopped_) return;
  Followed& followed = links_[hive];
  if (followed.link) followed.link->stop();
  followed.events = std::make_shared<const Events>(events_of_(hive));
  on_loop([hive, life = connections_->way(hive).life](HiveWatch& watch) { watch.add(hive, life); });
  HiveLink::Settings settings{.longest_silence = settings_.gone_after, .version = settings_.version};
  followed.link = HiveLink::start(loop_, hive, connections_, random_, log_, std::move(settings),
                                  link_events(followed.events));
  loop_.rest_between_rounds(rest_with(links_.size()));
}

void Links::forget(const std::string& hive) {
  const std::scoped_lock lock(mutex_);
  const auto found = links_.find(hive);
  if (found == links_.end()) return;
  found->second.link->stop();
  links_.erase(found);
  loop_.rest_between_rounds(rest_with(links_.size()));
  on_loop([hive](HiveWatch& watch) { watch.remove(hive); });
}

void Links::stop() {
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
  for (const auto& [hive, followed] : links_) followed.link->stop();
  links_.clear();
  on_loop([](HiveWatch& watch) { watch.stop(); });
}

}  // namespace rbee::keeper
