// The models that rbee knows by a short name: models/catalog.json, built into the program.
//
// The catalog names repository, file and parameters. Sizes and checksums are the hub's, asked at download
// time. Pure.
#pragma once

#include "base/error.h"
#include "base/json.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::model {

struct CatalogEntry {
  std::string name;  // "llama-3.1-8b"
  std::string title;
  std::string kind;  // "chat", "vision" (a projector lies beside the model), "embedding"
  std::uint64_t params = 0;
  std::uint32_t context = 0;
  std::string licence;
  std::string repository;  // "owner/repo"
  std::string file;        // "Llama-{quant}.gguf"
  std::vector<std::string> quants;
  std::vector<std::string> aliases;
  std::string checked;  // the day on which the hub was seen to have it; empty: never
};

// Fails with bad_config naming the entry and what is wrong with it: unknown keys and names that two
// entries claim are wrong too.
[[nodiscard]] Result<std::vector<CatalogEntry>> parse_catalog(std::string_view text);
// The one that is built in.
[[nodiscard]] const std::vector<CatalogEntry>& catalog();
[[nodiscard]] std::string_view catalog_text();

// An entry and the quantization that a name asked for; empty where it left the choice open.
struct CatalogChoice {
  const CatalogEntry* entry = nullptr;
  std::string quant;
};
// "llama-3.1-8b", an alias, either with "-q4", "-q4_k_m", "@Q8_0" or ":q5" behind it, in any case. Fails
// with unknown_model and the near names, or where it has no such quantization.
[[nodiscard]] Result<CatalogChoice> find_in_catalog(const std::vector<CatalogEntry>& entries,
                                                    std::string_view asked);
// Those whose name, alias, title or repository has every word of `text`.
[[nodiscard]] std::vector<const CatalogEntry*> search_catalog(const std::vector<CatalogEntry>& entries,
                                                              std::string_view text);
[[nodiscard]] Json to_json(const CatalogEntry& entry);

// "q4" is Q4_K_M, "q8" is Q8_0, "q4_k_s" is Q4_K_S; empty where it names none.
[[nodiscard]] std::string quant_of(std::string_view word);
// What is taken where nobody says: little is lost to it, and it takes half of what Q8_0 does.
inline constexpr std::string_view recommended_quant = "Q4_K_M";

}  // namespace rbee::model
