// Of this layer only: manifest.json, which says what lies in a pack's folder, and how a folder becomes a
// pack. A folder without a manifest is none.
#pragma once

#include "base/error.h"
#include "domain/backend.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::engine {

struct ManifestFile {
  std::string name;    // in the folder itself: never with a '/'
  std::string sha256;  // of a regular file
  std::uint64_t bytes = 0;
  std::string link = {};  // of a symbolic link: the name beside it that it points to
  // Of a link to a library of this machine's that no pack carries (vendor_libraries.h): its absolute path.
  std::string outside = {};
};

struct Manifest {
  Backend backend = Backend::cpu;
  std::string version;
  std::string server = "llama-server";  // name of a file in the folder
  std::string source;
  std::int64_t created_ms = 0;  // by the disk's clock
  std::vector<ManifestFile> files = {};
};

[[nodiscard]] std::string format_manifest(const Manifest& manifest);
// Fails with pack_broken naming the field; a name that leaves the folder is refused.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view text);
[[nodiscard]] Result<Manifest> read_manifest(const std::filesystem::path& folder);

// The programs of a pack; the first is the one that must be there.
inline constexpr std::array<std::string_view, 5> pack_programs = {
    "llama-server", "llama-bench", "ggml-rpc-server", "llama-fit-params", "llama-quantize"};
// Whether a file of a llama.cpp build belongs into a pack: its programs and shared libraries.
[[nodiscard]] bool belongs_in_pack(std::string_view name);

// Puts `from` (a file or link) at `to`: a link stays a link, a file is hard-linked where the disk is the
// same, else copied. Fails with no_space or io_failed.
[[nodiscard]] Result<void> link_or_copy(const std::filesystem::path& from, const std::filesystem::path& to);

// Sums up what lies in `folder`, writes the manifest there, and syncs everything to the disk.
[[nodiscard]] Result<Manifest> seal(const std::filesystem::path& folder, Manifest manifest);

// Renames the sealed folder to `place`, where it may replace a broken one, and syncs the parent.
[[nodiscard]] Result<void> put_in_place(const std::filesystem::path& folder,
                                        const std::filesystem::path& place);

}  // namespace rbee::engine
