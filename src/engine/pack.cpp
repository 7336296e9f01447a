#include "engine/pack.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/child.h"
#include "engine/digest.h"
#include "engine/install_lock.h"
#include "engine/manifest.h"
#include "engine/pack_lock.h"

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <set>

namespace rbee::engine {
namespace {

namespace fs = std::filesystem;

struct Found {
  PackInfo info;
  std::int64_t created_ms = 0;
};

std::string folder_prefix(Backend backend) { return cat(lower(backend_name(backend)), '-'); }

// A pack's folder begins with its backend's name; core-, work and lock files do not.
std::optional<Backend> backend_of(const std::string& folder_name) {
  for (const Backend backend : all_backends) {
    if (folder_name.starts_with(folder_prefix(backend))) return backend;
  }
  return std::nullopt;
}

// Whether all files are there with their sizes: cheap enough for each start. Their content is verify_pack's.
std::string missing_in(const fs::path& folder, const Manifest& manifest) {
  std::error_code failure;
  for (const ManifestFile& file : manifest.files) {
    const fs::path path = folder / file.name;
    const bool is_link = !file.link.empty() || !file.outside.empty();
    const bool is_there =
        is_link ? fs::exists(path, failure) : fs::file_size(path, failure) == file.bytes && !failure;
    if (!is_there && !file.outside.empty()) return cat("'", file.outside, "' is no longer there");
    if (!is_there) return cat("'", file.name, "' is missing or cut");
  }
  if (::access((folder / manifest.server).c_str(), X_OK) != 0)
    return cat("'", manifest.server, "' cannot be run");
  return {};
}

Found look_at(const fs::path& folder, Backend backend) {
  Found found;
  found.info.backend = backend;
  found.info.folder = folder;
  const Result<Manifest> manifest = read_manifest(folder);
  if (!manifest) {
    found.info.state = PackState::broken;
    found.info.reason = manifest.error().message;
    return found;
  }
  found.created_ms = manifest->created_ms;
  found.info.version = manifest->version;
  found.info.source = manifest->source;
  found.info.server = folder / manifest->server;
  found.info.reason = missing_in(folder, *manifest);
  if (!found.info.reason.empty()) found.info.state = PackState::broken;
  return found;
}

// In the order of the backends, of one backend the newest first.
std::vector<Found> look_at_all(const fs::path& engines) {
  std::vector<Found> all;
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(engines, failure)) {
    const std::optional<Backend> backend = backend_of(entry.path().filename().string());
    std::error_code unreadable;
    if (backend && entry.is_directory(unreadable)) all.push_back(look_at(entry.path(), *backend));
  }
  std::ranges::sort(all, [](const Found& a, const Found& b) {
    if (a.info.backend != b.info.backend) return a.info.backend < b.info.backend;
    if (a.created_ms != b.created_ms) return a.created_ms > b.created_ms;
    return a.info.folder < b.info.folder;
  });
  return all;
}

PackInfo pack_on_path(const fs::path& server) {
  return PackInfo{.backend = Backend::cpu,
                  .version = "unknown",
                  .source = "PATH",
                  .folder = server.parent_path(),
                  .server = server};
}

// What packs were put together from; of no use once there is none.
void remove_cores(const fs::path& engines) {
  std::error_code failure;
  std::vector<fs::path> cores;
  for (const fs::directory_entry& entry : fs::directory_iterator(engines, failure)) {
    if (entry.path().filename().string().starts_with("core-")) cores.push_back(entry.path());
  }
  for (const fs::path& core : cores) fs::remove_all(core, failure);
}

std::string install_command(Backend backend) {
  return cat("rbee engine install ", lower(backend_name(backend)));
}

// A link that leaves the folder, as packagers make them, is resolved: a pack stands alone.
Result<void> take_file(const fs::directory_entry& entry, const fs::path& to) {
  std::error_code failure;
  if (!entry.is_symlink(failure)) return link_or_copy(entry.path(), to);
  const fs::path target = fs::read_symlink(entry.path(), failure);
  const bool stays = !failure && !target.has_parent_path() && belongs_in_pack(target.string());
  if (stays) return link_or_copy(entry.path(), to);
  const fs::path resolved = fs::canonical(entry.path(), failure);
  if (failure) return io_error(cat("'", entry.path().string(), "' points nowhere"), failure.value());
  return link_or_copy(resolved, to);
}

Result<std::set<std::string>> take_folder(const fs::path& from, const fs::path& to) {
  std::set<std::string> names;
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(from, failure)) {
    const std::string name = entry.path().filename().string();
    if (!belongs_in_pack(name)) continue;
    const Result<void> taken = take_file(entry, to / name);
    if (!taken) return taken.error();
    names.insert(name);
  }
  if (failure) return io_error(cat("'", from.string(), "' cannot be read"), failure.value());
  return names;
}

Error incomplete(const fs::path& from, std::string_view what) {
  return Error{.code = ErrorCode::pack_broken,
               .message = cat("'", from.string(), "' ", what, "."),
               .hint = "Name the folder in which llama-server and its libraries lie together."};
}

// A build with plug-ins (libggml-cpu*.so) must have the backend's; one without has its backends built in.
Result<void> check_plugin(const fs::path& from, Backend backend, const std::set<std::string>& names) {
  const auto has = [&names](std::string_view begin) {
    return std::ranges::any_of(names, [begin](const std::string& name) { return name.starts_with(begin); });
  };
  const std::string plugin = cat("libggml-", backend == Backend::rocm ? "hip" : lower(backend_name(backend)));
  const bool has_plugins = has("libggml-cpu");
  if (has_plugins && !has(plugin))
    return incomplete(from,
                      cat("has no ", plugin, ".so: its llama-server cannot use ", backend_name(backend)));
  return {};
}

Result<void> check_that_it_runs(const fs::path& from, const fs::path& server) {
  std::string last;
  const ChildRun run{.arguments = {server.string(), "--version"},
                     .environment = {"PATH=/usr/bin:/bin"},
                     .on_line =
                         [&last](std::string_view line) {
                           if (!trim(line).empty()) last = line;
                         },
                     .within = std::chrono::seconds(60)};
  const Result<ExitStatus> ended = run_child(run);
  if (!ended) return ended.error();
  if (ended->ok()) return {};
  // "llama-server: error while loading shared libraries: libllama.so.0: cannot open ..."
  constexpr std::string_view loader = "error while loading shared libraries: ";
  const std::size_t at = last.find(loader);
  if (at != std::string::npos) {
    const std::string rest = last.substr(at + loader.size());
    return incomplete(from, cat("lacks ", rest.substr(0, rest.find(':')), ", which its llama-server needs"));
  }
  Error error = incomplete(from, cat("has a llama-server that does not run here: it ", ended->text()));
  error.detail = last;
  return error;
}

Result<void> fill_import(const fs::path& from, Backend backend, const fs::path& pack) {
  const Result<void> made = make_folder(pack);
  if (!made) return made.error();
  const Result<std::set<std::string>> names = take_folder(from, pack);
  if (!names) return names.error();
  if (!names->contains("llama-server")) return incomplete(from, "has no llama-server");
  const Result<void> plugin = check_plugin(from, backend, *names);
  if (!plugin) return plugin.error();
  return check_that_it_runs(from, pack / "llama-server");
}

Result<void> compare(const fs::path& folder, const ManifestFile& file) {
  const fs::path path = folder / file.name;
  const auto differs = [&](std::string_view how) {
    return Error{.code = ErrorCode::pack_broken,
                 .message = cat("'", path.string(), "' ", how, "."),
                 .hint = "`rbee engine remove BACKEND`, then `rbee engine install BACKEND`, builds it anew."};
  };
  std::error_code failure;
  const std::string& link = file.outside.empty() ? file.link : file.outside;
  if (!link.empty()) {
    const fs::path target = fs::read_symlink(path, failure);
    if (failure || target != link) return differs(cat("does not point to '", link, "'"));
    return {};
  }
  const Result<std::string> sum = sha256_of_file(path);
  if (!sum) return differs("is missing or cannot be read");
  if (*sum != file.sha256) return differs("is not what was installed (its sha256 differs)");
  return {};
}

}  // namespace

std::string_view pack_state_name(PackState state) {
  switch (state) {
    case PackState::ready: return "ready";
    case PackState::building: return "building";
    case PackState::broken: return "broken";
  }
  return "broken";
}

std::vector<PackInfo> list_packs(const fs::path& engines, const std::optional<fs::path>& server_on_path) {
  std::vector<PackInfo> packs;
  for (Found& found : look_at_all(engines)) packs.push_back(std::move(found.info));
  if (const std::optional<LockHolder> holder = InstallLock::holder(engines)) {
    packs.push_back(PackInfo{.backend = holder->backend,
                             .version = std::string(pack_lock_version),
                             .source = "npm",
                             .folder = engines,
                             .server = {},
                             .state = PackState::building,
                             .reason = cat("process ", holder->pid, " is installing it")});
  }
  const bool has_cpu = std::ranges::any_of(packs, [](const PackInfo& pack) {
    return pack.backend == Backend::cpu && pack.state == PackState::ready;
  });
  if (server_on_path && !has_cpu) packs.push_back(pack_on_path(*server_on_path));
  return packs;
}

Result<PackInfo> find_pack(const fs::path& engines, Backend backend,
                           const std::optional<fs::path>& server_on_path) {
  std::optional<PackInfo> broken;
  for (const PackInfo& pack : list_packs(engines, server_on_path)) {
    if (pack.backend != backend) continue;
    if (pack.state == PackState::ready) return pack;
    if (pack.state == PackState::broken && !broken) broken = pack;
  }
  const std::string hint = cat("`", install_command(backend), "` builds it; with `--from DIR` it takes a ",
                               "llama-server that you have.");
  if (broken) {
    return Error{ErrorCode::pack_broken,
                 cat("The ", backend_name(backend), " engine pack in '", broken->folder.string(),
                     "' is broken: ", broken->reason, "."),
                 hint,
                 {}};
  }
  return Error{ErrorCode::no_engine_pack,
               cat("No engine pack for ", backend_name(backend), " is installed."),
               hint,
               {}};
}

Result<void> verify_pack(const PackInfo& pack) {
  if (pack.source == "PATH") {
    return Error{ErrorCode::unsupported,
                 cat("'", pack.server.string(), "' was found on PATH: it has no checksums."),
                 cat("`", install_command(pack.backend), "` builds a pack that can be verified."),
                 {}};
  }
  const Result<Manifest> manifest = read_manifest(pack.folder);
  if (!manifest) return manifest.error();
  std::set<std::string> known = {"manifest.json"};
  for (const ManifestFile& file : manifest->files) {
    known.insert(file.name);
    const Result<void> same = compare(pack.folder, file);
    if (!same) return same.error();
  }
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(pack.folder, failure)) {
    // The engine loads every libggml-*.so that lies beside it.
    const std::string name = entry.path().filename().string();
    if (!known.contains(name)) {
      return Error{ErrorCode::pack_broken,
                   cat("'", entry.path().string(), "' does not belong to this engine pack.")};
    }
  }
  return {};
}

Result<void> remove_pack(const fs::path& engines, Backend backend) {
  if (const std::optional<LockHolder> holder = InstallLock::holder(engines)) {
    return Error{ErrorCode::already_running,
                 cat("Process ", holder->pid, " is installing an engine pack just now."),
                 "Wait until it has ended (`rbee engine list`).",
                 {}};
  }
  const std::vector<Found> all = look_at_all(engines);
  bool removed = false;
  for (const Found& found : all) {
    if (found.info.backend != backend) continue;
    std::error_code failure;
    fs::remove_all(found.info.folder, failure);
    if (failure)
      return io_error(cat("'", found.info.folder.string(), "' cannot be removed"), failure.value());
    removed = true;
  }
  if (removed && look_at_all(engines).empty()) remove_cores(engines);
  if (removed) return {};
  return Error{ErrorCode::no_engine_pack,
               cat("No engine pack for ", backend_name(backend), " is installed."),
               "`rbee engine list` shows those there are.",
               {}};
}

Result<PackInfo> import_pack(const fs::path& engines, Backend backend, const fs::path& from) {
  std::error_code failure;
  const fs::path source = fs::canonical(from, failure);
  if (failure || !fs::is_directory(source, failure)) {
    return Error{ErrorCode::io_failed,
                 cat("'", from.string(), "' is no folder."),
                 "Name the folder in which llama-server lies.",
                 {}};
  }
  const Result<void> made = make_folder(engines);
  if (!made) return made.error();
  const Result<InstallLock> lock = InstallLock::take(engines, backend, nullptr, [](const LockHolder&) {});
  if (!lock) return lock.error();
  const Result<fs::path> work = make_work_folder(engines);
  if (!work) return work.error();

  const fs::path folder = engines / cat(folder_prefix(backend), "imported-", short_hash(source.string()));
  const auto fill = [&]() -> Result<void> {
    const fs::path pack = *work / "pack";
    const Result<void> filled = fill_import(source, backend, pack);
    if (!filled) return filled.error();
    const Manifest manifest{.backend = backend, .version = "imported", .source = source.string()};
    const Result<Manifest> sealed = seal(pack, manifest);
    if (!sealed) return sealed.error();
    return put_in_place(pack, folder);
  };
  const Result<void> filled = fill();
  fs::remove_all(*work, failure);
  if (!filled) return filled.error();
  return look_at(folder, backend).info;
}

}  // namespace rbee::engine
