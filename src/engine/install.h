// Installs an engine pack: fetches the sources and plug-ins that pack_lock.h names with npm, checks their
// integrity before anything is unpacked, builds the programs once, and puts the pack together.
//
// What is built is shared: packs of other backends take their programs from the same core folder. All work
// happens in a folder of its own that is renamed when it is complete, so an installation that is cut at any
// point leaves nothing that could be taken for a pack; the next one sweeps up what it left.
#pragma once

#include "engine/cuda_choice.h"
#include "engine/pack.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rbee::engine {

struct InstallOptions {
  // What children see; PATH, HOME, TMPDIR, the proxies and npm's own settings are passed on, nothing else.
  std::vector<std::string> environment;  // "NAME=value"
  // What is being done, and how far: steps done of `total`, 0 where that is not known. On the calling thread.
  std::function<void(std::string_view message, int done, int total)> progress = {};
  const std::atomic<bool>* cancel = nullptr;   // set by another thread or a signal handler
  std::uint64_t spare_bytes = 0;               // that must stay free on the disk
  std::vector<std::string> rocm_targets = {};  // "gfx1100": what a ROCm pack is built for
  // Of the cards and the driver; its `libraries` are looked for here, in `library_folders` (best first, as
  // device::cuda_library_folders()) and before them in those that `environment` names.
  CudaHere cuda = {};
  std::vector<std::string> library_folders = {};
  int jobs = 0;  // compilers at once; 0: ninja's own choice
};

// Blocks for minutes where it has to build. Returns at once where the pack is there. Another process that
// installs is waited for. Fails with unsupported (no pack is made of this machine's kind, with `--from DIR`
// as the way out, or the vendor's libraries are missing, before anything is fetched), no_space, cancelled,
// unreachable (npm could not fetch), pack_broken (integrity), or engine_failed (the build; names its log).
[[nodiscard]] Result<PackInfo> install_pack(const std::filesystem::path& engines, Backend backend,
                                            const InstallOptions& options);

}  // namespace rbee::engine
