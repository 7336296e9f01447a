#include "model/hub.h"

#include "base/json.h"
#include "base/text.h"
#include "model/model_parts.h"
#include "net/http.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace rbee::model {
namespace {

std::string encode_path(std::string_view path) {
  std::string encoded;
  for (const std::string_view part : split(path, '/')) {
    encoded += cat(encoded.empty() ? "" : "/", net::percent_encode(part));
  }
  return encoded;
}

std::string_view last_part(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

Error not_understood(std::string_view what) {
  return Error{ErrorCode::source_unreachable,
               cat(what, " answered with something else than a list of files."),
               "Check HF_ENDPOINT, or the proxy in between."};
}

std::vector<WantedFile> gguf_files(const Source& source, const Json& tree, std::string_view hub) {
  std::vector<WantedFile> files;
  for (const Json& entry : tree) {
    const std::string path = text_of(entry, "path");
    if (get_string(entry, "type") != "file" || !lower(path).ends_with(".gguf")) continue;
    WantedFile file{
        .url = cat(hub, "/", source.repository, "/resolve/", source.revision, "/", encode_path(path)),
        .file_name = path,
        .bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(get_int(entry, "size").value_or(0), 0)),
        .sha256 = {}};
    const Json& lfs = get_array(entry, "lfs");
    std::string oid = text_of(lfs, "oid");
    if (oid.starts_with("sha256:")) oid = oid.substr(7);
    if (is_sha256(oid)) file.sha256 = oid;
    files.push_back(std::move(file));
  }
  std::ranges::sort(files, {}, &WantedFile::file_name);
  return files;
}

// All shards of the model that `first` is one of. Fails naming the first that is missing.
Result<std::vector<WantedFile>> with_shards(const std::vector<WantedFile>& files, const WantedFile& first) {
  const std::optional<PartName> part = parse_part_name(last_part(first.file_name));
  if (!part) return std::vector<WantedFile>{first};
  const std::string_view folder =
      std::string_view(first.file_name).substr(0, first.file_name.size() - last_part(first.file_name).size());
  std::vector<WantedFile> shards;
  for (int number = 1; number <= part->count; ++number) {
    const auto shard = std::ranges::find_if(files, [&](const WantedFile& file) {
      const std::optional<PartName> other = parse_part_name(last_part(file.file_name));
      return other && other->stem == part->stem && other->number == number && other->count == part->count &&
             file.file_name.starts_with(folder) &&
             file.file_name.find('/', folder.size()) == std::string::npos;
    });
    if (shard == files.end()) {
      return Error{
          ErrorCode::unknown_model,
          cat("Part ", number, " of ", part->count, " of '", part->stem, "' is missing at its source."),
          "Choose another quantization, or another repository."};
    }
    shards.push_back(*shard);
  }
  return shards;
}

std::string quants_text(const std::vector<WantedFile>& files) {
  std::set<std::string> quants;
  for (const WantedFile& file : files) {
    std::string quant = naming_of_file(last_part(file.file_name)).quant;
    if (!quant.empty() && !is_projector_name(file.file_name)) quants.insert(std::move(quant));
  }
  return join(std::vector<std::string>(quants.begin(), quants.end()), ", ");
}

const WantedFile* file_of_quant(const std::vector<WantedFile>& files, std::string_view quant) {
  for (const WantedFile& file : files) {
    if (!is_projector_name(file.file_name) && naming_of_file(last_part(file.file_name)).quant == quant)
      return &file;
  }
  return nullptr;
}

// The file that the source names, its quantization's, the recommended one's, or the only one there is.
Result<const WantedFile*> main_file(const Source& source, const std::vector<WantedFile>& files) {
  if (!source.file.empty()) {
    const auto named = std::ranges::find(files, source.file, &WantedFile::file_name);
    if (named != files.end()) return &*named;
    std::vector<std::string> names;
    for (const WantedFile& file : files) names.push_back(file.file_name);
    return Error{ErrorCode::unknown_model, cat("'", source.repository, "' has no file '", source.file, "'."),
                 did_you_mean(source.file, names)};
  }
  const std::string wanted = source.quant.empty() ? std::string(recommended_quant) : source.quant;
  if (const WantedFile* file = file_of_quant(files, wanted)) return file;
  if (source.quant.empty()) {
    for (const std::string_view next : {"Q4_K_S", "Q5_K_M", "Q4_0", "Q8_0", "MXFP4", "F16"}) {
      if (const WantedFile* file = file_of_quant(files, next)) return file;
    }
    for (const WantedFile& file : files) {
      if (!is_projector_name(file.file_name)) return &file;
    }
  }
  const std::string there = quants_text(files);
  return Error{ErrorCode::unknown_model,
               there.empty() ? cat("'", source.repository, "' has no GGUF files.")
                             : cat("'", source.repository, "' has no ", wanted, "."),
               there.empty() ? "Look for a repository whose name ends with -GGUF: `rbee model search TEXT`."
                             : cat("It has ", there, ".")};
}

std::optional<WantedFile> projector_of(const std::vector<WantedFile>& files) {
  std::vector<std::string> names;
  for (const WantedFile& file : files) {
    if (is_projector_name(file.file_name)) names.push_back(file.file_name);
  }
  const std::string best = best_projector(names);
  const auto found = std::ranges::find(files, best, &WantedFile::file_name);
  return found == files.end() ? std::nullopt : std::optional(*found);
}

std::string tree_url(const Source& source, const WebSettings& settings) {
  return cat(settings.hub, "/api/models/", source.repository, "/tree/", source.revision, "?recursive=1");
}

}  // namespace

Result<WantedModel> choose_files(const Source& source, std::string_view tree_json, std::string_view hub) {
  const Result<Json> tree = parse_json(tree_json);
  if (!tree || !tree->is_array()) return not_understood(hub);
  const std::vector<WantedFile> files = gguf_files(source, *tree, hub);
  const Result<const WantedFile*> file = main_file(source, files);
  if (!file) return file.error();
  Result<std::vector<WantedFile>> shards = with_shards(files, **file);
  if (!shards) return shards.error();
  return WantedModel{.name = source.name,
                     .quant = naming_of_file(last_part((*file)->file_name)).quant,
                     .files = std::move(*shards),
                     .projector = projector_of(files)};
}

std::uint64_t bytes_of(const WantedModel& model) {
  std::uint64_t bytes = 0;
  for (const WantedFile& file : model.files) bytes += file.bytes;
  return bytes;
}

Result<std::vector<WantedModel>> choose_all_quants(const Source& source, std::string_view tree_json,
                                                   std::string_view hub) {
  const Result<Json> tree = parse_json(tree_json);
  if (!tree || !tree->is_array()) return not_understood(hub);
  std::set<std::string> quants;
  for (const WantedFile& file : gguf_files(source, *tree, hub)) {
    std::string quant = naming_of_file(last_part(file.file_name)).quant;
    if (!quant.empty() && !is_projector_name(file.file_name)) quants.insert(std::move(quant));
  }
  std::vector<WantedModel> models;
  Source one = source;
  for (const std::string& quant : quants) {
    one.quant = quant;
    Result<WantedModel> model = choose_files(one, tree_json, hub);
    if (model) models.push_back(std::move(*model));
  }
  if (models.empty()) {
    // A repository whose only file names no quantization.
    Result<WantedModel> only = choose_files(source, tree_json, hub);
    if (!only) return only.error();
    models.push_back(std::move(*only));
  }
  std::ranges::sort(models, {}, [](const WantedModel& model) { return bytes_of(model); });
  return models;
}

Result<std::vector<WantedModel>> find_quants(const Source& source, const WebSettings& settings,
                                             const KeepOn& keep_on) {
  if (source.kind == SourceKind::hub && source.quant.empty() && source.file.empty()) {
    const Result<std::string> tree =
        get_document(tree_url(source, settings), settings, "application/json", keep_on);
    if (!tree) return tree.error();
    return choose_all_quants(source, *tree, settings.hub);
  }
  Result<WantedModel> only = find_files(source, settings, keep_on);
  if (!only) return only.error();
  return std::vector<WantedModel>{std::move(*only)};
}

Result<WantedModel> files_of_manifest(const Source& source, std::string_view manifest_json,
                                      std::string_view base) {
  const Result<Json> manifest = parse_json(manifest_json);
  if (!manifest || !manifest->is_object()) return not_understood(base);
  WantedModel model{.name = source.name, .quant = {}, .files = {}, .projector = {}};
  for (const Json& layer : get_array(*manifest, "layers")) {
    const std::string type = text_of(layer, "mediaType");
    const std::string digest = text_of(layer, "digest");
    constexpr std::string_view prefix = "sha256:";
    if (!digest.starts_with(prefix) || !is_sha256(digest.substr(prefix.size()))) continue;
    WantedFile file{
        .url = cat(base, "/blobs/", digest),
        .file_name = source.model,
        .bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(get_int(layer, "size").value_or(0), 0)),
        .sha256 = digest.substr(prefix.size())};
    if (type == "application/vnd.ollama.image.model") {
      model.files.push_back(std::move(file));
    } else if (type == "application/vnd.ollama.image.projector") {
      model.projector = std::move(file);
    }
  }
  if (model.files.size() == 1) return model;
  return Error{
      ErrorCode::unknown_model,
      cat("'", canonical(source), "' has ", model.files.size(), " model files where rbee reads one."),
      "Models that Ollama runs on its own engine have none; look on the hub: `rbee model search TEXT`."};
}

Result<WantedModel> find_files(const Source& source, const WebSettings& settings, const KeepOn& keep_on) {
  if (source.kind == SourceKind::url) {
    const std::string file = without_query(source.location);
    const std::string_view name = last_part(file);
    return WantedModel{.name = source.name,
                       .quant = naming_of_file(name).quant,
                       .files = {WantedFile{source.location, std::string(name), 0, {}}},
                       .projector = {}};
  }
  if (source.kind == SourceKind::hub) {
    const Result<std::string> tree =
        get_document(tree_url(source, settings), settings, "application/json", keep_on);
    if (!tree) return tree.error();
    return choose_files(source, *tree, settings.hub);
  }
  if (source.kind == SourceKind::ollama) {
    // A registry with a port is one of a private network, which is asked by http as Ollama does.
    const bool plain = settings.allow_private && source.host.find(':') != std::string::npos;
    const std::string base = cat(plain ? "http" : "https", "://", source.host, "/v2/", source.model);
    const std::string url = cat(base, "/manifests/", source.tag);
    const std::string accept = "application/vnd.docker.distribution.manifest.v2+json";
    const Result<std::string> manifest = get_document(url, settings, accept, keep_on);
    if (!manifest) return manifest.error();
    return files_of_manifest(source, *manifest, base);
  }
  return Error{ErrorCode::bad_request, cat("'", source.location, "' is a path; nothing is to be fetched."),
               "`rbee model add NAME FILE` makes a file of the hive's machine known."};
}

Result<std::vector<HubModel>> parse_hub_models(std::string_view list_json, std::string_view hub) {
  const Result<Json> list = parse_json(list_json);
  if (!list || !list->is_array()) return not_understood(hub);
  std::vector<HubModel> models;
  for (const Json& one : *list) {
    std::optional<std::string> id = get_string(one, "id");
    if (id) models.push_back({std::move(*id), get_int(one, "downloads").value_or(0)});
  }
  return models;
}

Result<std::vector<HubModel>> search_hub(std::string_view text, const WebSettings& settings,
                                         const KeepOn& keep_on) {
  const std::string url = cat(settings.hub, "/api/models?search=", net::percent_encode(text),
                              "&filter=gguf&sort=downloads&direction=-1&limit=20");
  const Result<std::string> document = get_document(url, settings, "application/json", keep_on);
  if (!document) return document.error();
  return parse_hub_models(*document, settings.hub);
}

}  // namespace rbee::model
