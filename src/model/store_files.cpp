// The files of the store itself: blobs by their checksum, sets of links to them, and what is left over.
#include "base/file.h"
#include "base/text.h"
#include "model/model_parts.h"
#include "model/part_file.h"
#include "model/sha256.h"
#include "model/store.h"

#include <algorithm>
#include <set>
#include <system_error>

namespace rbee::model {
namespace {

namespace fs = std::filesystem;

// "00002" of five digits, as the engine looks for them.
std::string part_number(std::size_t number) {
  std::string digits = cat(number);
  return cat(std::string(5 - std::min<std::size_t>(digits.size(), 5), '0'), digits);
}

// A hard link; a symbolic one where the file system has none.
Result<void> link_file(const fs::path& from, const fs::path& to) {
  std::error_code failure;
  fs::create_hard_link(from, to, failure);
  if (!failure || failure == std::errc::file_exists) return {};
  fs::create_symlink(from, to, failure);
  if (!failure || failure == std::errc::file_exists) return {};
  return io_error(cat("'", to.string(), "' cannot be made"), failure.value());
}

// Of several parts the checksum of their checksums, one on each line.
std::string checksum_of(const std::vector<std::string>& sha256s) {
  return sha256s.size() == 1 ? sha256s.front() : sha256_of(join(sha256s, "\n"));
}

std::set<std::string> checksums_of_journals(const fs::path& downloads) {
  std::set<std::string> found;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(downloads, failure)) {
    if (entry.path().extension() != ".json") continue;
    const auto state = PartFile::read_journal({.data = {}, .journal = entry.path()});
    if (state && !state->sha256.empty()) found.insert(state->sha256);
  }
  return found;
}

}  // namespace

fs::path ModelStore::blob_path(const std::string& sha256) const {
  return folder_ / "blobs" / cat(sha256, ".gguf");
}

Result<fs::path> ModelStore::make_set(const std::vector<std::string>& sha256s) const {
  const fs::path folder = folder_ / "sets" / checksum_of(sha256s);
  if (Result<void> made = make_folder(folder); !made) return made.error();
  const std::string count = part_number(sha256s.size());
  for (std::size_t i = 0; i < sha256s.size(); ++i) {
    const fs::path part = folder / cat("model-", part_number(i + 1), "-of-", count, ".gguf");
    if (Result<void> linked = link_file(blob_path(sha256s[i]), part); !linked) return linked.error();
  }
  return folder / cat("model-", part_number(1), "-of-", count, ".gguf");
}

Result<ModelFile> ModelStore::add_blobs(std::string_view name, const std::vector<std::string>& sha256s,
                                        const std::string& projector) {
  for (const std::string& sha256 : sha256s) {
    if (!is_sha256(sha256))
      return Error{ErrorCode::bad_request, cat("'", sha256, "' is no checksum."), {}, {}};
  }
  if (!projector.empty() && !is_sha256(projector))
    return Error{ErrorCode::bad_request, cat("'", projector, "' is no checksum."), {}, {}};
  const fs::path beside = projector.empty() ? fs::path() : blob_path(projector);
  if (sha256s.size() == 1) return put(name, blob_path(sha256s.front()), sha256s.front(), beside);
  const Result<fs::path> first = make_set(sha256s);
  if (!first) return first.error();
  return put(name, *first, checksum_of(sha256s), beside);
}

Result<fs::path> ModelStore::link_in(const fs::path& path, const std::string& sha256) const {
  std::error_code failure;
  const fs::path real = fs::canonical(path, failure);
  if (failure) return io_error(cat("'", path.string(), "' cannot be read"), failure.value());
  const std::string key = is_sha256(sha256) ? sha256 : cat("linked-", sha256_of(real.string()).substr(0, 32));
  const fs::path to = blob_path(key);
  fs::create_hard_link(real, to, failure);
  if (failure == std::errc::file_exists && is_sha256(sha256)) return to;
  const bool linked = !failure || (failure == std::errc::file_exists && fs::equivalent(real, to, failure));
  return linked ? to : real;
}

Result<ModelFile> ModelStore::import(std::string_view name, const Foreign& file) {
  if (Result<void> made = make_folder(folder_ / "blobs"); !made) return made.error();
  const fs::path beside = file.projector.empty() ? projector_beside(file.path) : file.projector;
  Result<fs::path> projector = fs::path();
  if (!beside.empty()) projector = link_in(beside, file.projector_sha256);
  if (!projector) return projector.error();
  // A split model is found by the names of its files, so they stay where they are.
  if (parse_part_name(file.path.filename().string())) return put(name, file.path, {}, *projector);
  const Result<fs::path> path = link_in(file.path, file.sha256);
  if (!path) return path.error();
  return put(name, *path, is_sha256(file.sha256) ? file.sha256 : std::string(), *projector);
}

Result<ModelFile> ModelStore::add_alias(std::string_view name, std::string_view id) {
  const Result<ModelFile> known = find(id);
  if (!known) return known.error();
  return put(name, known->path, known->sha256, known->projector);
}

Result<void> ModelStore::set_sha256(std::string_view id, const std::string& sha256) {
  std::vector<ModelFile> files = files_;
  const auto known = std::ranges::find(files, id, &ModelFile::id);
  if (known == files.end()) return find(id).error();
  known->sha256 = sha256;
  if (Result<void> saved = save(files); !saved) return saved;
  files_ = std::move(files);
  return {};
}

void ModelStore::sweep() const {
  std::error_code absent;
  if (!fs::exists(folder_ / "models.json", absent)) return;
  std::set<fs::path> named;
  for (const ModelFile& file : files_) {
    named.insert(file.path);
    named.insert(file.projector);
    named.insert(fs::path(file.path).parent_path());
  }
  const std::set<std::string> expected = checksums_of_journals(downloads_folder());
  std::error_code failure;
  // A blob that a set links to has a second name on the disk, which goes first.
  for (const auto& set : fs::directory_iterator(folder_ / "sets", failure)) {
    std::error_code ignored;
    if (!named.contains(fs::weakly_canonical(set.path(), ignored))) fs::remove_all(set.path(), ignored);
  }
  for (const auto& blob : fs::directory_iterator(folder_ / "blobs", failure)) {
    std::error_code ignored;
    const fs::path path = fs::weakly_canonical(blob.path(), ignored);
    const bool wanted = named.contains(path) || expected.contains(path.stem().string());
    if (!wanted && !is_in_a_set(path)) fs::remove(path, ignored);
  }
}

bool ModelStore::is_in_a_set(const fs::path& blob) const {
  std::error_code failure;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "sets", failure)) {
    std::error_code ignored;
    if (!entry.is_directory(ignored) && fs::equivalent(entry.path(), blob, ignored)) return true;
  }
  return false;
}

}  // namespace rbee::model
