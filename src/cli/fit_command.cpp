// model fit and info: what a model needs, where it fits, what its file says.
#include "base/text.h"
#include "cli/commands.h"
#include "model/fit_json.h"
#include "model/model_parts.h"
#include "model/range_source.h"
#include "model/store.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>

namespace rbee::cli {
namespace {

// The rules are a Vulkan device's: others keep nothing back on the host that it does not.
constexpr Backend gpu_rules = Backend::vulkan;

bool is_path(std::string_view text) {
  return text.starts_with('/') || text.starts_with("./") || text.starts_with("../") ||
         text.ends_with(".gguf");
}

bool is_url(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

// A file that a hive of this home knows by that name.
Result<ModelFile> file_in_home(const Context& context, const std::string& name) {
  const Error unknown{ErrorCode::unknown_model, cat("There is no model '", name, "' on this machine."),
                      "Name a file, an http URL, or a model of `rbee model list`."};
  const Result<model::ModelStore> store = model::ModelStore::open(context.paths.state / "models");
  if (!store) return unknown;
  const std::vector<ModelFile> files = store->find_by_name(name);
  if (files.empty()) return unknown;
  return files.front();
}

// Of a path, an http URL (of which some ranges are read), or a name that this home knows.
Result<model::GgufHeader> header_of(const Context& context, const std::string& asked) {
  if (is_url(asked)) {
    net::Loop loop(context.clock);
    const Result<std::unique_ptr<model::ByteSource>> source = model::open_http_source(loop, asked);
    if (!source) return source.error();
    return model::read_gguf(**source);
  }
  std::string path = asked;
  if (!is_path(asked)) {
    const Result<ModelFile> file = file_in_home(context, asked);
    if (!file) return file.error();
    path = file->path;
  }
  Result<model::ModelParts> parts = model::read_model(path);
  if (!parts) return parts.error();
  return std::move(parts->header);
}

struct Part {
  std::string_view name;
  std::uint64_t model::PoolNeed::* bytes;
};
constexpr auto parts_of_need = std::to_array<Part>({{"weights", &model::PoolNeed::weights},
                                                    {"cache", &model::PoolNeed::cache},
                                                    {"compute", &model::PoolNeed::compute},
                                                    {"output", &model::PoolNeed::output},
                                                    {"projector", &model::PoolNeed::projector},
                                                    {"overhead", &model::PoolNeed::overhead}});

Table need_table(const model::Need& need) {
  Table table{{"PART", "DEVICE", "HOST"}, {}};
  for (const Part& part : parts_of_need)
    table.rows.push_back(
        {std::string(part.name), bytes_text(need.device.*part.bytes), bytes_text(need.host.*part.bytes)});
  table.rows.push_back({"total", bytes_text(need.device.total()), bytes_text(need.host.total())});
  return table;
}

void note_general_rule(const Context& context, const std::string& architecture) {
  context.out.note(cat("The architecture ", architecture.empty() ? "" : cat("'", architecture, "' "),
                       "is not known: this is the general rule, which may be off."));
}

std::string bytes_of(const Json& object, std::string_view key) {
  return bytes_text(static_cast<std::uint64_t>(std::max<std::int64_t>(0, get_int(object, key).value_or(0))));
}

std::string total_of(const Json& place, std::string_view pool) {
  const Json need = place.value("need", Json::object());
  return bytes_of(need.value(std::string(pool), Json::object()), "total");
}

std::string verdict(const Json& place) {
  const std::string fits = get_string(place, "fits").value_or("");
  if (fits == "part")
    return cat(get_int(place, "layers").value_or(0), " of ", get_int(place, "of_layers").value_or(0),
               " layers on the device");
  if (fits == "no") return cat("no: ", bytes_of(place, "short_by"), " too little");
  return fits;
}

std::string speed_text(const Json& place) {
  const std::optional<double> speed = get_number(place, "speed");
  return speed ? cat("about ", fixed(*speed, *speed < 10 ? 1 : 0), " tokens/s") : "unknown";
}

Table places_table(const Json& answer) {
  Table table{
      {"QUANT", "SIZE", "HIVE", "WORKER", "FITS", "CONTEXT", "LONGEST", "NEEDS", "HOST", "HAS", "SPEED"}, {}};
  for (const Json& row : get_array(answer, "table")) {
    for (const Json& place : get_array(row, "hives")) {
      table.rows.push_back({get_string(row, "quant").value_or(""), bytes_of(row, "bytes"),
                            get_string(place, "hive").value_or(""), get_string(place, "worker").value_or(""),
                            verdict(place), cat(get_int(place, "context").value_or(0)),
                            cat(get_int(place, "longest_context").value_or(0)), total_of(place, "device"),
                            total_of(place, "host"), bytes_of(place, "have"), speed_text(place)});
    }
  }
  return table;
}

// The rules of thumb for cards that people know, beside the numbers for this model.
constexpr std::string_view rules_of_thumb =
    "Rules of thumb: 7B takes some 8 GB at Q8, 5 GB at Q5, 4 GB at Q4; 13B some 14, 9 and 7 GB; 70B some 70, "
    "44 and 35 GB.";

Json question_of(const Options& options) {
  Json body = Json::object();
  if (is_path(options.model)) {
    body["path"] = absolute(options.model);
  } else {
    body["model"] = options.model;
  }
  if (options.context) body["context"] = *options.context;
  if (options.slots) body["slots"] = *options.slots;
  if (!options.cache_type.empty()) body["cache_type"] = lower(options.cache_type);
  if (!options.kv.empty()) body["kv"] = lower(options.kv);
  return body;
}

Json header_json(const model::GgufHeader& header) {
  Json json{{"name", header.name},
            {"architecture", header.architecture},
            {"quant", header.quant},
            {"params", header.params},
            {"tensor_bytes", header.tensor_bytes},
            {"context_train", header.context_train},
            {"layers", header.block_count},
            {"vocabulary", header.vocabulary},
            {"tensors", header.tensors.size()}};
  Json metadata = Json::object();
  for (const auto& [key, value] : header.metadata) {
    if (const auto* text = std::get_if<std::string>(&value)) metadata[key] = *text;
    if (const auto* number = std::get_if<std::int64_t>(&value)) metadata[key] = *number;
    if (const auto* number = std::get_if<double>(&value)) metadata[key] = *number;
    if (const auto* flag = std::get_if<bool>(&value)) metadata[key] = *flag;
  }
  json["metadata"] = std::move(metadata);
  return json;
}

std::string params_text(std::uint64_t params) {
  constexpr std::uint64_t billion = 1'000'000'000;
  const auto count = static_cast<double>(params);
  return params < billion ? cat(fixed(count / 1e6, 1), " million") : cat(fixed(count / 1e9, 2), " billion");
}

Table header_table(const model::GgufHeader& header) {
  return Table{{"WHAT", "VALUE"},
               {{"name", header.name},
                {"architecture", header.architecture},
                {"quantization", header.quant},
                {"parameters", params_text(header.params)},
                {"weights", bytes_text(header.tensor_bytes)},
                {"trained context", cat(header.context_train)},
                {"layers", cat(header.block_count)},
                {"vocabulary", cat(header.vocabulary)},
                {"license", header.text("general.license").value_or("")}}};
}

}  // namespace

Result<void> run_fit_on(const Context& context) {
  const Options& options = context.options;
  const Result<model::GgufHeader> header = header_of(context, options.model);
  if (!header) return header.error();
  const std::uint32_t own = header->context_train > 0 ? header->context_train : model::unknown_context;
  const bool gpu = equal_ignoring_case(options.on, "gpu");
  model::MemoryPlan plan{.context = options.context.value_or(std::min(own, model::largest_default_context)),
                         .slots = static_cast<int>(options.slots.value_or(model::default_slots)),
                         .cache = equal_ignoring_case(options.cache_type, "q8_0") ? model::CacheType::q8_0
                                                                                  : model::CacheType::f16,
                         .unified = !equal_ignoring_case(options.kv, "split"),
                         .backend = gpu ? gpu_rules : Backend::cpu};
  const std::uint32_t all = model::all_layers(*header);
  const std::uint32_t layers = gpu ? std::min(options.layers.value_or(all), all) : 0;
  if (gpu && layers < all) plan.gpu_layers = layers;
  const model::Need need = model::memory_need(*header, plan);
  const bool general = !model::is_known_architecture(*header);
  context.out.document(Json{{"model", options.model},
                            {"quant", header->quant},
                            {"context", plan.context},
                            {"slots", plan.slots},
                            {"layers", layers},
                            {"need", model::to_json(need)},
                            {"general_rule", general}});
  context.out.table(need_table(need));
  if (general) note_general_rule(context, header->architecture);
  return {};
}

Result<void> run_model_fit(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  if (options.layers)
    return Error{ErrorCode::bad_usage, "`rbee model fit`: --layers needs --on gpu.",
                 "Without --on, each worker's own number of layers is found."};
  if (is_url(options.model))
    return Error{ErrorCode::bad_usage, cat("'", options.model, "' is not here yet."),
                 "--on gpu or --on cpu reads its header over the network."};
  const Result<Json> answer = client.post("/api/v1/fit", question_of(options));
  if (!answer) return answer.error();
  context.out.document(*answer);
  context.out.table(places_table(*answer));
  for (const Json& row : get_array(*answer, "table")) {
    if (get_bool(row, "general_rule").value_or(false)) note_general_rule(context, "");
  }
  const Json choice = answer->value("choice", Json::object());
  if (const auto hive = get_string(choice, "hive"))
    context.out.note(cat("rbee would serve ", get_string(choice, "quant").value_or(""), " on ", *hive, "."));
  context.out.note(rules_of_thumb);
  return {};
}

namespace {

// Of the model that a user names: the store's, or the one that lies beside the file. Empty where it has none.
std::string projector_of(const Context& context, const std::string& asked) {
  if (is_url(asked)) return {};
  if (is_path(asked)) return model::projector_beside(absolute(asked)).string();
  const Result<ModelFile> file = file_in_home(context, asked);
  return file ? file->projector : std::string();
}

}  // namespace

Result<void> run_model_info(const Context& context, AdminClient& client) {
  const std::string& asked = context.options.model;
  Result<model::GgufHeader> header = header_of(context, asked);
  if (header) {
    Json json = header_json(*header);
    Table table = header_table(*header);
    const std::string projector = projector_of(context, asked);
    const Result<std::uint64_t> bytes = projector.empty() ? 0 : model::projector_size(projector);
    json["projector"] = nullptr;
    if (!projector.empty() && bytes) {
      json["projector"] = {{"file", projector}, {"bytes", *bytes}};
      table.rows.push_back({"projector", cat(projector, ", ", bytes_text(*bytes))});
    }
    context.out.document(Json{{"model", std::move(json)}});
    context.out.table(table);
    return {};
  }
  if (is_path(asked) || is_url(asked) || header.error().code != ErrorCode::unknown_model)
    return header.error();
  // Its file lies elsewhere: what the keeper knows of it.
  const Result<Json> answer = client.get("/api/v1/models");
  if (!answer) return header.error();
  std::vector<std::string> names;
  for (const Json& known : get_array(*answer, "models")) {
    names.push_back(get_string(known, "name").value_or(""));
    if (names.back() != asked && get_string(known, "id").value_or("") != asked) continue;
    context.out.document(Json{{"model", known}});
    context.out.line(dump_json_indented(known));
    return {};
  }
  return Error{ErrorCode::unknown_model, cat("There is no model '", asked, "'."), did_you_mean(asked, names)};
}

}  // namespace rbee::cli
