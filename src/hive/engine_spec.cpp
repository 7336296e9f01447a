#include "hive/engine_spec.h"

#include "base/text.h"
#include "hive/plan_load.h"
#include "model/fit_json.h"

namespace rbee::hive {
namespace {

// The engine's names of all its devices, in their order.
std::string device_names(const Load& load) {
  std::string names = engine_device_name(load.backend);
  for (std::size_t i = 1; i <= load.others.size(); ++i)
    names += cat(",", engine_device_name(load.backend, i));
  return names;
}

std::optional<std::uint32_t> device_layers(const Load& load) {
  return load.layers < load.of_layers ? std::optional(load.layers) : std::nullopt;
}

}  // namespace

engine::EngineSpec engine_spec(const Load& load, const Prepared& prepared, double usable_cpus) {
  return {.server = prepared.server,
          .model = load.model.path,
          .alias = load.model.id,
          .backend = load.backend,
          .device = device_names(load),
          .split = load.split,
          .visible_id = prepared.visible_id,
          .ordinals = prepared.ordinals,
          .use = load.use,
          .device_layers = device_layers(load),
          .cache_type = std::string(model::cache_type_name(load.cache)),
          .slots = load.slots,
          .slot_context = load.context,
          .threads = engine_threads(load.backend, usable_cpus, load.layers == load.of_layers),
          .projector = load.model.projector,
          .extra = load.args,
          .socket = {},
          .cache_ram_mib = prompt_cache_mib};
}

}  // namespace rbee::hive
