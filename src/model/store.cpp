#include "model/store.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "domain/model_name.h"
#include "model/abilities.h"
#include "model/fit.h"
#include "model/model_parts.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <system_error>

namespace rbee::model {
namespace {

// 10,000 models of some 500 bytes each.
constexpr std::size_t largest_list_bytes = 8u << 20;
constexpr std::string_view list_name = "models.json";

struct Naming {
  std::string id;
  std::string name;
};

// "llama-8b-q4_k_m" of a Q4_K_M is an id and holds the name; anything else is a name.
Naming name_of(std::string_view given, std::string_view quant) {
  if (given.size() > quant.size() + 1 &&
      equal_ignoring_case(given.substr(given.size() - quant.size()), quant)) {
    const std::string_view before = given.substr(0, given.size() - quant.size());
    if (std::string_view("-.:@_").find(before.back()) != std::string_view::npos) {
      return Naming{std::string(given), std::string(before.substr(0, before.size() - 1))};
    }
  }
  return Naming{quant.empty() ? std::string(given) : cat(given, "-", lower(quant)), std::string(given)};
}

// Why a known file cannot be used now; empty where it can.
std::string trouble_with(const ModelFile& file) {
  const auto trouble = [](const std::string& path, std::uint64_t had) -> std::string {
    const Result<std::uint64_t> bytes = bytes_on_disk(path);
    if (!bytes) return bytes.error().message;
    if (*bytes == had) return {};
    return cat("'", path, "' has ", *bytes, " bytes; it had ", had, " when it was added.");
  };
  std::string reason = trouble(file.path, file.bytes);
  if (reason.empty() && !file.projector.empty()) reason = trouble(file.projector, file.projector_bytes);
  return reason;
}

bool by_id(const ModelFile& a, const ModelFile& b) { return a.id < b.id; }

}  // namespace

Result<ModelStore> ModelStore::open(const std::filesystem::path& folder) {
  ModelStore store(folder);
  const std::filesystem::path list = folder / list_name;
  std::error_code failure;
  if (!std::filesystem::exists(list, failure)) return store;
  const Result<std::string> text = read_file(list, largest_list_bytes);
  if (!text) return text.error();
  const auto damaged = [&](std::string_view why) {
    return Error{ErrorCode::bad_config,
                 cat("The list of models '", list.string(), "' is damaged: ", why),
                 "Mend it, or take it away and add the models again.",
                 {}};
  };
  const Result<Json> json = parse_json(*text);
  if (!json) return damaged(json.error().message);
  for (const Json& one : get_array(*json, "models")) {
    Result<ModelFile> file = model_file_from_json(one);
    if (!file) return damaged(file.error().message);
    store.files_.push_back(std::move(*file));
  }
  std::sort(store.files_.begin(), store.files_.end(), by_id);
  return store;
}

Result<ModelFile> ModelStore::add(std::string_view name, const std::filesystem::path& path) {
  std::error_code failure;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, failure);
  return put(name, path, {}, projector_beside(failure ? path : real));
}

Result<ModelFile> ModelStore::put(std::string_view name, const std::filesystem::path& path,
                                  const std::string& sha256, const std::filesystem::path& projector) {
  if (Result<void> good = check_name(name); !good) return good.error();
  std::error_code failure;
  // Links are followed, so that one file has one path whatever way it was named.
  const std::filesystem::path absolute = std::filesystem::weakly_canonical(path, failure);
  const Result<ModelParts> model = read_model(failure ? path : absolute);
  if (!model) return model.error();
  const Naming naming = name_of(name, model->header.quant);
  const TokenNeeds needs = needs_of_token(model->header, {.backend = Backend::cpu});
  ModelFile file{.id = naming.id,
                 .name = naming.name,
                 .quant = model->header.quant,
                 .path = model->files.front().string(),
                 .bytes = model->bytes,
                 .params = model->header.params,
                 .architecture = model->header.architecture,
                 .context_train = model->header.context_train,
                 .sha256 = sha256,
                 .layers = static_cast<std::uint32_t>(needs.host.layers),
                 .token_bytes = static_cast<std::uint64_t>(needs.host.bytes),
                 .abilities = abilities_of(model->header)};
  if (!projector.empty()) {
    const Result<Projector> added = read_projector(projector);
    if (!added) return added.error();
    file.projector = std::filesystem::weakly_canonical(projector, failure).string();
    file.projector_bytes = added->bytes;
    file.abilities.insert(file.abilities.end(), added->abilities.begin(), added->abilities.end());
  }
  return enter(std::move(file));
}

Result<ModelFile> ModelStore::enter(ModelFile file) {
  std::vector<ModelFile> files = files_;
  const auto known = std::find_if(files.begin(), files.end(),
                                  [&](const ModelFile& one) { return equal_ignoring_case(one.id, file.id); });
  if (known == files.end()) {
    files.push_back(file);
  } else if (known->path == file.path) {
    const bool same = known->bytes == file.bytes && (file.sha256.empty() || known->sha256 == file.sha256) &&
                      known->projector == file.projector && known->projector_bytes == file.projector_bytes;
    if (same && known->abilities == file.abilities) return *known;
    if (same) file.sha256 = known->sha256;  // listed before it was known what such a file can do
    *known = file;                          // the same file, written anew since
  } else {
    return Error{ErrorCode::name_taken,
                 cat("'", file.id, "' is already the model in '", known->path, "'."),
                 cat("Choose another name, or `rbee model remove ", known->id, "`."),
                 {}};
  }
  std::sort(files.begin(), files.end(), by_id);
  if (Result<void> saved = save(files); !saved) return saved.error();
  files_ = std::move(files);
  return file;
}

Result<void> ModelStore::remove(std::string_view id) {
  std::vector<ModelFile> files = files_;
  const auto removed =
      std::erase_if(files, [&](const ModelFile& one) { return equal_ignoring_case(one.id, id); });
  if (removed == 0) {
    return Error{ErrorCode::unknown_model,
                 cat("There is no model '", id, "' here."),
                 did_you_mean(id, known_ids()),
                 {}};
  }
  if (Result<void> saved = save(files); !saved) return saved;
  files_ = std::move(files);
  sweep();
  return {};
}

ModelStore::Listing ModelStore::list() const {
  Listing listing;
  for (const ModelFile& file : files_) {
    std::string reason = trouble_with(file);
    if (reason.empty()) {
      listing.models.push_back(file);
    } else {
      listing.missing.push_back(Missing{file, std::move(reason)});
    }
  }
  return listing;
}

Result<ModelFile> ModelStore::find(std::string_view id) const {
  for (const ModelFile& file : files_) {
    if (!equal_ignoring_case(file.id, id)) continue;
    if (const std::string reason = trouble_with(file); !reason.empty()) {
      return Error{ErrorCode::bad_model_file, reason, "Put the file back, or add the model again.", {}};
    }
    return file;
  }
  return Error{
      ErrorCode::unknown_model, cat("There is no model '", id, "' here."), did_you_mean(id, known_ids()), {}};
}

std::vector<ModelFile> ModelStore::find_by_name(std::string_view asked) const {
  std::vector<ModelFile> found;
  for (const ModelFile& file : files_) {
    if (answers_to(file, asked)) found.push_back(file);
  }
  return found;
}

Result<void> ModelStore::save(const std::vector<ModelFile>& files) const {
  if (Result<void> made = make_folder(folder_); !made) return made;
  Json models = Json::array();
  for (const ModelFile& file : files) models.push_back(to_json(file));
  return write_file(folder_ / list_name, dump_json_indented(Json{{"models", std::move(models)}}) + "\n");
}

std::vector<std::string> ModelStore::known_ids() const {
  std::vector<std::string> ids;
  for (const ModelFile& file : files_) ids.push_back(file.id);
  return ids;
}

}  // namespace rbee::model
