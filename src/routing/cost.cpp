#include "routing/cost.h"

#include "domain/speed_estimate.h"

#include <algorithm>
#include <cmath>

namespace rbee::routing {
namespace {

// Found in the simulator, over the shared fleets and many drawn ones: from 1.5 to 3 the means differ by a
// percent or two.
constexpr double most_congestion = 2;
// Bursts have no usual length: one that has lasted long lasts long. Without it (0) workers 20 times slower
// than the others stayed idle through minutes of queueing, and the mean was a fifth above the best; from 0.2
// to 0.4 the means are within half a percent.
constexpr double lasts_again = 0.25;
// What a hive expects may differ so much from what the model's size says: a mixture of experts reads a small
// part of its bytes for each token, and layers may be on the host.
constexpr double most_by_expectation = 50;
constexpr double least_bytes = 1e6;
// Of a file in Q4, where it does not say.
constexpr double usual_parameters_per_byte = 1.7;
constexpr double disk_bytes_s = 1e9;
constexpr double least_load_s = 1;
constexpr std::uint64_t usual_cache_tokens = 32'768;
// Beyond these a figure is nonsense and no measurement.
constexpr double most_tokens_s = 1e8;
constexpr double least_tokens_s = 1e-5;

// The straight line that is nearest, by the least squares of the time that a token takes.
double slowdown_of(const std::vector<double>& in_company) {
  double over = 0, under = 0;
  for (std::size_t n = 0; n < in_company.size(); ++n) {
    const auto further = static_cast<double>(n);
    over += further * (in_company[0] / in_company[n] - 1);
    under += further * further;
  }
  return under > 0 ? std::clamp(over / under, 0.0, 99.0) : 0;
}

DevicePower power_of(const FleetWorker& worker) {
  const bool software = worker.kind == DeviceKind::software;
  const bool host = software || worker.report.backend == Backend::cpu;
  return {.backend = worker.report.backend,
          .software = software,
          .bandwidth = host ? worker.host_bandwidth_bytes_s : worker.bandwidth_bytes_s,
          .flops = host ? worker.host_flops : worker.flops};
}

// All of it on one device: what is left on the host is known of one that is loaded.
TokenWork work_of(const ModelFile& file) {
  const double bytes = std::max(static_cast<double>(file.bytes), least_bytes);
  const double read = file.token_bytes > 0 ? static_cast<double>(file.token_bytes) : bytes;
  const double parameters =
      file.params > 0 ? static_cast<double>(file.params) : bytes * usual_parameters_per_byte;
  return {.bytes = read,
          .parameters = parameters * std::min(read / bytes, 1.0),
          .layers = file.layers > 0 ? file.layers : usual_layers(parameters)};
}

bool is_speed(double value) { return value >= least_tokens_s && value <= most_tokens_s; }

}  // namespace

ModelSpeed assumed_speed(const FleetWorker& worker, const ModelFile& file) {
  const DevicePower device = power_of(worker);
  const PlacedWork work{device, work_of(file)};
  const SpeedEstimate made = estimate_speed({&work, 1});
  ModelSpeed speed;
  speed.speed = std::clamp(made.speed, least_tokens_s, most_tokens_s);
  speed.prompt_speed = std::clamp(made.prompt_speed, least_tokens_s, most_tokens_s);
  speed.batch_slowdown = usual_slowdown(device);
  speed.cache_tokens = usual_cache_tokens;
  speed.load_seconds = least_load_s + std::max(static_cast<double>(file.bytes), least_bytes) / disk_bytes_s;
  speed.need_bytes = file.bytes;
  return speed;
}

ModelSpeed complete_speed(ModelSpeed known, const FleetWorker& worker, const ModelFile& file) {
  const ModelSpeed assumed = assumed_speed(worker, file);
  if (!std::ranges::all_of(known.in_company, is_speed)) known.in_company.clear();
  if (!known.in_company.empty()) {
    known.speed = known.in_company.front();
    if (!known.batch_slowdown) known.batch_slowdown = slowdown_of(known.in_company);
  }
  if (!is_speed(known.prompt_speed)) known.prompt_speed = assumed.prompt_speed;
  if (!is_speed(known.speed)) known.speed = assumed.speed;
  if (!known.batch_slowdown || !(*known.batch_slowdown >= 0 && *known.batch_slowdown < 100)) {
    known.batch_slowdown = assumed.batch_slowdown;
  }
  if (known.cache_tokens == 0) known.cache_tokens = assumed.cache_tokens;
  if (!(known.load_seconds > 0 && known.load_seconds < 1e6)) known.load_seconds = assumed.load_seconds;
  if (known.need_bytes == 0) known.need_bytes = assumed.need_bytes;
  return known;
}

EngineSpeed engine_speed(const ModelSpeed& speed, Expected expected, const FleetWorker& worker) {
  const double slowdown = speed.batch_slowdown.value_or(0);
  if (!speed.in_company.empty()) return {speed.prompt_speed, speed.in_company, slowdown};
  // Hives of other versions may take the bandwidth of a software device for one.
  if (!is_speed(expected.speed) || worker.kind == DeviceKind::software)
    return {speed.prompt_speed, speed.speed, slowdown};
  const double factor =
      std::clamp(expected.speed / speed.speed, 1 / most_by_expectation, most_by_expectation);
  const double prompt = is_speed(expected.prompt_speed)
                            ? std::clamp(expected.prompt_speed, speed.prompt_speed / most_by_expectation,
                                         speed.prompt_speed * most_by_expectation)
                            : speed.prompt_speed * std::min(factor, 1.0);
  return {prompt, speed.speed * factor, slowdown};
}

Estimate cost_now(const EngineLoad& load, Size size) {
  const EngineSpeed& speed = load.speed();
  const int company = static_cast<int>(load.jobs().size());
  const double reading = size.unread_on(load) / speed.prompt;
  const double slower = speed.step_s(company + 1) - speed.step_s(company);
  Estimate cost;
  cost.prompt = load.stretch() * (load.unread() / speed.prompt + reading);
  cost.generate = load.stretch() * size.output * speed.step_s(company + 1);
  for (const Job& job : load.jobs()) {
    cost.others += load.stretch() * (reading + std::min(load.remaining(job), size.output) * slower);
  }
  return cost;
}

Estimate prediction_now(const EngineLoad& load, Size size) {
  Estimate predicted = cost_now(load, size);
  predicted.generate = load.answer_s(size.output);
  return predicted;
}

Estimate cost_waiting(const EngineLoad& load, Size size, EngineLoad::Ahead ahead, Pressure pressure) {
  const EngineSpeed& speed = load.speed();
  const int company = std::max(load.slots(), 1) - 1;
  Estimate cost;
  cost.wait = load.until_free_s(ahead);
  cost.prompt = load.stretch() * size.unread / speed.prompt;
  cost.generate = load.stretch() * size.output * speed.step_s(company + 1);
  // Of those it will meet there, half of the answers are left on the average.
  const double slower = speed.step_s(company + 1) - speed.step_s(company);
  cost.others = company * (cost.prompt + load.stretch() * size.output / 2 * slower);
  const double queued_s = cost.wait > 0 ? std::max(pressure.congestion * cost.wait, pressure.lasting_s) : 0;
  if (queued_s > 0) {
    const int slots = company + 1;
    const double share_s = (cost.prompt + cost.generate / slots) / load.stretch();
    cost.later = queued_s * share_s * capacity(speed, slots, pressure.mean);
  }
  return cost;
}

Estimate cost_cold(const ModelSpeed& speed, Size size) {
  Estimate cost;
  cost.load = speed.load_seconds;
  cost.prompt = size.unread / speed.prompt_speed;
  cost.generate = size.output / speed.speed;
  return cost;
}

double capacity(const EngineSpeed& speed, int slots, Size mean) {
  const int n = std::max(slots, 1);
  return 1 / (mean.unread / speed.prompt + mean.output * speed.step_s(n) / n);
}

double lasting_after(double queued_s) { return lasts_again * std::max(0.0, queued_s); }

double congestion_at(double rho) {
  if (!(rho < 1)) return most_congestion;
  return std::min(most_congestion, std::max(rho, 0.0) / (1 - rho));
}

}  // namespace rbee::routing
