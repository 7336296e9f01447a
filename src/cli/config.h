// rbee.toml: one table of all its keys, from which the parser, the help and the error of an unknown key come.
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "domain/model_settings.h"
#include "keeper/keeper.h"
#include "routing/rhai_policy.h"
#include "routing/scheduler.h"

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::cli {

struct Config {
  std::string keeper_listen = "127.0.0.1:7833";
  keeper::KeeperTls keeper_tls = {};
  std::vector<std::string> allow_origins = {};
  std::map<std::string, std::string> hive_labels = {};
  Milliseconds hive_gone_after{2'000};
  std::string wake_address = {};
  bool benchmark = true;
  keeper::Telling telling = {};
  keeper::ClientLimits limits = {};
  Milliseconds sign_of_life{10'000};
  Milliseconds drain{20'000};
  bool yields = true;
  Milliseconds yield_after{30'000};
  Milliseconds yield_back_after{60'000};
  ModelSettingsByName models = {};
  routing::RouterSettings routing = {};
  routing::ScriptLimits script = {};
};

enum class KeyType {
  text,
  integer,
  number,
  boolean,
  duration,
  size_range,
  text_or_false,
  texts,
  labels,
  cache_type,
  offload,
  yields,
  keep_alive,
  tls
};
[[nodiscard]] std::string_view key_type_name(KeyType type);

struct ConfigKey {
  std::string_view path;  // "routing.max_queue"; "[]" is an element of a list, "*" a name of the user's
  KeyType type;
  std::string_view standard;  // what holds where it is not set
  std::string_view unit;      // "" where it has none
  std::string_view sentence;
  bool in_use;  // false: accepted and checked, but this version does nothing with it
};
[[nodiscard]] std::span<const ConfigKey> config_keys();

// `file` is for the message only. Fails with bad_config naming file, line and column, and the nearest key
// where one is not known.
[[nodiscard]] Result<Config> parse_config(std::string_view text, std::string_view file);
// What holds by default where there is no such file.
[[nodiscard]] Result<Config> read_config(const std::filesystem::path& file);

// "60s", "500ms", "2m", "1h", "1d". Fails with bad_config.
[[nodiscard]] Result<Milliseconds> parse_duration(std::string_view text);

}  // namespace rbee::cli
