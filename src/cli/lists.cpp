#include "cli/lists.h"

#include "base/text.h"
#include "routing/fleet_speeds.h"

#include <nlohmann/json.hpp>

#include <vector>

namespace rbee::cli {
namespace {

std::string count_of(const Json& object, std::string_view key) {
  const auto number = get_int(object, key);
  return number ? cat(*number) : "";
}

std::string bytes_of(const Json& object, std::string_view key) {
  const auto bytes = get_int(object, key);
  return bytes && *bytes > 0 ? bytes_text(static_cast<std::uint64_t>(*bytes)) : "";
}

// Without the decimals that no sensor knows; empty for what is not known.
std::string figure_of(const Json& object, std::string_view key, std::string_view unit) {
  const auto number = get_number(object, key);
  return number ? cat(fixed(*number, 0), unit) : std::string();
}

// A card's: empty for what has none, a CPU.
std::string vram_of(const Json& worker, std::string_view key) {
  const double card = get_number(worker, "vram").value_or(0);
  const auto number = get_number(worker, key);
  return card > 0 && number ? cat(fixed(*number, *number < 10 ? 1 : 0), " GB") : "";
}

// "8.0 B", "1.0 M": parameters, as the names of models count them.
std::string params_text(const Json& model) {
  const auto params = get_int(model, "params");
  if (!params || *params <= 0) return "";
  const auto count = static_cast<double>(*params);
  return *params < 1'000'000'000 ? cat(fixed(count / 1e6, 1), "M") : cat(fixed(count / 1e9, 1), "B");
}

std::string joined(const Json& object, std::string_view key) {
  std::vector<std::string> parts;
  for (const Json& part : get_array(object, key)) {
    if (part.is_string()) parts.push_back(part.get<std::string>());
  }
  return join(parts, ", ");
}

std::string state_text(const Json& object) {
  const std::string reason = text_of(object, "reason");
  return reason.empty() ? text_of(object, "state") : cat(text_of(object, "state"), ": ", reason);
}

std::string seen_text(const Json& hive) {
  const auto ago = get_int(hive, "last_seen_ms");
  return ago ? cat(duration_text(static_cast<double>(*ago) / 1000), " ago") : "";
}

// "llama-3.1-70b-q4_k_m (55% on the device, ~3.1 tokens/s by estimate)".
std::string loaded_text(const Json& model) {
  std::vector<std::string> notes;
  const double offload = get_number(model, "offload").value_or(1);
  if (offload < 1) notes.push_back(cat(fixed(offload * 100, 0), "% on the device"));
  if (const auto speed = get_number(model, "speed"))
    notes.push_back(routing::speed_text(*speed, routing::speed_from_of(text_of(model, "speed_from"))));
  const std::string name = text_of(model, "name");
  return notes.empty() ? name : cat(name, " (", join(notes, ", "), ")");
}

std::string worker_models(const Json& worker) {
  std::vector<std::string> names;
  for (const Json& model : get_array(worker, "models")) {
    if (get_bool(model, "loaded").value_or(false)) names.push_back(loaded_text(model));
  }
  return join(names, ", ");
}

std::string backend_text(const Json& backend) {
  const std::string version = text_of(backend, "version");
  const std::string name =
      version.empty() ? text_of(backend, "name") : cat(text_of(backend, "name"), " ", version);
  if (!get_bool(backend, "usable").value_or(false))
    return cat(name, ": not usable: ", text_of(backend, "reason"));
  return cat(name, ": engine ", text_of(backend, "engine"));
}

}  // namespace

Table hives_table(const Json& answer) {
  Table table{{"HIVE", "STATE", "ADDRESS", "WORKERS", "SEEN", "VERSION"}, {}};
  for (const Json& hive : get_array(answer, "hives")) {
    table.rows.push_back({text_of(hive, "name"), text_of(hive, "state"), text_of(hive, "address"),
                          count_of(hive, "workers"), seen_text(hive), text_of(hive, "version")});
  }
  return table;
}

Table workers_table(const Json& answer) {
  Table table{
      {"WORKER", "HIVE", "BACKEND", "DEVICE", "STATE", "VRAM", "FREE", "BUSY", "SLOTS", "QUEUE", "LOADED"},
      {}};
  for (const Json& worker : get_array(answer, "workers")) {
    table.rows.push_back({text_of(worker, "name"), text_of(worker, "hive"), text_of(worker, "backend"),
                          text_of(worker, "device"), state_text(worker), vram_of(worker, "vram"),
                          vram_of(worker, "free_vram"), count_of(worker, "busy"), count_of(worker, "slots"),
                          count_of(worker, "queue"), worker_models(worker)});
  }
  return table;
}

Table models_table(const Json& answer) {
  Table table{{"MODEL", "QUANT", "PARAMS", "SIZE", "HIVES", "LOADED ON"}, {}};
  for (const Json& model : get_array(answer, "models")) {
    table.rows.push_back({text_of(model, "name"), text_of(model, "quant"), params_text(model),
                          bytes_of(model, "bytes"), joined(model, "hives"), joined(model, "loaded_on")});
  }
  return table;
}

Table devices_table(const Json& machine) {
  Table table{{"DEVICE", "ID", "KIND", "MEMORY", "FREE", "LOAD", "TEMP", "POWER", "BACKENDS"}, {}};
  for (const Json& device : get_array(machine, "devices")) {
    std::vector<std::string> backends;
    for (const Json& backend : get_array(device, "backends")) backends.push_back(backend_text(backend));
    table.rows.push_back({text_of(device, "name"), text_of(device, "id"), text_of(device, "kind"),
                          bytes_of(device, "memory_bytes"), bytes_of(device, "usable_bytes"),
                          figure_of(device, "load_percent", " %"), figure_of(device, "temperature_c", " °C"),
                          figure_of(device, "power_w", " W"), join(backends, "; ")});
  }
  return table;
}

Table engines_table(const Json& worker) {
  Table table{{"ENGINE", "MODEL", "STATE", "BUSY", "SLOTS", "CONTEXT", "MEMORY"}, {}};
  for (const Json& engine : get_array(worker, "engines")) {
    table.rows.push_back({text_of(engine, "id"), text_of(engine, "model"), state_text(engine),
                          count_of(engine, "busy"), count_of(engine, "slots"), count_of(engine, "context"),
                          bytes_of(engine, "memory_bytes")});
  }
  return table;
}

std::string status_text(const Json& status, bool aligned) {
  const Json& keeper = get_array(status, "keeper");
  const Json& requests = get_array(status, "requests");
  std::string text =
      cat("keeper ", text_of(keeper, "address"), ", version ", text_of(keeper, "version"), ", up for ",
          duration_text(get_number(keeper, "uptime_s").value_or(0)), "\nrequests ",
          count_of(requests, "running"), " running, ", count_of(requests, "waiting"), " waiting\n");
  const Table tables[] = {hives_table(status), workers_table(status), models_table(status)};
  for (const Table& table : tables) {
    if (aligned) text += '\n';
    if (!table.rows.empty()) {
      text += aligned ? format_aligned(table) : format_plain(table);
    } else if (aligned) {
      text += cat("no ", lower(table.header.front()), "s yet\n");
    }
  }
  for (const Json& warning : get_array(status, "warnings")) {
    if (warning.is_string()) text += cat("warning: ", warning.get<std::string>(), "\n");
  }
  return text;
}

}  // namespace rbee::cli
