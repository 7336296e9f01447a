#include "cli/paths.h"

#include "base/text.h"

#include <optional>
#include <string>

namespace rbee::cli {
namespace {

namespace fs = std::filesystem;

// The XDG specification: a relative path in one of its variables is to be left alone.
fs::path xdg_folder(const Environment& environment, std::string_view variable, const fs::path& otherwise) {
  const std::optional<std::string> folder = environment.find(variable);
  if (!folder || !folder->starts_with('/')) return otherwise / "rbee";
  return fs::path(*folder) / "rbee";
}

fs::path absolute_folder(const std::string& folder) { return fs::absolute(folder).lexically_normal(); }

}  // namespace

Result<Paths> find_paths(const Environment& environment) {
  const std::optional<std::string> rbee_home = environment.find("RBEE_HOME");
  const std::optional<std::string> rbee_engines = environment.find("RBEE_ENGINES");
  const std::optional<std::string> user_home = environment.find("HOME");
  if (!user_home && (!rbee_home || !rbee_engines)) {
    return Error{ErrorCode::bad_config, "Neither HOME nor both RBEE_HOME and RBEE_ENGINES are set.",
                 "Set HOME, or RBEE_HOME and RBEE_ENGINES to folders that rbee may use."};
  }
  const fs::path home = user_home ? fs::path(*user_home) : fs::path("/");
  Paths paths;
  if (rbee_home) {
    paths.state = absolute_folder(*rbee_home);
    paths.config_file = paths.state / "rbee.toml";
  } else {
    paths.state = xdg_folder(environment, "XDG_DATA_HOME", home / ".local/share");
    paths.config_file = xdg_folder(environment, "XDG_CONFIG_HOME", home / ".config") / "rbee.toml";
  }
  paths.engines = rbee_engines ? absolute_folder(*rbee_engines)
                               : xdg_folder(environment, "XDG_CACHE_HOME", home / ".cache") / "engines";
  paths.script_file = paths.config_file.parent_path() / "routing.rhai";
  paths.lock = paths.state / "up.lock";
  paths.keeper_json = paths.state / "keeper.json";
  paths.keeper_folder = paths.state / "keeper";
  paths.keeper_socket = paths.keeper_folder / "keeper.sock";
  paths.known_keepers = paths.state / "known_keepers.json";
  paths.hive_folder = paths.state / "hive";
  paths.hive_socket = paths.hive_folder / "hive.sock";
  paths.models = paths.state / "models";
  paths.log = paths.state / "rbee.log";
  return paths;
}

}  // namespace rbee::cli
