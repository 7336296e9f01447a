// model fit and info: what a model needs, where it fits, what its file says.
#include "base/text.h"
#include "cli/commands.h"
#include "model/fit_json.h"
#include "model/model_parts.h"
#include "model/remote_model.h"
#include "model/source.h"
#include "model/store.h"

#include <nlohmann/json.hpp>

#include <map>

#include <algorithm>
#include <array>
#include <filesystem>

namespace rbee::cli {
namespace {

// The rules are a Vulkan device's: others keep nothing back on the host that it does not.
constexpr Backend gpu_rules = Backend::vulkan;

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

// Of a path, a name that this home knows, or whatever a download takes (of which some ranges are read).
Result<model::GgufHeader> header_of(const Context& context, const std::string& asked) {
  const Options& options = context.options;
  const Result<model::Source> source = model::parse_source(asked, options.quant, model::catalog());
  const bool is_file = source && source->kind == model::SourceKind::path;
  ModelFile named;
  if (is_file) named.path = source->location;
  const Result<ModelFile> known =
      is_file ? Result<ModelFile>(std::move(named)) : file_in_home(context, asked);
  if (known) {
    Result<model::ModelParts> parts = model::read_model(known->path);
    if (!parts) return parts.error();
    return std::move(parts->header);
  }
  if (!source) return source.error().code == ErrorCode::unknown_model ? known.error() : source.error();
  // The user's own command reads what its user names.
  model::WebSettings web = model::web_settings(context.environment.variables);
  web.allow_private = true;
  model::Source one = *source;
  if (one.kind == model::SourceKind::hub && one.quant.empty()) one.quant = model::recommended_quant;
  Result<model::RemoteModel> remote = model::read_remote_model(one, web, [] { return true; });
  if (!remote) return remote.error();
  return std::move(remote->quants.front().header);
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
  const std::string fits = text_of(place, "fits");
  if (fits == "part")
    return cat(get_int(place, "layers").value_or(0), " of ", get_int(place, "of_layers").value_or(0),
               " layers on the device");
  if (fits == "no") return cat("no: ", bytes_of(place, "short_by"), " too little");
  return fits;
}

std::string speed_text(const Json& place) {
  const std::optional<double> speed = get_number(place, "speed");
  if (!speed) return "unknown";
  const auto text = [](double tokens) { return fixed(tokens, tokens < 10 ? 1 : 0); };
  const std::optional<double> whole = get_number(place, "speed_if_whole");
  return cat("~", text(*speed), " tokens/s", whole ? cat(", ~", text(*whole), " if whole") : "");
}

// What the estimates of a worker are made of; the same for all of its quantizations but for the layers.
void note_sources(const Context& context, const Json& answer) {
  std::map<std::string, std::string> sources;
  for (const Json& row : get_array(answer, "table")) {
    for (const Json& place : get_array(row, "hives")) {
      if (const auto source = get_string(place, "speed_source"))
        sources.emplace(text_of(place, "worker"), *source);
    }
  }
  for (const auto& [worker, source] : sources)
    context.out.note(cat("Speeds of ", worker, " are estimates (~): ", source, "."));
}

Table places_table(const Json& answer) {
  Table table{
      {"QUANT", "SIZE", "HIVE", "WORKER", "FITS", "CONTEXT", "LONGEST", "NEEDS", "HOST", "HAS", "SPEED"}, {}};
  for (const Json& row : get_array(answer, "table")) {
    for (const Json& place : get_array(row, "hives")) {
      table.rows.push_back({text_of(row, "quant"), bytes_of(row, "bytes"), text_of(place, "hive"),
                            text_of(place, "worker"), verdict(place),
                            cat(get_int(place, "context").value_or(0)),
                            cat(get_int(place, "longest_context").value_or(0)), total_of(place, "device"),
                            total_of(place, "host"), bytes_of(place, "have"), speed_text(place)});
    }
  }
  return table;
}

// What cards people know hold, as the page that people come from has it; beside it the numbers of this
// model. GB.
struct RuleOfThumb {
  std::string_view size;
  int q8;
  int q5;
  int q4;
};
constexpr auto rules_of_thumb =
    std::to_array<RuleOfThumb>({{"7B", 8, 5, 4}, {"13B", 14, 9, 7}, {"70B", 70, 44, 35}});

Json rules_json() {
  Json list = Json::array();
  for (const RuleOfThumb& rule : rules_of_thumb)
    list.push_back({{"params", rule.size}, {"Q8", rule.q8}, {"Q5", rule.q5}, {"Q4", rule.q4}});
  return list;
}

// What this model takes in all, at the quantization of that column.
std::string exact_text(const Json& answer, std::string_view quant) {
  for (const Json& row : get_array(answer, "table")) {
    if (get_string(row, "quant") != quant) continue;
    for (const Json& place : get_array(row, "hives")) {
      const Json need = place.value("need", Json::object());
      const auto total = [&need](const char* pool) {
        return get_int(need.value(pool, Json::object()), "total").value_or(0);
      };
      return bytes_text(static_cast<std::uint64_t>(total("device") + total("host")));
    }
  }
  return "";
}

Table rules_table(const Json& answer) {
  Table table{{"SIZE", "Q8 (8-BIT)", "Q5 (5-BIT)", "Q4 (4-BIT) RECOMMENDED"}, {}};
  for (const RuleOfThumb& rule : rules_of_thumb) {
    table.rows.push_back({cat(rule.size, " params"), cat("~", rule.q8, " GB VRAM"),
                          cat("~", rule.q5, " GB VRAM"), cat("~", rule.q4, " GB VRAM")});
  }
  table.rows.push_back(
      {cat(std::filesystem::path(text_of(answer, "model")).filename().string(), ", computed"),
       exact_text(answer, "Q8_0"), exact_text(answer, "Q5_K_M"), exact_text(answer, "Q4_K_M")});
  return table;
}

Result<Json> question_of(const Options& options) {
  Json body = Json::object();
  const Result<model::Source> source = model::parse_source(options.model, options.quant, model::catalog());
  if (source && source->kind == model::SourceKind::path) {
    body["path"] = absolute(source->location);
  } else if (!source && source.error().code == ErrorCode::bad_request) {
    return source.error();
  } else {
    body["model"] = options.model;
    if (!options.quant.empty())
      body["quant"] = equal_ignoring_case(options.quant, "auto") ? "auto" : model::quant_of(options.quant);
    body["allow_private"] = options.allow_private;
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
  const Result<Json> question = question_of(options);
  if (!question) return question.error();
  Result<Json> answer = client.post("/api/v1/fit", *question);
  if (!answer) return answer.error();
  (*answer)["rules_of_thumb"] = rules_json();
  context.out.document(*answer);
  context.out.table(places_table(*answer));
  note_sources(context, *answer);
  bool estimated = false;
  bool placed = false;
  for (const Json& row : get_array(*answer, "table")) {
    placed = placed || !get_array(row, "hives").empty();
    if (get_bool(row, "general_rule").value_or(false)) note_general_rule(context, "");
    estimated = estimated || !get_bool(row, "exact").value_or(true);
  }
  if (!placed) {
    context.out.note(
        "No worker is in service, so there is nothing to fit it into: `rbee worker deploy` puts this "
        "system's "
        "devices in service; `--on gpu` says what it takes without.");
  }
  if (estimated)
    context.out.note("Of one quantization the header was read; the others are that with their files' sizes.");
  const Json choice = answer->value("choice", Json::object());
  if (const auto hive = get_string(choice, "hive"))
    context.out.note(cat("rbee would serve ", text_of(choice, "quant"), " on ", *hive, "."));
  if (context.out.style().tables) context.out.line("");
  context.out.table(rules_table(*answer));
  context.out.note("Speeds are estimates: memory bandwidth over the bytes that a token reads.");
  return {};
}

namespace {

// Of the model that a user names: the store's, or the one that lies beside the file. Empty where it has none.
std::string projector_of(const Context& context, const std::string& asked) {
  const Result<model::Source> source = model::parse_source(asked, "", model::catalog());
  if (source && source->kind == model::SourceKind::path)
    return model::projector_beside(absolute(source->location)).string();
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
    json["projector"] = nullptr;
    const auto read = projector.empty() ? model::Projector{} : model::read_projector(projector);
    if (!projector.empty() && read) {
      json["projector"] = {{"file", projector}, {"bytes", read->bytes}};
      table.rows.push_back({"projector", cat(projector, ", ", bytes_text(read->bytes))});
    }
    context.out.document(Json{{"model", std::move(json)}});
    context.out.table(table);
    return {};
  }
  const ErrorCode why = header.error().code;
  if (why != ErrorCode::unknown_model && why != ErrorCode::source_unreachable) return header.error();
  // Its file lies elsewhere: what the keeper knows of it.
  const Result<Json> answer = client.get("/api/v1/models");
  if (!answer) return header.error();
  std::vector<std::string> names;
  for (const Json& known : get_array(*answer, "models")) {
    names.push_back(text_of(known, "name"));
    if (names.back() != asked && text_of(known, "id") != asked) continue;
    context.out.document(Json{{"model", known}});
    context.out.line(dump_json_indented(known));
    return {};
  }
  if (why == ErrorCode::source_unreachable) return header.error();
  return Error{ErrorCode::unknown_model, cat("There is no model '", asked, "'."), did_you_mean(asked, names)};
}

}  // namespace rbee::cli
