#include "keeper/placing.h"

#include "domain/model_name.h"

#include <boost/container/small_vector.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <unordered_map>

namespace rbee::keeper {
namespace {

// For each ms that copying the fleet takes, ms until the next copy: a thousand hives that report together
// cost a tenth of a core at most. A copy of ten workers takes microseconds, and nothing waits.
constexpr int rest_per_copy = 10;

// The scheduler has limits of its own for every wait; this one only keeps a bug from lasting for ever.
constexpr Milliseconds longest_wait = std::chrono::hours(2);
// As many as the scheduler remembers the placements of.
constexpr std::size_t names_kept = 1000;

}  // namespace

struct Placing::Mailbox {
  explicit Mailbox(net::Loop& on) : loop(on) {}
  net::Loop& loop;
  std::optional<net::Signal> signal = {};  // of who waits: most are decided before anybody does
  std::unique_ptr<Decision> decision = {};
  bool left = false;

  void put(Decision what) {
    decision = std::make_unique<Decision>(std::move(what));
    if (signal) signal->notify();
  }
};

Placing::Placing(const Clock& clock, std::unique_ptr<routing::Scheduler> scheduler, Effects effects,
                 std::shared_ptr<const ModelBook> models)
    : clock_(clock),
      effects_(std::move(effects)),
      models_(std::move(models)),
      scheduler_(std::move(scheduler)) {}

Fleet Placing::fleet_now() const {
  Fleet fleet = view_.fleet();
  std::unordered_map<std::string_view, const FleetWorker*> workers;
  for (const FleetWorker& worker : fleet.workers) workers.emplace(worker.report.name, &worker);
  for (FleetEngine& engine : fleet.engines) {
    const auto worker = workers.find(engine.worker);
    if (worker == workers.end()) continue;
    const std::vector<ModelFile>& models = worker->second->models;
    const auto file = std::ranges::find(models, engine.model_id, &ModelFile::id);
    engine.pinned = file != models.end() && !models_->of(*file).keep_alive;
  }
  return fleet;
}

// `own`: the mailbox whose loop this is. Its decision needs no post.
template <class Event>
void Placing::tell(const Mailbox* own, Event event) {
  routing::Actions actions;
  // As a rule the one who asked has an answer, and nobody else.
  boost::container::small_vector<std::pair<std::shared_ptr<Mailbox>, Decision>, 1> mail;
  {
    const std::scoped_lock lock(mutex_);
    actions = event(*scheduler_, clock_.now());
    if (stopped_) return;
    const auto address = [&](std::uint64_t request, Decision decision) {
      const auto at = mailboxes_.find(request);
      if (at == mailboxes_.end()) return;
      if (std::shared_ptr<Mailbox> mailbox = at->second.lock())
        mail.emplace_back(std::move(mailbox), std::move(decision));
    };
    for (routing::Action& action : actions) {
      if (auto* send = std::get_if<routing::Send>(&action))
        address(send->request, std::move(*send));
      else if (auto* refuse = std::get_if<routing::Refuse>(&action))
        address(refuse->request, std::move(*refuse));
    }
  }
  for (auto& [mailbox, decision] : mail) {
    if (mailbox.get() == own) {
      mailbox->put(std::move(decision));
      continue;
    }
    net::Loop& loop = mailbox->loop;
    // Moved, so that the last owner is on the mailbox's loop.
    loop.post([to = std::move(mailbox), what = std::move(decision)] { to->put(what); });
  }
  for (const routing::Action& action : actions) {
    if (const auto* load = std::get_if<routing::Load>(&action))
      effects_.load(*load);
    else if (const auto* unload = std::get_if<routing::Unload>(&action))
      effects_.unload(*unload);
    else if (const auto* wake = std::get_if<routing::WakeAt>(&action))
      effects_.wake_at(wake->time);
  }
}

void Placing::remember(const std::string& hive, const std::string& address, std::vector<ModelFile> models,
                       std::vector<std::string> mac_addresses) {
  const std::scoped_lock lock(mutex_);
  view_.remember(hive, address, std::move(models), std::move(mac_addresses));
}

routing::Actions Placing::tell_fleet(routing::Scheduler& scheduler, Instant now) {
  fleet_stale_ = now < fleet_due_;
  if (fleet_stale_) return {routing::WakeAt{fleet_due_}};
  const std::int64_t begun_us = clock_.now_us();
  routing::Actions actions = scheduler.on_fleet(now, fleet_now());
  keep_fleet();
  const Milliseconds took{(clock_.now_us() - begun_us) / 1000};
  fleet_due_ = now + took * rest_per_copy;
  return actions;
}

void Placing::on_report(HiveReport report, const std::string& address, HiveNews news) {
  tell(nullptr, [&](routing::Scheduler& scheduler, Instant now) {
    view_.on_report(std::move(report), address, now, std::move(news));
    return tell_fleet(scheduler, now);
  });
}

void Placing::on_unfit(const std::string& hive, std::string why) {
  const std::scoped_lock lock(mutex_);
  view_.on_unfit(hive, std::move(why));
}

void Placing::on_state(const std::string& hive, HiveState state) {
  tell(nullptr, [&](routing::Scheduler& scheduler, Instant now) {
    view_.on_state(hive, state);
    return tell_fleet(scheduler, now);
  });
}

void Placing::forget(const std::string& hive) {
  tell(nullptr, [&](routing::Scheduler& scheduler, Instant now) {
    view_.forget(hive);
    return tell_fleet(scheduler, now);
  });
}

void Placing::on_load_refused(const std::string& worker, const std::string& model_id, Error error) {
  tell(nullptr, [&](routing::Scheduler& scheduler, Instant now) {
    return scheduler.on_load_refused(now, worker, model_id, std::move(error));
  });
}

void Placing::on_timer() {
  tell(nullptr, [this](routing::Scheduler& scheduler, Instant now) {
    routing::Actions actions = scheduler.on_timer(now);
    if (!fleet_stale_) return actions;
    routing::Actions more = tell_fleet(scheduler, now);
    std::ranges::move(more, std::back_inserter(actions));
    return actions;
  });
}

void Placing::measured(const std::string& worker, const std::string& model_id,
                       const routing::MeasuredSpeed& measured) {
  tell(nullptr, [&](routing::Scheduler& scheduler, Instant now) {
    return scheduler.on_measured(now, worker, model_id, measured);
  });
}

void Placing::recall(const std::vector<routing::KnownSpeed>& speeds) {
  const std::scoped_lock lock(mutex_);
  scheduler_->recall(speeds);
}

std::vector<routing::KnownSpeed> Placing::take_speed_news() {
  const std::scoped_lock lock(mutex_);
  return scheduler_->take_speed_news();
}

std::vector<routing::KnownSpeed> Placing::known_speeds() const {
  const std::scoped_lock lock(mutex_);
  return scheduler_->known_speeds();
}

std::vector<std::pair<std::string, routing::RecentRequest>> Placing::recent() const {
  std::vector<routing::RecentRequest> requests;
  std::map<std::uint64_t, std::string> names;
  {
    const std::scoped_lock lock(mutex_);
    requests = scheduler_->recent();
    for (const auto& [name, id] : names_) names.emplace(id, name);
  }
  std::vector<std::pair<std::string, routing::RecentRequest>> all;
  for (routing::RecentRequest& one : requests) all.emplace_back(names[one.request], std::move(one));
  return all;
}

void Placing::on_settings(routing::RouterSettings settings) {
  tell(nullptr, [&](routing::Scheduler& scheduler, Instant now) {
    return scheduler.on_settings(now, std::move(settings));
  });
}

void Placing::set_script(std::shared_ptr<const routing::ScriptPolicy> script) {
  const std::scoped_lock lock(mutex_);
  script_ = std::move(script);
  has_script_ = script_ != nullptr;
  keep_fleet();
}

void Placing::keep_fleet() {
  if (script_) told_fleet_ = std::make_shared<Fleet>(scheduler_->fleet());
}

ScriptWord Placing::ask_script(const Request& request) {
  if (!has_script_.load(std::memory_order_relaxed)) return {};
  std::shared_ptr<const routing::ScriptPolicy> script;
  std::shared_ptr<const Fleet> fleet;
  std::vector<routing::EngineNow> engines;
  {
    const std::scoped_lock lock(mutex_);
    if (!script_) return {};
    script = script_;
    fleet = told_fleet_;
    engines = scheduler_->engines_now();
  }
  ScriptWord word = script->ask(request, fleet, engines);
  if (!word.failure.empty()) effects_.script_failed(word.failure);
  return word;
}

routing::Explanation Placing::explain(const Request& asked) {
  Request request = asked;
  request.script = ask_script(request);
  const std::scoped_lock lock(mutex_);
  return scheduler_->explain(clock_.now(), request);
}

std::optional<routing::Explanation> Placing::explain_past(const std::string& name) const {
  std::optional<routing::Seen> seen;
  {
    const std::scoped_lock lock(mutex_);
    const auto at = std::ranges::find(names_, name, &std::pair<std::string, std::uint64_t>::first);
    if (at != names_.end()) seen = scheduler_->seen(at->second);
  }
  // Words of a thousand workers take a while: nobody waits for them.
  if (!seen) return std::nullopt;
  return routing::explain_past(*seen);
}

Snapshot Placing::snapshot() const {
  const std::scoped_lock lock(mutex_);
  return {view_.hives(),
          scheduler_->fleet(),
          view_.models(),
          scheduler_->running(),
          scheduler_->waiting(),
          scheduler_->waiting_by_model(),
          scheduler_->known_speeds()};
}

bool Placing::is_up(const std::string& hive) const {
  const std::scoped_lock lock(mutex_);
  const HiveView* view = view_.hive(hive);
  return view != nullptr && view->reported && view->state == HiveState::up;
}

void Placing::look_at_fleet(const std::function<void(const Fleet&)>& look) const {
  const std::scoped_lock lock(mutex_);
  look(scheduler_->fleet());
}

Fleet Placing::fleet() const {
  const std::scoped_lock lock(mutex_);
  return scheduler_->fleet();
}

std::vector<ModelFile> Placing::models() const {
  const std::scoped_lock lock(mutex_);
  return view_.models();
}

std::optional<WorkerReport> Placing::worker(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  for (const FleetWorker& known : scheduler_->fleet().workers) {
    if (known.report.name == name) return known.report;
  }
  return std::nullopt;
}

std::size_t Placing::live_on(const std::string& name, std::size_t own) const {
  const std::scoped_lock lock(mutex_);
  const Fleet& fleet = scheduler_->fleet();
  const auto named = [](const std::string& wanted) {
    return [&wanted](const FleetWorker& one) { return one.report.name == wanted; };
  };
  const auto worker = std::ranges::find_if(fleet.workers, named(name));
  if (worker == fleet.workers.end()) return 0;
  const auto on_processor = [](const FleetWorker& one) {
    return one.kind == DeviceKind::cpu || one.kind == DeviceKind::software;
  };
  std::size_t live = 0;
  for (const FleetEngine& engine : fleet.engines) {
    if (engine.hive != worker->report.hive || engine.busy == 0) continue;
    const auto its = std::ranges::find_if(fleet.workers, named(engine.worker));
    if (its == fleet.workers.end()) continue;
    const bool shared =
        its->report.device_id == worker->report.device_id || (on_processor(*its) && on_processor(*worker));
    if (shared) live += static_cast<std::size_t>(engine.busy);
  }
  for (const auto& [model, count] : scheduler_->waiting_by_model()) {
    const bool here =
        std::ranges::any_of(worker->models, [&](const ModelFile& file) { return answers_to(file, model); });
    if (here) live += count;
  }
  return live - std::min(live, own);
}

void Placing::watch_live(const std::shared_ptr<const std::function<void()>>& came) {
  const std::scoped_lock lock(mutex_);
  watches_.emplace_back(came);
  watched_ = true;
}

void Placing::live_came() {
  if (!watched_.load(std::memory_order_relaxed)) return;
  std::vector<std::shared_ptr<const std::function<void()>>> told;
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(watches_, [](const auto& watch) { return watch.expired(); });
    watched_ = !watches_.empty();
    for (const auto& watch : watches_) told.push_back(watch.lock());
  }
  for (const auto& came : told) {
    if (came) (*came)();
  }
}

void Placing::stop() {
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
}

// With the mutex held.
std::uint64_t Placing::open(const std::shared_ptr<Mailbox>& mailbox, const std::string& name) {
  if (names_.size() >= names_kept) names_.pop_front();
  names_.emplace_back(name, last_id_ + 1);
  mailboxes_.emplace(++last_id_, mailbox);
  return last_id_;
}

Placing::Second::Second(std::shared_ptr<Placing> placing, routing::Send send)
    : placing_(std::move(placing)), send_(std::move(send)), id_(send_.request) {}

Placing::Second::~Second() {
  if (!placing_) return;
  placing_->tell(nullptr, [id = id_](routing::Scheduler& scheduler, Instant now) {
    return scheduler.on_cancel(now, id);
  });
}

Placing::Ticket::Ticket(std::shared_ptr<Placing> placing, net::Loop& loop)
    : placing_(std::move(placing)),
      mailbox_(std::allocate_shared<Mailbox>(net::RoomAllocator<Mailbox>(), loop)) {}

Placing::Ticket::~Ticket() {
  if (!open_) return;
  placing_->tell(nullptr, [this](routing::Scheduler& scheduler, Instant now) {
    placing_->mailboxes_.erase(id_);
    return ended_ ? routing::Actions{} : scheduler.on_cancel(now, id_);
  });
}

void Placing::Ticket::ask(Request request, const std::string& name) {
  asked_us_ = placing_->clock_.now_us();
  request.script = placing_->ask_script(request);
  const bool live = request.key != benchmark_key;
  placing_->tell(mailbox_.get(), [&](routing::Scheduler& scheduler, Instant now) {
    if (open_) placing_->mailboxes_.erase(id_);
    id_ = placing_->open(mailbox_, name);
    open_ = true;
    ended_ = false;
    request.id = id_;
    return scheduler.on_request(now, std::move(request));
  });
  if (live) placing_->live_came();
}

bool Placing::Ticket::is_decided() const { return mailbox_->decision != nullptr || mailbox_->left; }

net::Task<void> Placing::Ticket::until_decided() {
  const std::shared_ptr<Mailbox> mailbox = mailbox_;
  while (!mailbox->decision && !mailbox->left) {
    if (!mailbox->signal) mailbox->signal.emplace(mailbox->loop);
    const bool announced = co_await mailbox->signal->wait(longest_wait);
    static_cast<void>(announced);
  }
}

std::unique_ptr<Decision> Placing::Ticket::take() {
  if (mailbox_->left) return nullptr;
  if (std::holds_alternative<routing::Refuse>(*mailbox_->decision)) ended_ = true;
  return std::move(mailbox_->decision);
}

net::Task<std::optional<Decision>> Placing::Ticket::wait() {
  if (!is_decided()) {
    net::Task<void> waiting = until_decided();
    co_await waiting;
  }
  const std::unique_ptr<Decision> decided = take();
  co_return decided ? std::optional<Decision>(std::move(*decided)) : std::nullopt;
}

void Placing::Ticket::give_back(routing::Returned why) {
  placing_->tell(mailbox_.get(), [id = id_, why](routing::Scheduler& scheduler, Instant now) {
    return scheduler.on_returned(now, id, why);
  });
}

void Placing::Ticket::answered() {
  placing_->tell(nullptr, [id = id_, after_s = seconds()](routing::Scheduler& scheduler, Instant now) {
    scheduler.on_first_token(now, id, after_s);
    return routing::Actions{};
  });
}

void Placing::Ticket::done(routing::Spent spent) {
  if (std::exchange(ended_, true)) return;
  spent.seconds = seconds();
  open_ = false;
  placing_->tell(nullptr, [this, &spent](routing::Scheduler& scheduler, Instant now) {
    placing_->mailboxes_.erase(id_);
    return scheduler.on_done(now, id_, spent);
  });
}

std::optional<Placing::Second> Placing::Ticket::hedge() {
  std::optional<routing::Send> send;
  {
    const std::scoped_lock lock(placing_->mutex_);
    send = placing_->scheduler_->hedge(placing_->clock_.now(), id_, ++placing_->last_id_);
  }
  if (!send) return std::nullopt;
  return Second(placing_, std::move(*send));
}

// From now on its mail is addressed to the second's id.
void Placing::Ticket::change_over(Second& second) {
  const std::scoped_lock lock(placing_->mutex_);
  placing_->mailboxes_.erase(id_);
  std::swap(id_, second.id_);
  placing_->mailboxes_.emplace(id_, mailbox_);
}

// The scheduler's clock counts milliseconds, which of a small model's answer are too few to compare with.
double Placing::Ticket::seconds() const {
  return static_cast<double>(placing_->clock_.now_us() - asked_us_) / 1e6;
}

void Placing::Ticket::leave() {
  mailbox_->left = true;
  if (mailbox_->signal) mailbox_->signal->notify();
}

}  // namespace rbee::keeper
