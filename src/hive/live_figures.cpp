#include "hive/live_figures.h"

#include "base/text.h"
#include "device/cpu_watch.h"
#include "device/gpu_watch.h"
#include "domain/machine_figures.h"
#include "engine/process.h"
#include "hive/device_watch.h"
#include "hive/line_box.h"

#include <optional>
#include <utility>

namespace rbee::hive {
namespace {

constexpr Milliseconds every{1'000};

}  // namespace

struct LiveFigures::Impl : std::enable_shared_from_this<Impl> {
  Impl(net::Loop& loop_, Machine& machine_, ProbeSettings settings_, std::shared_ptr<Log> log_,
       Events events_)
      : loop(loop_),
        machine(machine_),
        settings(std::move(settings_)),
        log(std::move(log_)),
        events(std::move(events_)),
        cpu(device::RootedFiles(settings.probes.root)),
        timer(loop_) {}

  void arm();
  void look();
  void carry_out(const WatchActions& actions);
  void start();
  void read(std::uint64_t run);
  void ended(std::uint64_t run, const std::string& how);
  // `then` runs on the loop, unless this is gone by then.
  std::function<void()> later(std::function<void()> then) {
    return [&loop = this->loop, then = std::move(then), weak = weak_from_this()] {
      loop.post([then, weak] {
        if (weak.lock()) then();
      });
    };
  }

  net::Loop& loop;
  Machine& machine;
  ProbeSettings settings;
  std::shared_ptr<Log> log;
  Events events;
  device::CpuWatch cpu;
  DeviceWatch watch;
  bool watching = false;
  Machine told;  // with the figures that were told last
  std::vector<std::string> told_warnings;
  std::uint64_t run = 0;  // of the process that is there now: what an earlier one left is dropped
  std::shared_ptr<LineBox> lines;
  std::optional<engine::ChildId> child;
  net::Timer timer;
  std::unique_ptr<engine::Launcher> launcher;  // last: its thread ends before what it calls goes
};

LiveFigures::LiveFigures(net::Loop& loop, Machine& machine, ProbeSettings settings, std::shared_ptr<Log> log,
                         Events events)
    : impl_(std::make_shared<Impl>(loop, machine, std::move(settings), std::move(log), std::move(events))) {
  // A Mac's figures are those of its detection: nothing here reads them from second to second.
  if (device::needs_probes(device::local_facts(impl_->settings.probes))) impl_->arm();
}

LiveFigures::~LiveFigures() {
  // What is on its way to the loop may hold this a moment longer: no process of ours may.
  impl_->timer.cancel();
  impl_->launcher.reset();
}

std::vector<std::string> LiveFigures::warnings() const { return impl_->watch.warnings(); }

void LiveFigures::Impl::arm() {
  timer.arm(every, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->look();
    self->arm();
  });
}

void LiveFigures::Impl::look() {
  const Instant now = loop.clock().now();
  device::apply_figures(cpu.look(), machine);
  if (!watching && !settings.program.empty() && device::has_gpu_to_watch(machine)) {
    watching = true;
    carry_out(watch.begin(now));
  }
  carry_out(watch.wake(now));
  if (told_warnings != watch.warnings()) {
    told_warnings = watch.warnings();
    events.on_warnings();
  }
  if (!figures_differ(told, machine)) return;
  told = machine;
  events.on_figures();
}

void LiveFigures::Impl::carry_out(const WatchActions& actions) {
  for (const WatchAction& action : actions) {
    switch (action.kind) {
      case WatchAction::Kind::start: start(); break;
      case WatchAction::Kind::kill:
        if (child) launcher->kill(*child);
        break;
      case WatchAction::Kind::gone:
      case WatchAction::Kind::back: events.on_device(action.device, action.text); break;
      case WatchAction::Kind::say: log->warning(action.text); break;
    }
  }
}

void LiveFigures::Impl::start() {
  if (!launcher) launcher = std::make_unique<engine::Launcher>();
  ++run;
  lines = std::make_shared<LineBox>();
  engine::ChildRequest request{.arguments = watch_arguments(settings),
                               .environment = probe_environment(settings.environment)};
  request.on_start = [then = later([this, at = run] { ended(at, "cannot be started"); })](
                         const Result<engine::ProcessId>& started) {
    if (!started) then();
  };
  request.on_line = [box = lines, then = later([this, at = run] { read(at); })](std::string_view line) {
    if (line.starts_with(device::figures_mark) && box->put(line)) then();
  };
  const auto how = std::make_shared<std::string>();
  request.on_exit = [how,
                     then = later([this, at = run, how] { ended(at, *how); })](engine::ExitStatus status) {
    *how = status.text();
    then();
  };
  child = launcher->start(std::move(request));
}

void LiveFigures::Impl::read(std::uint64_t at) {
  if (at != run) return;
  for (const std::string& line : lines->take()) {
    const std::optional<device::Figures> figures = device::parse_figures(line);
    if (!figures) continue;
    carry_out(watch.on_line(loop.clock().now(), *figures, machine));
    device::apply_figures(*figures, machine);
  }
}

void LiveFigures::Impl::ended(std::uint64_t at, const std::string& how) {
  if (at != run) return;
  child.reset();
  carry_out(watch.on_end(loop.clock().now(), how));
}

}  // namespace rbee::hive
