#include "hive/import_models.h"

#include "base/file.h"
#include "base/text.h"
#include "model/model_parts.h"
#include "model/sha256.h"
#include "model/source.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <system_error>

namespace rbee::hive {
namespace {

namespace fs = std::filesystem;

// A folder of models has some thousand files; a home folder named by mistake has millions.
constexpr std::size_t most_files = 100'000;
constexpr std::size_t largest_manifest_bytes = 1u << 20;

struct Found {
  std::string name;
  model::ModelStore::Foreign file;
};

struct Search {
  std::vector<Found> found = {};
  Json skipped = Json::array();
  void skip(const fs::path& path, std::string_view reason) {
    skipped.push_back({{"path", path.string()}, {"reason", std::string(reason)}});
  }
};

// Files below a folder, in the order of their names; what cannot be read is told of.
std::vector<fs::path> files_below(const fs::path& folder, Search& search) {
  std::vector<fs::path> files;
  std::error_code failure;
  fs::recursive_directory_iterator at(folder, failure);
  while (!failure && at != fs::recursive_directory_iterator() && files.size() < most_files) {
    std::error_code ignored;
    if (at->is_regular_file(ignored)) files.push_back(at->path());
    at.increment(failure);
  }
  if (failure) {
    search.skip(folder, cat("it cannot be read by the user that runs this hive: ", failure.message()));
  }
  std::ranges::sort(files);
  return files;
}

// manifests/REGISTRY/NAMESPACE/NAME/TAG names a blob of blobs/.
void find_of_ollama(const fs::path& models, Search& search) {
  const fs::path manifests = models / "manifests";
  for (const fs::path& file : files_below(manifests, search)) {
    const Result<std::string> text = read_file(file, largest_manifest_bytes);
    const Result<Json> manifest = text ? parse_json(*text) : text.error();
    if (!manifest) {
      search.skip(file, manifest.error().message);
      continue;
    }
    const std::string tag = file.filename().string();
    const std::string name = file.parent_path().filename().string();
    Found found{.name = model::as_name(tag == "latest" ? name : cat(name, "-", tag)), .file = {}};
    for (const Json& layer : get_array(*manifest, "layers")) {
      const std::string type = text_of(layer, "mediaType");
      const std::string digest = text_of(layer, "digest");
      const std::string sha256 = digest.substr(std::min<std::size_t>(digest.find(':') + 1, digest.size()));
      if (!model::is_sha256(sha256)) continue;
      const fs::path blob = models / "blobs" / cat("sha256-", sha256);
      if (type == "application/vnd.ollama.image.model") {
        found.file.path = blob;
        found.file.sha256 = sha256;
      } else if (type == "application/vnd.ollama.image.projector") {
        found.file.projector = blob;
        found.file.projector_sha256 = sha256;
      }
    }
    if (!found.file.path.empty()) search.found.push_back(std::move(found));
  }
}

// The Hugging Face cache links snapshots/REVISION/FILE to blobs/SHA256.
std::string checksum_of_link(const fs::path& file) {
  std::error_code failure;
  if (!fs::is_symlink(file, failure)) return {};
  std::string target = fs::read_symlink(file, failure).filename().string();
  return model::is_sha256(target) ? target : std::string();
}

void find_ggufs(const fs::path& folder, Search& search) {
  for (const fs::path& file : files_below(folder, search)) {
    const std::string name = file.filename().string();
    if (!lower(name).ends_with(".gguf") || model::is_projector_name(name)) continue;
    const auto part = model::parse_part_name(name);
    if (part && part->number != 1) continue;
    search.found.push_back(
        {.name = model::naming_of_file(name).name, .file = {.path = file, .sha256 = checksum_of_link(file)}});
  }
}

std::string variable(std::span<const std::string> environment, std::string_view name) {
  for (const std::string& one : environment) {
    if (one.size() > name.size() + 1 && one.starts_with(name) && one[name.size()] == '=')
      return one.substr(name.size() + 1);
  }
  return {};
}

}  // namespace

std::vector<fs::path> known_model_folders(std::span<const std::string> environment) {
  std::vector<fs::path> folders;
  const auto add = [&](const std::string& folder, std::string_view below = {}) {
    if (!folder.empty()) folders.push_back(below.empty() ? fs::path(folder) : fs::path(folder) / below);
  };
  const std::string home = variable(environment, "HOME");
  const std::string xdg = variable(environment, "XDG_CACHE_HOME");
  const std::string cache = !xdg.empty() ? xdg : home.empty() ? "" : cat(home, "/.cache");
  add(variable(environment, "OLLAMA_MODELS"));
  add(home, ".ollama/models");
  add("/usr/share/ollama/.ollama/models");
  add(home, ".lmstudio/models");
  add(cache, "lm-studio/models");
  add(variable(environment, "HF_HUB_CACHE"));
  add(variable(environment, "HF_HOME"), "hub");
  add(cache, "huggingface/hub");
  add(variable(environment, "LLAMA_CACHE"));
  add(cache, "llama.cpp");
  return folders;
}

Json import_models(model::ModelStore& store, const std::vector<fs::path>& folders, bool named) {
  Search search;
  for (const fs::path& folder : folders) {
    std::error_code failure;
    const bool there = fs::is_directory(folder, failure);
    if (!there) {
      const bool hidden = failure && failure != std::errc::no_such_file_or_directory;
      if (hidden || named) search.skip(folder, hidden ? failure.message() : "there is no such folder");
      continue;
    }
    if (fs::is_directory(folder / "manifests", failure)) {
      find_of_ollama(folder, search);
    } else {
      find_ggufs(folder, search);
    }
  }
  Json imported = Json::array();
  std::set<fs::path> seen;
  for (const Found& found : search.found) {
    std::error_code failure;
    const fs::path real = fs::canonical(found.file.path, failure);
    if (failure) {
      search.skip(found.file.path, failure.message());
      continue;
    }
    if (!seen.insert(real).second) continue;
    const Result<ModelFile> file = store.import(found.name, found.file);
    if (file) {
      imported.push_back(to_json(*file));
    } else {
      search.skip(found.file.path, file.error().message);
    }
  }
  return {{"imported", std::move(imported)}, {"skipped", std::move(search.skipped)}};
}

}  // namespace rbee::hive
