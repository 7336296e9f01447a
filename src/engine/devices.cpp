#include "engine/devices.h"

#include "base/text.h"
#include "engine/child.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace rbee::engine {
namespace {

// A driver's first start may compile shaders for tens of seconds; beyond this it hangs.
constexpr std::chrono::milliseconds longest_listing{60'000};
// What is kept of the listing; a machine with 1,000 devices is far below.
constexpr std::size_t largest_listing_bytes = 1u << 20;
constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint64_t most_mib = 1u << 30;  // 1 PiB: more is no device

bool is_device_name(std::string_view name) {
  const auto is_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_-[]:.").find(c) != std::string_view::npos;
  };
  return !name.empty() && std::ranges::all_of(name, is_part);
}

// "  Vulkan0: llvmpipe (LLVM 15.0.6, 256 bits) (2048 MiB, 2048 MiB free)". The description may have
// parentheses and colons of its own, so the sizes are taken from the end.
std::optional<EngineDevice> device_of(std::string_view line) {
  if (!line.starts_with("  ")) return std::nullopt;
  line = trim(line);
  const std::size_t colon = line.find(": ");
  const std::size_t sizes = line.rfind(" (");
  if (colon == std::string_view::npos || sizes == std::string_view::npos || sizes < colon + 2)
    return std::nullopt;
  if (!line.ends_with(" MiB free)") || !is_device_name(line.substr(0, colon))) return std::nullopt;
  std::string_view numbers = line.substr(sizes + 2);
  numbers.remove_suffix(std::string_view(" MiB free)").size());
  const std::size_t comma = numbers.find(" MiB, ");
  if (comma == std::string_view::npos) return std::nullopt;
  const auto total = parse_int<std::uint64_t>(numbers.substr(0, comma));
  const auto free = parse_int<std::uint64_t>(numbers.substr(comma + std::string_view(" MiB, ").size()));
  if (!total || !free || *total > most_mib || *free > most_mib) return std::nullopt;
  return EngineDevice{.name = std::string(line.substr(0, colon)),
                      .description = std::string(line.substr(colon + 2, sizes - colon - 2)),
                      .total_bytes = *total * mib,
                      .free_bytes = *free * mib};
}

}  // namespace

std::vector<EngineDevice> parse_engine_devices(std::string_view text) {
  std::vector<EngineDevice> devices;
  for (const std::string_view line : split(text, '\n')) {
    if (std::optional<EngineDevice> device = device_of(line)) devices.push_back(std::move(*device));
  }
  return devices;
}

Result<std::vector<EngineDevice>> list_engine_devices(const std::string& server,
                                                      const std::vector<std::string>& environment) {
  std::string output;
  std::string last;
  const ChildRun run{.arguments = {server, "--list-devices"},
                     .environment = environment,
                     .on_line =
                         [&](std::string_view line) {
                           if (output.size() + line.size() > largest_listing_bytes) return;
                           output += cat(line, '\n');
                           if (!trim(line).empty()) last = line;
                         },
                     .within = longest_listing};
  const Result<ExitStatus> ended = run_child(run);
  if (!ended) return ended.error();
  if (!ended->ok()) {
    return Error{.code = ErrorCode::engine_failed,
                 .message = cat("'", server, " --list-devices' ", ended->text(), "."),
                 .hint = "Run it by hand to see what its driver says, or `rbee engine verify`.",
                 .detail = last};
  }
  return parse_engine_devices(output);
}

}  // namespace rbee::engine
