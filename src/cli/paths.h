// Where everything of one home lies. RBEE_HOME puts configuration, state and models in one folder; without
// it the XDG folders hold. Pure: nothing is looked up on the disk but the working directory.
#pragma once

#include "base/error.h"
#include "cli/environment.h"

#include <filesystem>

namespace rbee::cli {

struct Paths {
  std::filesystem::path config_file;    // rbee.toml
  std::filesystem::path script_file;    // routing.rhai, beside it
  std::filesystem::path state;          // the folder of all that follows but `engines`
  std::filesystem::path lock;           // held by the `up` or `keeper` of this home
  std::filesystem::path keeper_json;    // {"pid", "address", "version"} of the keeper that runs
  std::filesystem::path keeper_folder;  // its SQLite
  std::filesystem::path keeper_socket;  // for this home's commands, where it serves other machines
  std::filesystem::path known_keepers;  // the keys of those on other machines that commands have asked
  std::filesystem::path hive_folder;
  std::filesystem::path hive_socket;
  std::filesystem::path models;
  std::filesystem::path log;
  std::filesystem::path engines;  // engine packs, shared by all homes
};

// Fails with bad_config where neither RBEE_HOME nor HOME is set.
[[nodiscard]] Result<Paths> find_paths(const Environment& environment);

}  // namespace rbee::cli
