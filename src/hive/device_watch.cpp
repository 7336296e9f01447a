#include "hive/device_watch.h"

#include "base/text.h"

#include <algorithm>
#include <utility>

namespace rbee::hive {
namespace {

std::string called(const Device& device) { return device.name.empty() ? device.id : device.name; }

}  // namespace

WatchActions DeviceWatch::begin(Instant now) { return start(now); }

WatchActions DeviceWatch::start(Instant now) {
  state_ = State::running;
  started_ = now;
  heard_ = now;
  return {{.kind = WatchAction::Kind::start}};
}

// What holds already is not said again.
void DeviceWatch::tell(std::string& told, std::string what, WatchActions& actions) const {
  if (told == what) return;
  told = std::move(what);
  if (!told.empty()) actions.push_back({.kind = WatchAction::Kind::say, .text = told});
}

WatchActions DeviceWatch::on_line(Instant now, const device::Figures& figures, const Machine& machine) {
  WatchActions actions;
  if (state_ != State::running) return actions;
  heard_ = now;
  process_trouble_.clear();
  const std::string nvml = figures.nvml_failure.empty()
                               ? std::string()
                               : cat("NVML does not answer any more: ", figures.nvml_failure,
                                     ". NVIDIA's cards are without figures until it does.");
  tell(nvml_trouble_, nvml, actions);
  for (const Device& device : machine.devices) {
    const device::GpuFigures* seen = device::find_figures(figures, device);
    if (seen == nullptr) continue;
    const auto was_gone = gone_.find(device.id);
    if (!seen->gone.empty() && was_gone == gone_.end()) {
      gone_.emplace(device.id, cat("'", called(device), "' is gone: ", seen->gone, "."));
      actions.push_back({.kind = WatchAction::Kind::gone, .device = device.id, .text = seen->gone});
    } else if (seen->gone.empty() && seen->trouble.empty() && was_gone != gone_.end()) {
      gone_.erase(was_gone);
      actions.push_back({.kind = WatchAction::Kind::back, .device = device.id});
    }
    const std::string trouble = seen->trouble.empty()
                                    ? std::string()
                                    : cat("'", called(device), "' gives no figures: ", seen->trouble, ".");
    tell(troubled_[device.id], trouble, actions);
  }
  return actions;
}

WatchActions DeviceWatch::on_end(Instant now, const std::string& how) {
  WatchActions actions;
  if (state_ == State::off) return actions;
  failures_ = now - started_ >= good_after ? 1 : failures_ + 1;
  Milliseconds wait = first_wait;
  for (int i = 1; i < failures_ && wait < longest_wait; ++i) wait *= 2;
  again_at_ = now + std::min(wait, longest_wait);
  if (state_ != State::killed)
    tell(process_trouble_, cat("The process that reads the GPUs' figures ", how, "; it is started again."),
         actions);
  state_ = State::waiting;
  return actions;
}

WatchActions DeviceWatch::wake(Instant now) {
  if (state_ == State::waiting && now >= again_at_) return start(now);
  if (state_ != State::running || now - heard_ < longest_silence) return {};
  // A process that hangs within a driver may outlive even this: no second one is started beside it.
  state_ = State::killed;
  WatchActions actions;
  tell(process_trouble_,
       cat("A GPU's driver does not answer: its figures were not there for ", longest_silence.count() / 1000,
           " s."),
       actions);
  actions.push_back({.kind = WatchAction::Kind::kill});
  return actions;
}

std::optional<Instant> DeviceWatch::wake_at() const {
  if (state_ == State::waiting) return again_at_;
  if (state_ == State::running) return heard_ + longest_silence;
  return std::nullopt;
}

std::vector<std::string> DeviceWatch::warnings() const {
  std::vector<std::string> all;
  for (const std::string& one : {process_trouble_, nvml_trouble_}) {
    if (!one.empty()) all.push_back(one);
  }
  for (const auto* each : {&gone_, &troubled_}) {
    for (const auto& [device, why] : *each) {
      if (!why.empty()) all.push_back(why);
    }
  }
  return all;
}

}  // namespace rbee::hive
