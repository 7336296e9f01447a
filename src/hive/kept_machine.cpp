#include "hive/kept_machine.h"

#include "base/file.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace rbee::hive {
namespace {

// 1 kB for each device.
constexpr std::size_t largest_bytes = 1u << 20;

std::string places_text(const device::ProbeOptions& options) {
  if (!options.library_folders) return options.root.string();
  return cat(options.root.string(), " ", join(*options.library_folders, ":"));
}

}  // namespace

std::filesystem::path kept_machine_file(const std::filesystem::path& state) {
  return state / "hive" / "machine.json";
}

std::optional<KeptMachine> parse_kept_machine(std::string_view text, const device::ProbeOptions& of) {
  const Result<Json> json = parse_json(text);
  if (!json || get_string(*json, "looked_at") != places_text(of)) return std::nullopt;
  const std::int64_t at = get_int(*json, "at_unix_ms").value_or(0);
  const auto found = json->find("machine");
  if (at <= 0 || found == json->end()) return std::nullopt;
  Result<Machine> machine = machine_from_json(*found);
  if (!machine) return std::nullopt;
  return KeptMachine{.machine = std::move(*machine), .at_unix_ms = at};
}

std::optional<KeptMachine> read_kept_machine(const std::filesystem::path& file,
                                             const device::ProbeOptions& of) {
  const Result<std::string> text = read_file(file, largest_bytes);
  return text ? parse_kept_machine(*text, of) : std::nullopt;
}

std::string kept_machine_text(const KeptMachine& kept, const device::ProbeOptions& of) {
  Json json{{"looked_at", places_text(of)}, {"at_unix_ms", kept.at_unix_ms}};
  json["machine"] = to_json(kept.machine);
  return dump_json(json) + "\n";
}

std::string age_text(const KeptMachine& kept, std::int64_t now_unix_ms) {
  const std::int64_t age_ms = now_unix_ms - kept.at_unix_ms;
  if (age_ms < 0) return "some time ago";
  constexpr std::int64_t hour_ms = 3'600'000;
  if (age_ms < 2 * hour_ms) return cat(duration_text(static_cast<double>(age_ms) / 1000), " ago");
  const std::int64_t hours = age_ms / hour_ms;
  return hours < 48 ? cat(hours, " hours ago") : cat(hours / 24, " days ago");
}

}  // namespace rbee::hive
