// Engine packs: folders with llama-server, its sibling programs, their libraries and the plug-ins of one
// backend, and a manifest.json that says what lies there.
//
// `engines` is the folder that holds all packs, shared by every checkout. A pack appears whole, by a rename,
// or not at all. All calls block on the disk: never on a network thread.
#pragma once

#include "base/error.h"
#include "domain/backend.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rbee::engine {

enum class PackState { ready, building, broken };
[[nodiscard]] std::string_view pack_state_name(PackState state);

struct PackInfo {
  Backend backend = Backend::cpu;
  std::string version;  // of the source, "3.22.1"; of an imported one "imported", of PATH's "unknown"
  std::string source;   // "npm node-llama-cpp@3.22.1", "DIR", "PATH"
  std::filesystem::path folder;
  std::filesystem::path server;  // the llama-server to start, absolute
  PackState state = PackState::ready;
  std::string reason = {};  // of `broken` and `building`
};

// Every pack of the folder in the order of their backends (cpu last), those that are being built too. A
// llama-server on PATH counts as a CPU pack of source "PATH" where no other CPU pack is ready.
[[nodiscard]] std::vector<PackInfo> list_packs(
    const std::filesystem::path& engines, const std::optional<std::filesystem::path>& server_on_path = {});

// The one to use: built or imported last, else PATH's. Fails with no_engine_pack (which names
// `rbee engine install B`) or pack_broken.
[[nodiscard]] Result<PackInfo> find_pack(const std::filesystem::path& engines, Backend backend,
                                         const std::optional<std::filesystem::path>& server_on_path = {});

// Reads every byte and compares with the manifest. Fails with pack_broken naming the first file that differs
// or does not belong there, unsupported for PATH's, which has no checksums.
[[nodiscard]] Result<void> verify_pack(const PackInfo& pack);

// Removes every pack of that backend, and with the last of all what they were built from; what engines have
// open lives on until they end. Fails with no_engine_pack where there is none, already_running while one
// is installed, io_failed where it cannot be removed.
[[nodiscard]] Result<void> remove_pack(const std::filesystem::path& engines, Backend backend);

// Takes over a folder that somebody already has: hard links where it lies on the same disk, copies
// elsewhere. Fails with pack_broken naming what is missing, no_space or io_failed.
[[nodiscard]] Result<PackInfo> import_pack(const std::filesystem::path& engines, Backend backend,
                                           const std::filesystem::path& from);

}  // namespace rbee::engine
