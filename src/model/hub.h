// From a source to the files that must be fetched: what the hub's list, or a registry's manifest, says.
#pragma once

#include "model/source.h"
#include "model/web.h"

#include <string>
#include <vector>

namespace rbee::model {

struct WantedFile {
  std::string url;
  std::string file_name;    // at its source; of shards the part after the stem matters
  std::uint64_t bytes = 0;  // 0: not told
  std::string sha256;       // empty: not told
};
struct WantedModel {
  std::string name;
  std::string quant;                    // as the source's names have it; the header has the last word
  std::vector<WantedFile> files;        // one, or all shards in their order
  std::optional<WantedFile> projector;  // beside a vision model
};

// Fails as get_document(), or with unknown_model: no such quantization (naming those there are), a shard
// that is missing.
[[nodiscard]] Result<WantedModel> find_files(const Source& source, const WebSettings& settings,
                                             const KeepOn& keep_on);

// The same of what the hub's `/api/models/R/tree/main?recursive=1` says. Pure.
[[nodiscard]] Result<WantedModel> choose_files(const Source& source, std::string_view tree_json,
                                               std::string_view hub);
// One for each quantization that the source's repository has, the smallest first; those that lack a shard
// are left out. Pure.
[[nodiscard]] Result<std::vector<WantedModel>> choose_all_quants(const Source& source,
                                                                 std::string_view tree_json,
                                                                 std::string_view hub);
// find_files() for each quantization; of a source that names one, or a file, that one.
[[nodiscard]] Result<std::vector<WantedModel>> find_quants(const Source& source, const WebSettings& settings,
                                                           const KeepOn& keep_on);
[[nodiscard]] std::uint64_t bytes_of(const WantedModel& model);

// Of a registry's manifest, which lies at `base`/manifests/TAG. Pure.
[[nodiscard]] Result<WantedModel> files_of_manifest(const Source& source, std::string_view manifest_json,
                                                    std::string_view base);

struct HubModel {
  std::string repository;
  std::int64_t downloads = 0;
};
// Of what the hub's `/api/models?search=` says. Pure.
[[nodiscard]] Result<std::vector<HubModel>> parse_hub_models(std::string_view list_json,
                                                             std::string_view hub);
// Repositories with GGUF files on the hub that have `text` in their names.
[[nodiscard]] Result<std::vector<HubModel>> search_hub(std::string_view text, const WebSettings& settings,
                                                       const KeepOn& keep_on);

}  // namespace rbee::model
