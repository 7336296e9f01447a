#include "cli/config.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/routing_config.h"
#include "domain/model_name.h"
#include "engine/allowed_args.h"

#include <toml++/toml.h>

#include <array>
#include <cctype>
#include <map>
#include <vector>

namespace rbee::cli {
namespace {

using enum KeyType;

// Far above any configuration a person writes.
constexpr std::size_t largest_file_bytes = 1u << 20;

constexpr auto keys = std::to_array<ConfigKey>({
    {"keeper.listen", text, "127.0.0.1:7833", "", "Address and port for clients.", true},
    {"keeper.tls", KeyType::tls, "auto", "",
     "Off loopback: \"auto\", a certificate of its own; { cert, key }, the files of yours; \"off\", plain.",
     true},
    {"keeper.allow_origins", texts, "", "", "Web pages that may ask: \"https://chat.example\", or \"*\".",
     true},
    {"keeper.hive_gone_after", duration, "2s", "time", "Silence after which a hive counts as gone.", true},
    {"keeper.wake_address", text, "", "", "Where packets that wake a hive go; else to the whole network.",
     true},
    {"keeper.benchmark", yields, "auto", "",
     "Measure workers that were deployed, in idle time; or \"never\".", true},
    {"keeper.max_body", integer, "64", "MiB", "Largest body of a request; beyond: 413.", true},
    {"keeper.max_connections", integer, "16384", "connections", "Of all clients; beyond: 503.", true},
    {"keeper.max_connections_per_client", integer, "4096", "connections",
     "Of one address (IPv6: one /64); beyond: 429. 0: no limit.", true},
    {"keeper.sign_of_life", duration, "10s", "time",
     "How often a stream that waits gets a comment, from then on as a 200. \"0s\": never.", true},
    {"keeper.drain", duration, "20s", "time", "What running answers have to end when the keeper stops.",
     true},
    {"keeper.access_log", text, "", "",
     "A file (or \"stderr\") that gets one line of JSON for each request; relative to the state folder.",
     true},
    {"keeper.otlp", text, "", "", "Where spans go: \"http://127.0.0.1:4318\", a collector's OTLP over HTTP.",
     true},
    {"hive.yield", yields, "auto", "", "Give way to other programs that take the device; or \"never\".",
     true},
    {"hive.yield_after", duration, "30s", "time", "What running requests then have to end.", true},
    {"hive.yield_back_after", duration, "60s", "time", "How long the device must be free again.", true},
    {"hive.labels", labels, "", "", "What rules and scripts may ask of its workers: { room = \"cellar\" }.",
     true},
    {"routing.strategy", text, "capability-aware", "", "How one of several workers is chosen.", true},
    {"routing.max_queue", integer, "256", "requests", "Requests that may wait, per model.", true},
    {"routing.max_wait", duration, "60s", "time", "Longest wait in the queue, without loading.", true},
    {"routing.cpu_fallback", text_or_false, "<15B", "", "Sizes that a CPU may serve as the last resort.",
     true},
    {"routing.prefer_weight", number, "3.0", "times", "How much slower an unlisted backend counts.", true},
    {"routing.resume_streams", boolean, "true", "", "Go on with a broken stream on another worker.", true},
    {"routing.hedge", boolean, "false", "", "Put a stream that begins late to a second worker too.", true},
    {"routing.rules[].model", text, "", "", "Models that the rule is for, with *.", true},
    {"routing.rules[].model_size", size_range, "", "parameters", "Sizes that the rule is for.", true},
    {"routing.rules[].prefer_backends", texts, "", "", "Backends in the order of preference.", true},
    {"routing.rules[].require_backends", texts, "", "", "The only backends that may serve.", true},
    {"routing.rules[].min_vram", number, "", "GB", "Least memory of a card, as marketed.", true},
    {"routing.rules[].min_quant", text, "", "", "Coarsest quantization that may serve.", true},
    {"routing.rules[].max_queue", integer, "", "requests", "Requests that may wait under the rule.", true},
    {"routing.rules[].user", text, "", "", "The user that the rule is for.", true},
    {"routing.rules[].labels", texts, "", "", "Labels that a worker must have.", true},
    {"routing.script.max_operations", integer, "1000000", "steps", "Longest run of the script.", true},
    {"routing.script.max_depth", integer, "64", "calls", "Deepest nesting of the script.", true},
    {"models.*.context", integer, "", "tokens", "What one request may use.", true},
    {"models.*.slots", integer, "", "requests", "Requests at once in one engine.", true},
    {"models.*.keep_alive", KeyType::keep_alive, "10m", "time",
     "Idle time before its engines go; or \"forever\", which nothing puts out.", true},
    {"models.*.preload", boolean, "false", "", "Load it before the first request.", true},
    {"models.*.offload", offload, "auto", "", "Layers on the CPU where no card holds it; or \"never\".",
     true},
    {"models.*.cache_type", KeyType::cache_type, "f16", "", "Of the KV cache: f16 or q8_0.", true},
    {"models.*.aliases", texts, "", "", "Other names it answers to.", true},
    {"models.*.args", texts, "", "", "Further arguments of its engine, from a list (docs/cli.md).", true},
});

struct Place {
  std::string_view file;
  toml::source_region region;
};

Error bad_config_at(const Place& place, std::string message, std::string hint) {
  const toml::source_position& at = place.region.begin;
  return Error{ErrorCode::bad_config, cat(place.file, ":", at.line, ":", at.column, ": ", message),
               std::move(hint)};
}

std::vector<std::string> key_names() {
  std::vector<std::string> names;
  for (const ConfigKey& key : keys) names.emplace_back(key.path);
  return names;
}

const ConfigKey* find_key(std::string_view path) {
  for (const ConfigKey& key : keys) {
    if (key.path == path) return &key;
  }
  return nullptr;
}

bool is_table_of_keys(std::string_view path) {
  for (const ConfigKey& key : keys) {
    if (key.path.starts_with(path) && key.path.substr(path.size()).starts_with('.')) return true;
  }
  return false;
}

bool all_texts(const toml::node& node) {
  const toml::array* list = node.as_array();
  return list != nullptr && (list->empty() || list->is_homogeneous(toml::node_type::string));
}

// A rule writes "name=value", so a name has no "=" in it.
bool all_labels(const toml::node& node) {
  const toml::table* table = node.as_table();
  if (table == nullptr) return false;
  return std::ranges::all_of(*table, [](const auto& label) {
    const std::string_view name = label.first.str();
    return label.second.is_string() && !name.empty() && name.find('=') == std::string_view::npos;
  });
}

bool is_one_of(const toml::node& node, std::string_view first, std::string_view second) {
  const std::string value = node.value_or<std::string>("");
  return value == first || value == second;
}

bool is_tls(const toml::node& node) {
  const toml::table* files = node.as_table();
  if (files == nullptr) return is_one_of(node, "auto", "off");
  return files->size() == 2 && files->get_as<std::string>("cert") != nullptr &&
         files->get_as<std::string>("key") != nullptr;
}

bool has_type(const toml::node& node, KeyType type) {
  switch (type) {
    case text:
    case size_range: return node.is_string();
    case integer: return node.is_integer() && node.value_or<std::int64_t>(-1) >= 0;
    case number: return node.is_number();
    case boolean: return node.is_boolean();
    case duration: return node.is_string() && parse_duration(node.value_or<std::string>("")).has_value();
    case text_or_false: return node.is_string() || (node.is_boolean() && !node.value_or(true));
    case texts: return all_texts(node);
    case labels: return all_labels(node);
    case KeyType::cache_type: return is_one_of(node, "f16", "q8_0");
    case offload:
    case KeyType::yields: return is_one_of(node, "auto", "never");
    case KeyType::tls: return is_tls(node);
    case KeyType::keep_alive: return is_one_of(node, "forever", "") || has_type(node, duration);
  }
  return false;
}

class Checker {
 public:
  explicit Checker(std::string_view file) : file_(file) {}

  Result<void> check_table(const toml::table& table, const std::string& path) {
    for (const auto& [key, node] : table) {
      const std::string below = path.empty() ? "" : cat(path, ".");
      const std::string_view name = path == "models" ? std::string_view("*") : key.str();
      const Result<void> checked = check_node(node, cat(below, name), {file_, key.source()});
      if (!checked) return checked;
    }
    return {};
  }

 private:
  Result<void> check_node(const toml::node& node, const std::string& path, const Place& at) {
    if (const ConfigKey* key = find_key(path)) return check_value(node, *key);
    if (is_table_of_keys(path)) {
      if (const toml::table* table = node.as_table()) return check_table(*table, path);
      return bad_config_at(at, cat("'", path, "' is a table."),
                           cat("Write [", path, "] and its keys below."));
    }
    const std::string element = cat(path, "[]");
    if (is_table_of_keys(element)) return check_list(node, element, at);
    const std::vector<std::string> names = key_names();
    const std::string near = did_you_mean(path, names);
    return bad_config_at(at, cat("There is no key '", path, "'."),
                         near.empty() ? "docs/cli.md lists the keys of rbee.toml." : near);
  }

  Result<void> check_list(const toml::node& node, const std::string& element, const Place& at) {
    const std::string name = element.substr(0, element.size() - 2);
    const toml::array* list = node.as_array();
    if (list == nullptr || !list->is_array_of_tables()) {
      return bad_config_at(at, cat("'", name, "' is a list of tables."),
                           cat("Write [[", name, "]] before each."));
    }
    for (const toml::node& entry : *list) {
      const Result<void> checked = check_table(*entry.as_table(), element);
      if (!checked) return checked;
    }
    return {};
  }

  Result<void> check_value(const toml::node& node, const ConfigKey& key) {
    if (has_type(node, key.type)) return {};
    return bad_config_at({file_, node.source()},
                         cat("'", key.path, "' must be ", key_type_name(key.type), "."),
                         key.standard.empty() ? std::string(key.sentence)
                                              : cat("By default it is ", key.standard, ". ", key.sentence));
  }

  std::string_view file_;
};

// Far above what memory could hold; a number beyond it is as good as that.
constexpr std::int64_t largest_setting = 1 << 24;

std::vector<std::string> texts_of(const toml::array* list) {
  std::vector<std::string> texts;
  if (list == nullptr) return texts;
  for (const toml::node& one : *list) texts.push_back(one.value_or(std::string()));
  return texts;
}

keeper::KeeperTls tls_of(const toml::table& table) {
  using Mode = keeper::KeeperTls::Mode;
  const auto node = table.at_path("keeper.tls");
  if (!node.is_table()) return {.mode = node.value_or(std::string("auto")) == "off" ? Mode::off : Mode::own};
  return {.mode = Mode::files,
          .certificate_file = node["cert"].value_or(std::string()),
          .key_file = node["key"].value_or(std::string())};
}

ModelSettings model_settings(const toml::table& table) {
  const auto number = [&table](std::string_view key) {
    return std::min(table[key].value_or(std::int64_t{0}), largest_setting);
  };
  ModelSettings settings;
  settings.context = static_cast<std::uint32_t>(number("context"));
  settings.slots = static_cast<int>(number("slots"));
  settings.may_offload = table["offload"].value_or(std::string("auto")) != "never";
  settings.cache_type = table["cache_type"].value_or(settings.cache_type);
  settings.preload = table["preload"].value_or(false);
  settings.aliases = texts_of(table["aliases"].as_array());
  settings.args = texts_of(table["args"].as_array());
  const std::string keep_alive = table["keep_alive"].value_or(std::string());
  if (keep_alive == "forever") {
    settings.keep_alive.reset();
  } else if (const Result<Milliseconds> time = parse_duration(keep_alive)) {
    settings.keep_alive = *time;
  }
  return settings;
}

// What one table of a model's settings says that no type can check.
Result<void> check_model(const std::string& name, const ModelSettings& settings, const toml::table& table,
                         std::string_view file) {
  for (const std::string& alias : settings.aliases) {
    if (const Result<void> good = check_name(alias); !good)
      return bad_config_at({file, table.get("aliases")->source()}, good.error().message, good.error().hint);
    if (equal_ignoring_case(alias, name))
      return bad_config_at({file, table.get("aliases")->source()},
                           cat("'", alias, "' is the model's own name."), "Leave it out.");
  }
  if (const Result<void> good = engine::check_engine_args(settings.args); !good)
    return bad_config_at({file, table.get("args")->source()}, good.error().message, good.error().hint);
  return {};
}

// MiB of a body: more would not fit a keeper's memory some dozen times.
constexpr std::int64_t largest_body_mib = 4096;
constexpr std::uint16_t otlp_port = 4318;

Result<void> take_clients(const toml::table& table, std::string_view file, Config& config) {
  const auto number = [&table](const char* key, std::uint64_t standard) {
    const auto given = table.at_path(key).value<std::int64_t>();
    return given ? static_cast<std::uint64_t>(std::min(*given, largest_setting)) : standard;
  };
  keeper::ClientLimits& limits = config.limits;
  const std::uint64_t mib = number("keeper.max_body", limits.largest_body_bytes >> 20);
  limits.largest_body_bytes = std::min<std::uint64_t>(mib, largest_body_mib) << 20;
  limits.most_connections = number("keeper.max_connections", limits.most_connections);
  limits.most_connections_per_client =
      number("keeper.max_connections_per_client", limits.most_connections_per_client);
  config.telling.access_log = table.at_path("keeper.access_log").value_or(std::string());
  const auto otlp = table.at_path("keeper.otlp");
  const std::string collector = otlp.value_or(std::string());
  if (collector.empty()) return {};
  Result<net::Endpoint> endpoint = net::parse_endpoint(collector, otlp_port);
  if (endpoint && !collector.starts_with("https:") && !endpoint->is_unix()) {
    config.telling.otlp = std::move(*endpoint);
    return {};
  }
  return bad_config_at({file, otlp.node()->source()}, cat("'", collector, "' is no address of a collector."),
                       "Write \"http://ADDRESS:PORT\", with a numeric address; TLS is not spoken there.");
}

// A name must lead to one model.
Result<void> check_aliases(const ModelSettingsByName& models, const toml::table& tables,
                           std::string_view file) {
  std::map<std::string, std::string> owners;
  for (const auto& [name, settings] : models) owners.emplace(lower(name), name);
  for (const auto& [name, settings] : models) {
    for (const std::string& alias : settings.aliases) {
      const auto [at, first] = owners.emplace(lower(alias), name);
      if (first || at->second == name) continue;
      return bad_config_at(
          {file, tables[name].node()->source()},
          cat("'", alias, "' stands for '", at->second, "' already, and here for '", name, "'."),
          "Give each alias to one model.");
    }
  }
  return {};
}

Result<Config> take_values(const toml::table& table, std::string_view file) {
  Config config;
  config.keeper_listen = table.at_path("keeper.listen").value_or(config.keeper_listen);
  config.keeper_tls = tls_of(table);
  config.allow_origins = texts_of(table.at_path("keeper.allow_origins").as_array());
  if (const toml::table* labels = table.at_path("hive.labels").as_table()) {
    for (const auto& [name, value] : *labels)
      config.hive_labels.emplace(name.str(), value.value_or(std::string()));
  }
  const auto take_time = [&table](const char* key, Milliseconds& time) {
    const auto text = table.at_path(key).value<std::string>();
    const Result<Milliseconds> parsed = text ? parse_duration(*text) : time;
    if (parsed) time = *parsed;
  };
  take_time("keeper.hive_gone_after", config.hive_gone_after);
  take_time("keeper.sign_of_life", config.sign_of_life);
  take_time("keeper.drain", config.drain);
  if (const Result<void> taken = take_clients(table, file, config); !taken) return taken.error();
  config.wake_address = table.at_path("keeper.wake_address").value_or(std::string());
  config.benchmark = table.at_path("keeper.benchmark").value_or<std::string>("auto") != "never";
  config.yields = table.at_path("hive.yield").value_or<std::string>("auto") != "never";
  take_time("hive.yield_after", config.yield_after);
  take_time("hive.yield_back_after", config.yield_back_after);
  Result<routing::RouterSettings> routing = take_routing(table, file);
  if (!routing) return routing.error();
  config.routing = std::move(*routing);
  const Result<routing::ScriptLimits> script = take_script(table, file);
  if (!script) return script.error();
  config.script = *script;
  if (const toml::table* models = table["models"].as_table()) {
    for (const auto& [name, node] : *models) {
      ModelSettings settings = model_settings(*node.as_table());
      const Result<void> good = check_model(std::string(name.str()), settings, *node.as_table(), file);
      if (!good) return good.error();
      config.models.emplace(name.str(), std::move(settings));
    }
    const Result<void> clear = check_aliases(config.models, *models, file);
    if (!clear) return clear.error();
  }
  return config;
}

}  // namespace

std::string_view key_type_name(KeyType type) {
  switch (type) {
    case text: return "a text in quotes";
    case integer: return "a whole number, 0 or more";
    case number: return "a number";
    case boolean: return "true or false";
    case duration: return "a duration like \"30s\"";
    case size_range: return "a size like \">40B\" or \"7B..13B\"";
    case text_or_false: return "a text in quotes, or false";
    case texts: return "a list of texts";
    case labels: return "a table of names, without '=', and texts";
    case KeyType::cache_type: return "\"f16\" or \"q8_0\"";
    case offload:
    case KeyType::yields: return "\"auto\" or \"never\"";
    case KeyType::tls: return "\"auto\", \"off\", or { cert = \"...\", key = \"...\" }";
    case KeyType::keep_alive: return "a duration like \"10m\", or \"forever\"";
  }
  return "";
}

std::span<const ConfigKey> config_keys() { return keys; }

Result<Config> parse_config(std::string_view text, std::string_view file) {
  try {
    const toml::table table = toml::parse(text, file);
    const Result<void> checked = Checker(file).check_table(table, "");
    if (!checked) return checked.error();
    return take_values(table, file);
  } catch (const toml::parse_error& failure) {
    return bad_config_at({file, failure.source()}, cat(failure.description(), "."),
                         "See https://toml.io for the form.");
  }
}

Result<Config> read_config(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return Config{};
  const Result<std::string> content = read_file(file, largest_file_bytes);
  if (!content) return content.error();
  return parse_config(*content, file.string());
}

Result<Milliseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t ms;
  };
  constexpr auto units =
      std::to_array<Unit>({{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}});
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  // Nine digits of days still fit 64 bits of milliseconds.
  if (digits > 0 && digits <= 9) {
    for (const Unit& unit : units) {
      if (text.substr(digits) != unit.name) continue;
      return Milliseconds(*parse_int<std::int64_t>(text.substr(0, digits)) * unit.ms);
    }
  }
  return Error{ErrorCode::bad_config, cat("'", text, "' is no duration."),
               "Write a number and ms, s, m, h or d: \"60s\"."};
}

}  // namespace rbee::cli
