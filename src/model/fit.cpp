#include "model/fit.h"

#include "model/cache_memory.h"
#include "model/layer_tensors.h"
#include "model/split.h"

#include <algorithm>

namespace rbee::model {
namespace {

// The engine rounds contexts up to this.
constexpr std::uint32_t context_step = 256;
// With several devices the engine keeps so many copies of what goes into a batch, on each of them and on the
// host (ggml-backend.cpp, GGML_SCHED_MAX_COPIES; "pipeline parallelism enabled" in its log).
constexpr std::uint64_t pipeline_copies = 4;

std::uint32_t context_of(const GgufHeader& header, const FitSettings& settings) {
  // Beyond the trained context the engine would allocate memory that no slot may use.
  const std::uint32_t own = header.context_train > 0 ? header.context_train : unknown_context;
  return std::min(settings.context > 0 ? settings.context : largest_default_context, own);
}

// What was taken beyond the plan is put down to what is computed in.
void correct(PoolNeed& pool, double factor) {
  if (factor > 1)
    pool.compute += static_cast<std::uint64_t>(static_cast<double>(pool.logged()) * (factor - 1));
}

class Search {
 public:
  Search(const GgufHeader& header, const FitSettings& settings, const Room& room)
      : header_(header), settings_(settings), room_(room), all_(all_layers(header)) {}

  Fit run() {
    const std::uint32_t wanted = context_of(header_, settings_);
    fit_.of_layers = all_;
    if (!try_contexts(wanted, [this](std::uint32_t context) { return try_layers(context, all_); }) &&
        !(settings_.may_offload && !is_host() &&
          try_contexts(wanted, [this](std::uint32_t context) { return try_part(context); }))) {
      refuse(wanted);
    }
    return fit_;
  }

 private:
  [[nodiscard]] MemoryPlan plan(std::uint32_t context, std::uint32_t layers) const {
    MemoryPlan made{.context = context,
                    .slots = settings_.slots,
                    .cache = settings_.cache,
                    .unified = settings_.unified,
                    .backend = room_.backend};
    made.batch = std::max(made.batch, std::min(context, settings_.longest_batch));
    if (layers < all_) made.gpu_layers = layers;
    return made;
  }
  [[nodiscard]] Need need_of(const MemoryPlan& made) const {
    Need need = need_of_one(made);
    if (room_.others.empty()) return need;
    // Over several devices: what each takes, and the sum of it.
    split_ = split(made);
    if (has_pipeline(made)) need.host.compute *= pipeline_copies;
    if (!split_) return need;
    need.device = {};
    for (const PoolNeed& one : split_->needs) {
      for (std::uint64_t PoolNeed::* part : {&PoolNeed::weights, &PoolNeed::cache, &PoolNeed::compute,
                                             &PoolNeed::output, &PoolNeed::projector, &PoolNeed::overhead})
        need.device.*part += one.*part;
    }
    return need;
  }
  // Whether the devices work on several batches at once: where none of the layers is on the host.
  [[nodiscard]] bool has_pipeline(const MemoryPlan& made) const {
    return made.gpu_layers.value_or(all_) == all_;
  }
  [[nodiscard]] std::optional<Split> split(const MemoryPlan& made) const {
    std::vector<std::uint64_t> rooms = {room_.device};
    for (const Room::Device& other : room_.others) rooms.push_back(other.bytes);
    const Need whole = need_of_one(made);
    return split_layers(made.gpu_layers.value_or(all_), rooms, [&](std::uint32_t layers) {
      MemoryPlan part = made;
      part.gpu_layers = layers;
      PoolNeed of_layers = need_of_one(part).device;
      // Beside layers of another device nothing is copied from the host, as it is beside those of the host.
      of_layers.compute = whole.device.compute;
      if (has_pipeline(made)) of_layers.compute += (pipeline_copies - 1) * whole.host.compute;
      return of_layers;
    });
  }
  [[nodiscard]] Need need_of_one(const MemoryPlan& made) const {
    Need need = memory_need(header_, made);
    correct(need.device, settings_.device_factor);
    correct(need.host, settings_.host_factor);
    PoolNeed& of_images = made.backend == Backend::cpu ? need.host : need.device;
    of_images.projector += settings_.projector_bytes;
    return need;
  }
  // Whether the host's memory is all that decides.
  [[nodiscard]] bool is_host() const {
    return room_.backend == Backend::cpu || (room_.is_one && room_.device >= room_.host);
  }
  [[nodiscard]] bool holds(const Need& need) const {
    if (!room_.others.empty()) return need.host.total() <= room_.host && split_.has_value();
    if (room_.is_one && need.device.total() + need.host.total() > room_.host) return false;
    return is_host() ? need.device.total() + need.host.total() <= room_.host
                     : need.device.total() <= room_.device && need.host.total() <= room_.host;
  }

  // A context that nobody asked for is lowered by halves while only that keeps the model from fitting.
  template <class Try>
  bool try_contexts(std::uint32_t wanted, Try attempt) {
    for (std::uint32_t context = wanted;; context /= 2) {
      if (attempt(context)) return true;
      if (settings_.context != 0 || context / 2 < smallest_default_context) return false;
    }
  }

  bool try_layers(std::uint32_t context, std::uint32_t layers) {
    const MemoryPlan made = plan(context, layers);
    const Need need = need_of(made);
    if (!holds(need)) return false;
    if (split_) {
      fit_.split = split_->layers;
      fit_.split_needs = split_->needs;
    }
    fit_.fits = layers == all_ ? Fits::whole : Fits::part;
    fit_.layers = room_.backend == Backend::cpu ? 0 : layers;
    fit_.context = context;
    fit_.need = need;
    fit_.have = is_host() ? room_.host : all_devices();
    fit_.estimate = estimate(made);
    const bool part = fit_.fits == Fits::part;
    if (const auto whole = part ? estimate(plan(context, all_)) : std::nullopt)
      fit_.speed_if_whole = whole->speed;
    fit_.longest_context = longest_context(layers);
    return true;
  }

  [[nodiscard]] std::uint64_t all_devices() const {
    std::uint64_t bytes = room_.device;
    for (const Room::Device& other : room_.others) bytes += other.bytes;
    return bytes;
  }
  [[nodiscard]] bool device_holds(const Need& need) const {
    return room_.others.empty() ? need.device.total() <= room_.device : split_.has_value();
  }

  // The most layers that the device holds, where the host holds the rest: each more needs more of the one
  // and less of the other.
  bool try_part(std::uint32_t context) {
    std::uint32_t fewest = 1;
    std::uint32_t most = all_ - 1;
    while (fewest < most) {
      const std::uint32_t middle = (fewest + most + 1) / 2;
      if (device_holds(need_of(plan(context, middle)))) {
        fewest = middle;
      } else {
        most = middle - 1;
      }
    }
    return most >= 1 && try_layers(context, fewest);
  }

  [[nodiscard]] std::uint32_t longest_context(std::uint32_t layers) const {
    const std::uint32_t own = header_.context_train > 0 ? header_.context_train : unknown_context;
    std::uint32_t fewest = fit_.context / context_step;
    std::uint32_t most = std::max(own / context_step, fewest);
    while (fewest < most) {
      const std::uint32_t middle = fewest + (most - fewest + 1) / 2;
      if (holds(need_of(plan(middle * context_step, layers)))) {
        fewest = middle;
      } else {
        most = middle - 1;
      }
    }
    return std::max(fewest * context_step, fit_.context);
  }

  // By how much it misses at the least: with the shortest context that was tried.
  void refuse(std::uint32_t wanted) {
    while (settings_.context == 0 && wanted / 2 >= smallest_default_context) wanted /= 2;
    fit_.context = wanted;
    fit_.need = need_of(plan(wanted, all_));
    const std::uint64_t device = fit_.need.device.total();
    const std::uint64_t host = fit_.need.host.total();
    fit_.short_of_host = is_host() || (split_ || device <= all_devices());
    fit_.have = fit_.short_of_host ? room_.host : all_devices();
    const bool both = is_host() || (room_.is_one && fit_.short_of_host);
    const std::uint64_t asked = both ? device + host : fit_.short_of_host ? host : device;
    fit_.short_by = asked - std::min(asked, fit_.have);
  }

  // Nothing where it is not known how fast one of them reads.
  [[nodiscard]] std::optional<SpeedEstimate> estimate(const MemoryPlan& made) const {
    const TokenNeeds needs = needs_of_token(header_, made);
    std::vector<PlacedWork> parts;
    if (needs.device.bytes > 0) add_device_parts(needs.device, parts);
    if (needs.host.bytes > 0) parts.push_back({room_.host_power, needs.host});
    if (parts.empty()) return std::nullopt;
    if (!std::ranges::all_of(parts, [](const PlacedWork& part) { return part.device.bandwidth > 0; }))
      return std::nullopt;
    return estimate_speed(parts);
  }
  // Devices that share the layers have a part each.
  void add_device_parts(const TokenWork& work, std::vector<PlacedWork>& parts) const {
    if (fit_.split.empty()) return parts.push_back({room_.device_power, work});
    double all = 0;
    for (const std::uint32_t layers : fit_.split) all += layers;
    for (std::size_t i = 0; i < fit_.split.size(); ++i) {
      const double share = fit_.split[i] / all;
      if (!(share > 0)) continue;
      parts.push_back({i == 0 ? room_.device_power : room_.others[i - 1].power,
                       {work.bytes * share, work.parameters * share, work.layers * share}});
    }
  }

  const GgufHeader& header_;
  const FitSettings& settings_;
  const Room& room_;
  std::uint32_t all_;
  mutable std::optional<Split> split_ = {};  // of the last need over several devices
  Fit fit_;
};

}  // namespace

std::string_view fits_name(Fits fits) {
  switch (fits) {
    case Fits::whole: return "whole";
    case Fits::part: return "part";
    case Fits::no: return "no";
  }
  return "no";
}

std::uint32_t all_layers(const GgufHeader& header) {
  return static_cast<std::uint32_t>(bounded_number(header, header.own("block_count"))) + 1;
}

Fit fit_model(const GgufHeader& header, const FitSettings& settings, const Room& room) {
  return Search(header, settings, room).run();
}

TokenNeeds needs_of_token(const GgufHeader& header, const MemoryPlan& plan) {
  const std::uint64_t experts = bounded_number(header, header.own("expert_count"));
  const std::uint64_t used = std::min(bounded_number(header, header.own("expert_used_count")), experts);
  const std::uint64_t loaded = layers_with_work(header);
  const std::uint32_t all = all_layers(header);
  const std::uint32_t on_device =
      plan.backend == Backend::cpu ? 0 : std::min(plan.gpu_layers.value_or(all), all);
  const Tensor* output = header.find_tensor("output.weight");
  if (output == nullptr) output = header.find_tensor("token_embd.weight");
  TokenNeeds needs;
  const auto add = [](TokenWork& to, const Tensor& tensor, double share) {
    to.bytes += share * static_cast<double>(tensor.bytes);
    to.parameters += share * static_cast<double>(tensor.elements);
  };
  if (output != nullptr && !is_encoder(header)) add(on_device > 0 ? needs.device : needs.host, *output, 1);
  for (const Tensor& tensor : header.tensors) {
    const std::optional<LayerTensor> place = layer_tensor(tensor.name);
    if (!place || place->layer >= loaded) continue;
    const bool is_expert = place->kind.ends_with("_exps") && experts > 0;
    const double share = is_expert ? static_cast<double>(used) / static_cast<double>(experts) : 1;
    add(place->layer >= all - on_device ? needs.device : needs.host, tensor, share);
  }
  for (std::uint64_t layer = 0; layer < loaded; ++layer)
    (layer >= all - on_device ? needs.device : needs.host).layers += 1;
  return needs;
}

}  // namespace rbee::model
