// Workers come into service: the engine pack is installed where it is missing, with its progress as
// server-sent events, and the workers of the plan are created.
#include "hive/agent.h"

#include "base/json.h"
#include "base/text.h"
#include "device/detect_log.h"
#include "device/memory_speed.h"
#include "device/probe.h"
#include "hive/install_options.h"
#include "hive/plan_load.h"
#include "hive/prepare_engine.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>
#include <limits>
#include <utility>

namespace rbee::hive {

// From the deployment to the answer of the request that asked for it. Only the loop may hold it.
struct Agent::Progress {
  explicit Progress(net::Loop& loop) : news(loop) {}
  // On the loop.
  void tell(std::string event) {
    events.push_back(std::move(event));
    news.notify();
  }
  net::Signal news;
  std::deque<std::string> events = {};
  bool over = false;
};

namespace {

// A build writes a line for each of 300 files; what a slow reader has not read yet gives way.
constexpr std::size_t most_waiting_events = 256;

Result<DeployRequest> parse_request(std::string_view body) {
  DeployRequest request;
  if (trim(body).empty()) return request;
  const Result<Json> json = parse_json(body);
  if (!json) return json.error();
  if (const auto backend = get_string(*json, "backend")) {
    const Result<Backend> known = parse_backend(*backend);
    if (!known) return known.error();
    request.backend = *known;
  }
  request.device = get_string(*json, "device");
  request.name = get_string(*json, "name");
  const std::int64_t slots = get_int(*json, "slots").value_or(0);
  const std::int64_t context = get_int(*json, "context").value_or(0);
  // More slots than any device serves at once, and more context than any model was trained with: typos.
  constexpr std::int64_t most_slots = 256;
  constexpr std::int64_t largest_context = 16 << 20;
  if (slots < 0 || slots > most_slots) {
    return Error{ErrorCode::bad_request, cat("An engine has 1 to ", most_slots, " slots, not ", slots, ".")};
  }
  if (context < 0 || context > largest_context) {
    return Error{ErrorCode::bad_request,
                 cat("A context has 1 to ", largest_context, " tokens, not ", context, ".")};
  }
  request.slots = static_cast<int>(slots);
  request.context = static_cast<std::uint32_t>(context);
  const double vram = get_number(*json, "vram").value_or(0);
  constexpr double most_vram = 1 << 20;
  if (vram < 0 || vram > most_vram) {
    return Error{ErrorCode::bad_request, cat("A budget has more than 0 GB, not ", fixed(vram, 1), ".")};
  }
  request.memory_limit = static_cast<std::uint64_t>(vram * (1u << 30));
  return request;
}

std::string progress_event(std::string_view message, int done, int total) {
  const Json json = {{"message", std::string(message)}, {"done", done}, {"total", total}};
  return net::format_sse("progress", dump_json(json));
}

}  // namespace

net::Task<void> Agent::post_workers(net::Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body();
  Result<DeployRequest> request = body ? parse_request(*body) : Result<DeployRequest>(body.error());
  if (!request) {
    Error error = request.error();
    (void)co_await exchange.respond_error(std::move(error));
    co_return;
  }
  const auto progress = std::make_shared<Progress>(loop_);
  // It goes on where the asker leaves: what was asked for is finished.
  loop_.spawn(run_deploy(shared_from_this(), *request, progress));
  net::Headers headers{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}};
  const Result<void> started = co_await exchange.start(200, headers);
  if (!started) co_return;
  bool over = false;
  while (!over) {
    while (!progress->events.empty()) {
      const std::string event = std::move(progress->events.front());
      progress->events.pop_front();
      const Result<void> written = co_await exchange.write(event);
      if (!written) co_return;
    }
    over = progress->over && progress->events.empty();
    if (over) break;
    // Without news a comment keeps the connection from looking dead.
    constexpr Milliseconds longest_quiet{5'000};
    const bool news = co_await progress->news.wait(longest_quiet);
    if (!news && progress->events.empty()) progress->events.push_back(": still at it\n\n");
  }
  (void)co_await exchange.finish();
}

net::Task<void> Agent::run_deploy(std::shared_ptr<Agent> self, DeployRequest request,
                                  std::shared_ptr<Progress> progress) {
  const Result<std::vector<std::string>> names = co_await self->deploy(request, progress);
  std::string event;
  if (names) {
    Json list = Json::array();
    for (const WorkerReport& worker : self->supervisor_.worker_reports()) {
      if (std::find(names->begin(), names->end(), worker.name) != names->end())
        list.push_back(to_json(worker));
    }
    Json result;
    result["workers"] = std::move(list);
    event = net::format_sse("result", dump_json(result));
  } else {
    self->log_->error(names.error().message);
    event = net::format_sse("error", dump_json(error_json(names.error())));
  }
  progress->over = true;
  progress->tell(std::move(event));
}

net::Task<Result<std::vector<std::string>>> Agent::deploy(DeployRequest request,
                                                          std::shared_ptr<Progress> progress) {
  const Error closing{ErrorCode::cancelled, "The hive ended before the workers were in service."};
  co_await probe_again();
  if (!runner_) co_return closing;
  const auto proven = std::make_shared<std::set<std::string>>();
  for (bool settled = false; !settled;) {
    const Result<DeployPlan> first = plan_deploy(machine_, options_.name, supervisor_.workers(), request);
    if (!first) co_return first.error();
    const Result<bool> stands = co_await prove_plan(request, *first, progress, proven);
    if (!stands) co_return stands.error();
    settled = *stands;
    if (!runner_) co_return closing;
  }
  if (!runner_ || stopping_) co_return closing;
  // Planned anew: another deployment may have come first meanwhile.
  Result<DeployPlan> plan = plan_deploy(machine_, options_.name, supervisor_.workers(), request);
  if (!plan) co_return plan.error();
  std::vector<std::string> names = plan->in_service;
  if (!plan->create.empty() || !plan->take_over.empty()) {
    for (const std::string& line : device::detect_lines(machine_)) log_->info(line);
  }
  for (WorkerSpec& worker : plan->create) {
    const std::string name = worker.name;
    const Backend backend = worker.backend;
    const Result<void> added = supervisor_.add_worker(std::move(worker));
    if (!added) co_return added.error();
    log_->info(device::registered_line(name, backend));
    names.push_back(name);
  }
  for (WorkerSpec& worker : plan->take_over) {
    const std::string name = worker.name;
    const Backend backend = worker.backend;
    const Result<void> taken = supervisor_.take_over(std::move(worker), clock_.now());
    if (!taken) co_return taken.error();
    log_->info(device::registered_line(name, backend));
    names.push_back(name);
  }
  save_workers();
  runner_->pump();
  co_return names;
}

// Whether the plan stands: each of its backends has its pack, and each accelerator has computed. One that
// has not is not planned again, unless it was asked for by name: then that is the error.
net::Task<Result<bool>> Agent::prove_plan(DeployRequest request, DeployPlan plan,
                                          std::shared_ptr<Progress> progress,
                                          std::shared_ptr<std::set<std::string>> proven) {
  std::vector<WorkerSpec> workers = std::move(plan.create);
  workers.insert(workers.end(), plan.take_over.begin(), plan.take_over.end());
  for (const WorkerSpec& worker : workers) {
    const Backend backend = worker.backend;
    const Result<void> installed = co_await install(backend, progress);
    if (!installed) {
      // What no pack can be made for is the next backend's, where the backend was not asked for.
      if (request.backend || installed.error().code != ErrorCode::unsupported) co_return installed.error();
      refuse_backend(worker, installed.error());
      co_return false;
    }
    std::vector<std::string> ids = {worker.device_id};
    for (const WorkerDevice& other : worker.others) ids.push_back(other.id);
    for (const std::string& id : ids) {
      if (!proven->insert(cat(id, " ", backend_name(backend))).second) continue;
      const Result<void> computed = co_await prove(id, backend, progress);
      if (computed) continue;
      if (request.backend || request.device) co_return computed.error();
      refuse_backend(worker, computed.error());
      co_return false;
    }
  }
  co_return true;
}

net::Task<Result<void>> Agent::prove(std::string device_id, Backend backend,
                                     std::shared_ptr<Progress> progress) {
  if (backend == Backend::cpu || options_.proof_model.empty()) co_return Result<void>();
  const auto device = std::find_if(machine_.devices.begin(), machine_.devices.end(),
                                   [&](const Device& one) { return one.id == device_id; });
  if (device == machine_.devices.end()) co_return Result<void>();
  progress->tell(progress_event(cat("Proving that ", device->name, " computes"), 0, 0));
  ProofRequest proof{.probe = probe_settings(),
                     .backend = backend,
                     .device = *device,
                     .model = options_.proof_model,
                     .socket = folders_.run / "proof.sock",
                     .threads = engine_threads(backend, machine_.cpu.usable_cpus)};
  std::function<Result<void>()> work = [proof = std::move(proof)] { return prove_device(proof); };
  const Result<void> proven = co_await installs_->run(loop_, std::move(work));
  co_return proven;
}

void Agent::refuse_backend(const WorkerSpec& worker, const Error& why) {
  log_->error(why.message);
  for (Device& device : machine_.devices) {
    if (device.id != worker.device_id) continue;
    for (DeviceBackend& backend : device.backends) {
      if (backend.backend != worker.backend) continue;
      backend.usable = false;
      backend.reason = why.message;
      while (backend.reason.ends_with('.')) backend.reason.pop_back();
      backend.cure = hint_of(why);
    }
  }
}

net::Task<Result<void>> Agent::install(Backend backend, std::shared_ptr<Progress> progress) {
  std::function<Result<void>()> work =
      [folder = options_.engines_folder, on_path = options_.server_on_path,
       options = install_options(machine_, backend, probe_settings().probes, options_.environment),
       cancel = ending_, backend, &loop = loop_, weak = std::weak_ptr(progress)]() mutable -> Result<void> {
    if (engine::find_pack(folder, backend, on_path)) return {};
    options.cancel = cancel.get();
    options.progress = [&loop, weak](std::string_view message, int done, int total) {
      loop.post([weak, event = progress_event(message, done, total)] {
        const auto there = weak.lock();
        if (there && there->events.size() < most_waiting_events) there->tell(event);
      });
    };
    const Result<engine::PackInfo> pack = engine::install_pack(folder, backend, options);
    if (!pack) return pack.error();
    return {};
  };
  const Result<void> installed = co_await installs_->run(loop_, std::move(work));
  if (installed) device::set_engine_state(machine_, backend, "installed");
  co_return installed;
}

net::Task<void> Agent::probe_again() {
  std::function<Machine()> probe = [settings = probe_settings()] { return probe_machine(settings); };
  Machine machine = co_await work_->run(loop_, std::move(probe));
  machine_ = std::move(machine);
  if (memory_speed_) device::set_memory_speed(machine_, memory_speed_);
  settle_workers();
  set_pools();
  keep_machine();
  changed();
}

}  // namespace rbee::hive
