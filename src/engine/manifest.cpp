#include "engine/manifest.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/digest.h"
#include "engine/spawn.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>

namespace rbee::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view manifest_name = "manifest.json";
// A pack has about 40 files; 1 MiB is room for 10,000.
constexpr std::size_t largest_manifest_bytes = 1u << 20;

Error broken(std::string_view what) {
  return Error{ErrorCode::pack_broken, cat("The engine pack's manifest ", what, ".")};
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

// "/usr/local/cuda/lib64/libcublas.so.13" for that very library: a link out of the folder is nothing else.
bool is_library_at(std::string_view path, std::string_view name) {
  return path.starts_with('/') && path.ends_with(cat("/", name)) && name.starts_with("lib") &&
         name.find(".so.") != std::string_view::npos;
}

Result<ManifestFile> file_from_json(const Json& json) {
  ManifestFile file{
      .name = text_of(json, "name"),
      .sha256 = text_of(json, "sha256"),
      .bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, get_int(json, "bytes").value_or(0))),
      .link = text_of(json, "link"),
      .outside = text_of(json, "outside")};
  if (!is_plain_name(file.name)) return broken("names a file outside of its folder, or none");
  if (!file.outside.empty()) {
    if (!is_library_at(file.outside, file.name)) return broken(cat("lets '", file.name, "' be any file"));
    file.link.clear();
    file.sha256.clear();
    return file;
  }
  if (file.link.empty() == file.sha256.empty()) return broken(cat("has no checksum for '", file.name, "'"));
  if (!file.link.empty() && !is_plain_name(file.link))
    return broken(cat("lets '", file.name, "' leave its folder"));
  return file;
}

Result<void> sync_path(const fs::path& path, int flags) {
  const Fd fd(::open(path.c_str(), flags | O_RDONLY | O_CLOEXEC));
  if (!fd.is_open() || ::fsync(fd.get()) != 0)
    return io_error(cat("'", path.string(), "' cannot be synced"), errno);
  return {};
}

std::int64_t changed_ms(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return 0;
  return static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1000 + status.st_mtim.tv_nsec / 1'000'000;
}

Result<ManifestFile> describe(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  std::error_code failure;
  if (entry.is_symlink(failure)) {
    std::string link = fs::read_symlink(entry.path(), failure).string();
    if (failure) return io_error(cat("'", entry.path().string(), "' cannot be read"), failure.value());
    if (is_library_at(link, name))
      return ManifestFile{.name = name, .sha256 = {}, .outside = std::move(link)};
    return ManifestFile{.name = name, .sha256 = {}, .link = std::move(link)};
  }
  const std::uint64_t bytes = entry.file_size(failure);
  if (failure) return io_error(cat("'", entry.path().string(), "' cannot be read"), failure.value());
  Result<std::string> sum = sha256_of_file(entry.path());
  if (!sum) return sum.error();
  const Result<void> synced = sync_path(entry.path(), 0);
  if (!synced) return synced.error();
  return ManifestFile{.name = name, .sha256 = std::move(*sum), .bytes = bytes};
}

// std::filesystem::copy_file reports a full disk as a broken one (EIO), so the bytes are moved here.
Result<void> copy_bytes(const fs::path& from, const fs::path& to) {
  struct stat status{};
  const Fd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source.is_open() || ::fstat(source.get(), &status) != 0)
    return io_error(cat("'", from.string(), "' cannot be read"), errno);
  const Fd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, status.st_mode & 0777));
  if (!target.is_open()) return io_error(cat("'", to.string(), "' cannot be written"), errno);
  off_t left = status.st_size;
  while (left > 0) {
    const ssize_t sent = ::sendfile(target.get(), source.get(), nullptr, static_cast<std::size_t>(left));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return io_error(cat("'", to.string(), "' cannot be written"), errno);
    if (sent == 0) return Error{ErrorCode::io_failed, cat("'", from.string(), "' became shorter.")};
    left -= sent;
  }
  return {};
}

}  // namespace

std::string format_manifest(const Manifest& manifest) {
  Json files = Json::array();
  for (const ManifestFile& file : manifest.files) {
    if (!file.outside.empty()) {
      files.push_back({{"name", file.name}, {"outside", file.outside}});
    } else if (file.link.empty()) {
      files.push_back({{"name", file.name}, {"sha256", file.sha256}, {"bytes", file.bytes}});
    } else {
      files.push_back({{"name", file.name}, {"link", file.link}});
    }
  }
  return dump_json_indented(Json{{"backend", backend_name(manifest.backend)},
                                 {"version", manifest.version},
                                 {"server", manifest.server},
                                 {"source", manifest.source},
                                 {"created", manifest.created_ms},
                                 {"files", std::move(files)}});
}

Result<Manifest> parse_manifest(std::string_view text) {
  const Result<Json> json = parse_json(text);
  if (!json || !json->is_object()) return broken("is not JSON");
  const Result<Backend> backend = parse_backend(text_of(*json, "backend"));
  if (!backend) return broken("has no `backend`");
  Manifest manifest{.backend = *backend,
                    .version = text_of(*json, "version"),
                    .server = text_of(*json, "server"),
                    .source = text_of(*json, "source"),
                    .created_ms = get_int(*json, "created").value_or(0)};
  if (manifest.version.empty()) return broken("has no `version`");
  if (!is_plain_name(manifest.server)) return broken("has no `server`");
  for (const Json& entry : get_array(*json, "files")) {
    Result<ManifestFile> file = file_from_json(entry);
    if (!file) return file.error();
    manifest.files.push_back(std::move(*file));
  }
  return manifest;
}

Result<Manifest> read_manifest(const fs::path& folder) {
  const Result<std::string> text = read_file(folder / manifest_name, largest_manifest_bytes);
  if (!text)
    return Error{ErrorCode::pack_broken,
                 cat("'", folder.string(), "' has no manifest that can be read."),
                 {},
                 text.error().message};
  return parse_manifest(*text);
}

bool belongs_in_pack(std::string_view name) {
  const bool is_library =
      name.starts_with("lib") &&
      (name.ends_with(".so") || name.find(".so.") != name.npos || name.ends_with(".dylib"));
  return is_library || std::ranges::find(pack_programs, name) != pack_programs.end();
}

Result<void> link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code failure;
  if (fs::is_symlink(from, failure)) {
    fs::copy_symlink(from, to, failure);
  } else {
    fs::create_hard_link(from, to, failure);
    if (failure) return copy_bytes(from, to);
  }
  if (failure) return io_error(cat("'", to.string(), "' cannot be written"), failure.value());
  return {};
}

Result<Manifest> seal(const fs::path& folder, Manifest manifest) {
  std::error_code failure;
  manifest.files.clear();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failure)) {
    if (entry.path().filename() == manifest_name) continue;
    Result<ManifestFile> file = describe(entry);
    if (!file) return file.error();
    manifest.files.push_back(std::move(*file));
  }
  if (failure) return io_error(cat("'", folder.string(), "' cannot be read"), failure.value());
  std::ranges::sort(manifest.files, {}, &ManifestFile::name);
  manifest.created_ms = changed_ms(folder);
  const Result<void> written = write_file(folder / manifest_name, format_manifest(manifest));
  if (!written) return written.error();
  const Result<void> synced = sync_path(folder, O_DIRECTORY);
  if (!synced) return synced.error();
  return manifest;
}

Result<void> put_in_place(const fs::path& folder, const fs::path& place) {
  std::error_code failure;
  if (fs::exists(place, failure)) {
    // A folder that is not empty cannot be replaced by a rename. It lands in the work folder's parent, which
    // the caller clears.
    const fs::path aside = cat(folder.string(), ".old");
    fs::rename(place, aside, failure);
    if (failure) return io_error(cat("'", place.string(), "' cannot be replaced"), failure.value());
  }
  fs::rename(folder, place, failure);
  if (failure) return io_error(cat("'", place.string(), "' cannot be written"), failure.value());
  return sync_path(place.parent_path(), O_DIRECTORY);
}

}  // namespace rbee::engine
