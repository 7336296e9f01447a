// Agent: a machine belongs to its owner first. Workers rest while their user wants that, or while another
// program has their device (device_yield.h decides on that).
#include "hive/agent.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::hive {
namespace {

// As often as there are figures.
constexpr Milliseconds look_every{1'000};
// Longer than any pause that is meant: an hour that was typed as ms.
constexpr std::int64_t longest_pause_s = 366LL * 24 * 3600;

bool can_be_taken(const Device& device) {
  return device.kind == DeviceKind::discrete || device.kind == DeviceKind::integrated;
}

}  // namespace

void Agent::watch_owners() {
  owners_timer_.arm(look_every, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->runner_) return;
    self->look_at_owners();
    self->watch_owners();
  });
}

void Agent::set_yield(YieldSettings yield) {
  options_.yield = yield;
  if (!yield.on) yields_.clear();
  for (auto& [id, device] : yields_) device.set_back_after(yield.back_after);
  if (runner_) look_at_owners();
}

void Agent::look_at_owners() {
  end_pauses();
  if (options_.yield.on) {
    for (const Device& device : machine_.devices) {
      if (can_be_taken(device)) look_at_device(device);
    }
  }
  yield_where_taken();
  runner_->pump();
}

void Agent::look_at_device(const Device& device) {
  const Instant now = clock_.now();
  const Supervisor::DeviceUse use = supervisor_.use_of(device.id);
  DeviceLook seen{.memory_bytes = device.memory_bytes,
                  .load_percent = device.load_percent,
                  .own_bytes = use.bytes,
                  .own_engines = use.engines,
                  .own_changes = use.changes || bench_devices_.contains(device.id)};
  // What the machine's other programs have of memory that all share says nothing of the device.
  const bool own_memory = device.memory == DeviceMemory::dedicated && device.memory_bytes > 0;
  if (own_memory && device.free_bytes)
    seen.used_bytes = device.memory_bytes - std::min(device.memory_bytes, *device.free_bytes);
  if (!use.works && use.last_work) seen.own_idle = now - *use.last_work;
  yields_.try_emplace(device.id, DeviceYield(options_.yield.back_after)).first->second.look(now, seen);
}

void Agent::yield_where_taken() {
  const auto why_of = [&](const std::string& device_id) {
    const auto at = yields_.find(device_id);
    return at == yields_.end() ? std::string() : at->second.words();
  };
  for (const WorkerSpec& worker : supervisor_.workers()) {
    std::string why = why_of(worker.device_id);
    for (const WorkerDevice& other : worker.others) {
      if (why.empty()) why = why_of(other.id);
    }
    if (!why.empty()) {
      const double back_s = static_cast<double>(options_.yield.back_after.count()) / 1000;
      why += cat("; it is back when the device has been free for ", duration_text(back_s));
    }
    if (why == worker.yields_to) continue;
    log_->info(why.empty() ? cat("'", worker.name, "' has its device again.")
                           : cat("'", worker.name, "' gives way: ", why, "."));
    supervisor_.yield_worker(worker.name, std::move(why), clock_.now(), options_.yield.after);
  }
}

void Agent::end_pauses() {
  bool changed = false;
  for (const WorkerSpec& worker : supervisor_.workers()) {
    if (!worker.paused || worker.paused_until_ms == 0 || clock_.unix_ms() < worker.paused_until_ms) continue;
    const Result<void> resumed = supervisor_.resume_worker(worker.name);
    changed = changed || resumed.has_value();
    log_->info(cat("The pause of '", worker.name, "' is over."));
  }
  if (changed) save_workers();
}

Agent::Reply Agent::hold_worker(const std::string& name, std::string_view how, const std::string& body) {
  const Instant now = clock_.now();
  if (how == "drain") return after(202, supervisor_.drain_worker(name, now));
  if (how == "pause") {
    const Result<Json> json = body.empty() ? Json::object() : parse_json(body);
    if (!json) return {.status = 0, .text = json.error()};
    const std::int64_t for_s = get_int(*json, "for_s").value_or(0);
    if (for_s < 0 || for_s > longest_pause_s) {
      return {.status = 0,
              .text = Error{
                  ErrorCode::bad_request, cat("A pause lasts 1 s to a year, not ", for_s, " s."), {}, {}}};
    }
    const std::int64_t until_ms = for_s == 0 ? 0 : clock_.unix_ms() + for_s * 1000;
    return after(202, supervisor_.pause_worker(name, until_ms, now, options_.yield.after));
  }
  if (how == "resume") {
    const WorkerSpec* worker = supervisor_.find_worker(name);
    if (worker != nullptr) {
      const auto overrule = [this](const std::string& device) {
        if (const auto at = yields_.find(device); at != yields_.end()) at->second.overrule();
      };
      overrule(worker->device_id);
      for (const WorkerDevice& other : worker->others) overrule(other.id);
    }
    yield_where_taken();
    return after_of_worker(name, supervisor_.resume_worker(name));
  }
  return {.status = 0,
          .text = Error{ErrorCode::unknown_name, cat("A worker has no '", how, "'."),
                        "docs/hive-api.md lists what it has."}};
}

Agent::Reply Agent::drain_hive(bool drained) {
  supervisor_.drain_all(drained, clock_.now());
  log_->info(drained ? "The hive is drained: it takes no requests until it is resumed."
                     : "The hive takes requests again.");
  return after(drained ? 202 : 200, Result<void>{});
}

}  // namespace rbee::hive
