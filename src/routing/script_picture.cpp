#include "routing/script_picture.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "routing/cost.h"

#include <algorithm>
#include <cmath>

namespace rbee::routing {
namespace {

using rhai::Value;
using Property = rhai::HostProperty;

constexpr double gb = 1e9;
// llama-server's own number, where neither the worker nor an engine says one.
constexpr int usual_slots = 4;
// Where an answer has not yet told how long a model's tokens are.
constexpr double bytes_per_token = 4;
// Clients choose the names; what a fleet has is far less.
constexpr std::size_t most_names = 1000;

const ScriptWorker& worker_of(const void* object) { return *static_cast<const ScriptWorker*>(object); }
const ScriptPicture& picture_of(const void* object) { return *static_cast<const ScriptPicture*>(object); }

// A whole number wherever it is one, so that scripts may subtract and sort by it.
Value amount(double value) {
  if (std::nearbyint(value) == value && std::abs(value) < 1e15) {
    return Value::integer(static_cast<std::int64_t>(value));
  }
  return Value::floating(value);
}

// GB as marketed: the share of the budget that is free, of what the card is sold as.
Value free_vram(const WorkerReport& report) {
  const double vram = report.vram.value_or(0);
  if (report.memory_bytes == 0) return Value::floating(vram);
  const double share =
      static_cast<double>(report.free_memory_bytes) / static_cast<double>(report.memory_bytes);
  return Value::floating(std::round(vram * share * 10) / 10);
}

// By every name that a client may use, so that `request.model in worker.models` is true of who has it.
void add_names(std::vector<Value>& list, const ModelFile& file) {
  for (const std::string* name : {&file.id, &file.name}) {
    const bool known = std::ranges::any_of(list, [&](const Value& one) { return one.text() == *name; });
    if (!name->empty() && !known) list.push_back(Value::string(*name));
  }
}

const Value& models_of(const ScriptWorker& worker) {
  if (!worker.models) {
    std::vector<Value> list;
    for (const ModelFile& file : worker.on->models) add_names(list, file);
    worker.models = Value::array(std::move(list));
  }
  return *worker.models;
}

const Value& loaded_of(const ScriptWorker& worker) {
  if (!worker.loaded) {
    std::vector<Value> list;
    for (const std::size_t index : worker.engines) {
      const FleetEngine& engine = worker.picture->fleet->engines[index];
      if (engine.state != EngineState::ready) continue;
      const auto file = std::ranges::find(worker.on->models, engine.model_id, &ModelFile::id);
      ModelFile forgotten;
      forgotten.id = engine.model_id;
      add_names(list, file == worker.on->models.end() ? forgotten : *file);
    }
    worker.loaded = Value::array(std::move(list));
  }
  return *worker.loaded;
}

const Value& labels_of(const ScriptWorker& worker) {
  if (!worker.labels) {
    Value map = Value::map();
    for (const auto& [key, value] : worker.on->labels) map.unique_map().set(key, Value::string(value));
    worker.labels = std::move(map);
  }
  return *worker.labels;
}

template <class Count>
Value sum(const ScriptWorker& worker, Count count) {
  std::int64_t all = 0;
  for (const std::size_t index : worker.engines) all += count(index);
  return Value::integer(all);
}

Value slots_of(const ScriptWorker& worker) {
  if (worker.engines.empty()) {
    return Value::integer(worker.on->report.slots > 0 ? worker.on->report.slots : usual_slots);
  }
  return sum(worker, [&](std::size_t index) { return worker.picture->fleet->engines[index].slots; });
}

Value busy_of(const ScriptWorker& worker) {
  return sum(worker, [now = worker.picture->now](std::size_t i) { return i < now.size() ? now[i].busy : 0; });
}

Value queue_of(const ScriptWorker& worker) {
  return sum(worker,
             [now = worker.picture->now](std::size_t i) { return i < now.size() ? now[i].queued : 0; });
}

// Of the model that is asked for: as its engine shows, else as measured or assumed; 0 where it is not held.
EngineNow speeds_of(const ScriptWorker& worker) {
  const ScriptPicture& picture = *worker.picture;
  const std::vector<ModelFile>& files = worker.on->models;
  for (std::size_t f = 0; f < files.size(); ++f) {
    if (!answers_to(files[f], picture.request->model)) continue;
    for (const std::size_t index : worker.engines) {
      const bool is_it = index < picture.now.size() && picture.fleet->engines[index].model_id == files[f].id;
      if (is_it && picture.now[index].speed > 0) return picture.now[index];
    }
    const ModelSpeed known = f < worker.on->speeds.size() ? worker.on->speeds[f] : ModelSpeed{};
    const ModelSpeed speed = complete_speed(known, *worker.on, files[f]);
    return {.prompt_speed = speed.prompt_speed, .speed = speed.speed};
  }
  return {};
}

Value prompt_tokens(const Request& request) {
  const double known =
      request.prompt_tokens > 0 ? request.prompt_tokens : std::ceil(request.prompt_bytes / bytes_per_token);
  return Value::integer(static_cast<std::int64_t>(known));
}

std::string_view priority_text(Priority priority) {
  switch (priority) {
    case Priority::low: return "low";
    case Priority::normal: return "normal";
    case Priority::high: return "high";
  }
  return "";
}

// Made once for a question, however often the script reads them.
const ScriptPicture::Texts& texts_of(const void* object) {
  const ScriptPicture& picture = picture_of(object);
  if (!picture.request_texts) {
    const Request& request = *picture.request;
    picture.request_texts = ScriptPicture::Texts{.model = Value::string(request.model),
                                                 .priority = Value::string(priority_text(request.priority)),
                                                 .user = Value::string(request.user),
                                                 .session = Value::string(request.session)};
  }
  return *picture.request_texts;
}

ScriptPicture::Asked look_up(const Fleet& fleet, const std::string& model) {
  ScriptPicture::Asked asked{.parameters = 0, .quant = Value::string("")};
  for (const FleetWorker& on : fleet.workers) {
    for (const ModelFile& file : on.models) {
      if (!answers_to(file, model)) continue;
      asked.parameters = std::max(asked.parameters, static_cast<std::int64_t>(file.params));
      // By its model's name alone any quantization will do.
      if (!equal_ignoring_case(file.name, model)) asked.quant = Value::string(file.quant);
    }
  }
  return asked;
}

}  // namespace

ScriptPicture::ScriptPicture(std::shared_ptr<const Fleet> of, const rhai::HostType& worker_type)
    : fleet(std::move(of)) {
  std::map<std::string_view, std::vector<std::size_t>> engines;
  for (std::size_t i = 0; i < fleet->engines.size(); ++i) engines[fleet->engines[i].worker].push_back(i);
  std::map<std::string_view, Value> texts;
  const auto shared = [&](std::string_view text) {
    Value& value = texts[text];
    if (value.is_unit()) value = Value::string(text);
    return value;
  };
  workers.reserve(fleet->workers.size());
  std::vector<Value> all;
  all.reserve(fleet->workers.size());
  for (const FleetWorker& on : fleet->workers) {
    const WorkerReport& report = on.report;
    workers.push_back({.on = &on,
                       .picture = this,
                       .engines = std::move(engines[report.name]),
                       .name = Value::string(report.name),
                       .hive = shared(report.hive),
                       .backend = shared(backend_name(report.backend)),
                       .device = shared(report.device)});
    // Not owned: no value of a script outlives the picture, and a picture that its own list held would stay.
    all.push_back(
        Value::host(worker_type, std::shared_ptr<const void>(std::shared_ptr<void>(), &workers.back())));
  }
  list = Value::array(std::move(all));
}

const ScriptPicture::Asked& ScriptPicture::asked(const std::string& model) {
  const auto known = by_model.find(model);
  if (known != by_model.end()) return known->second;
  if (by_model.size() >= most_names) by_model.clear();
  return by_model.emplace(model, look_up(*fleet, model)).first->second;
}

rhai::HostType script_worker_type() {
  return {
      "Worker",
      {
          Property::stored("name", [](const void* o) -> const Value& { return worker_of(o).name; }),
          Property::stored("hive", [](const void* o) -> const Value& { return worker_of(o).hive; }),
          Property::stored("backend", [](const void* o) -> const Value& { return worker_of(o).backend; }),
          Property::stored("device", [](const void* o) -> const Value& { return worker_of(o).device; }),
          {"vram", [](const void* o) { return amount(worker_of(o).on->report.vram.value_or(0)); }},
          {"memory",
           [](const void* o) {
             return Value::floating(static_cast<double>(worker_of(o).on->report.memory_bytes) / gb);
           }},
          {"free_vram", [](const void* o) { return free_vram(worker_of(o).on->report); }},
          {"unified", [](const void* o) { return Value::boolean(worker_of(o).on->unified); }},
          Property::stored("models", [](const void* o) -> const Value& { return models_of(worker_of(o)); }),
          Property::stored("loaded", [](const void* o) -> const Value& { return loaded_of(worker_of(o)); }),
          {"queue", [](const void* o) { return queue_of(worker_of(o)); }},
          {"slots", [](const void* o) { return slots_of(worker_of(o)); }},
          {"busy", [](const void* o) { return busy_of(worker_of(o)); }},
          {"prompt_speed",
           [](const void* o) { return Value::floating(speeds_of(worker_of(o)).prompt_speed); }},
          {"speed", [](const void* o) { return Value::floating(speeds_of(worker_of(o)).speed); }},
          {"healthy",
           [](const void* o) { return Value::boolean(worker_of(o).on->report.state == WorkerState::ready); }},
          Property::stored("labels", [](const void* o) -> const Value& { return labels_of(worker_of(o)); }),
      }};
}

rhai::HostType script_request_type() {
  // The picture notes what a name means before the script is asked.
  const auto asked = [](const void* o) -> const ScriptPicture::Asked& {
    return picture_of(o).by_model.at(picture_of(o).request->model);
  };
  return {
      "Request",
      {
          Property::stored("model", [](const void* o) -> const Value& { return texts_of(o).model; }),
          {"model_size", [asked](const void* o) { return Value::integer(asked(o).parameters); }},
          {"quant", [asked](const void* o) { return asked(o).quant; }},
          {"prompt_tokens", [](const void* o) { return prompt_tokens(*picture_of(o).request); }},
          {"max_tokens",
           [](const void* o) {
             return Value::integer(static_cast<std::int64_t>(picture_of(o).request->max_tokens));
           }},
          {"context",
           [](const void* o) {
             const Request& request = *picture_of(o).request;
             return Value::integer(prompt_tokens(request).as_int() +
                                   static_cast<std::int64_t>(request.max_tokens));
           }},
          {"stream", [](const void* o) { return Value::boolean(picture_of(o).request->stream); }},
          Property::stored("priority", [](const void* o) -> const Value& { return texts_of(o).priority; }),
          Property::stored("user", [](const void* o) -> const Value& { return texts_of(o).user; }),
          Property::stored("session", [](const void* o) -> const Value& { return texts_of(o).session; }),
          {"needs_embedding",
           [](const void* o) { return Value::boolean(picture_of(o).request->needs_embedding); }},
          {"needs_vision", [](const void* o) { return Value::boolean(picture_of(o).request->needs_vision); }},
          {"needs_tools", [](const void* o) { return Value::boolean(picture_of(o).request->needs_tools); }},
      }};
}

}  // namespace rbee::routing
