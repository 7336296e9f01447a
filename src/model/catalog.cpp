#include "model/catalog.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <set>

// Made by rbee_embed() in CMakeLists.txt.
extern "C" const char rbee_embedded_catalog[];
extern "C" const char rbee_embedded_catalog_end[];

namespace rbee::model {
namespace {

constexpr std::array known_keys = {"name",       "title", "kind",   "params",  "context", "licence",
                                   "repository", "file",  "quants", "aliases", "checked"};
constexpr std::string_view quant_mark = "{quant}";

std::vector<std::string> strings_of(const Json& object, std::string_view key) {
  std::vector<std::string> values;
  for (const Json& one : get_array(object, key)) {
    if (one.is_string()) values.push_back(one.get<std::string>());
  }
  return values;
}

// What is wrong with it; empty where nothing is.
std::string trouble_with(const CatalogEntry& entry) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  if (entry.name.empty() || entry.name.find_first_not_of(letters) != std::string::npos)
    return "its name has other characters than a-z 0-9 . _ -";
  if (entry.params == 0 || entry.context == 0) return "it has no 'params' or no 'context'";
  if (entry.kind != "chat" && entry.kind != "vision" && entry.kind != "embedding")
    return cat("its kind '", entry.kind, "' is none of chat, vision, embedding");
  if (std::count(entry.repository.begin(), entry.repository.end(), '/') != 1)
    return "its repository is no owner/repo";
  if (entry.file.find(quant_mark) == std::string::npos) return "its file has no {quant}";
  if (entry.quants.empty()) return "it has no quants";
  for (const std::string& quant : entry.quants) {
    if (quant_of(quant) != quant) return cat("'", quant, "' is no quantization");
  }
  return {};
}

Result<CatalogEntry> parse_entry(const Json& json) {
  CatalogEntry entry{.name = text_of(json, "name"),
                     .title = text_of(json, "title"),
                     .kind = text_of(json, "kind"),
                     .params = static_cast<std::uint64_t>(get_int(json, "params").value_or(0)),
                     .context = static_cast<std::uint32_t>(get_int(json, "context").value_or(0)),
                     .licence = text_of(json, "licence"),
                     .repository = text_of(json, "repository"),
                     .file = text_of(json, "file"),
                     .quants = strings_of(json, "quants"),
                     .aliases = strings_of(json, "aliases"),
                     .checked = text_of(json, "checked")};
  std::string trouble = json.is_object() ? trouble_with(entry) : "it is no object";
  if (trouble.empty()) {
    for (const auto& [key, value] : json.items()) {
      if (std::find(known_keys.begin(), known_keys.end(), key) == known_keys.end())
        trouble = cat("it has the unknown key '", key, "'");
    }
  }
  if (trouble.empty()) return entry;
  return Error{ErrorCode::bad_config, cat("The catalog's entry '", entry.name, "': ", trouble, ".")};
}

const CatalogEntry* find_name(const std::vector<CatalogEntry>& entries, std::string_view name) {
  for (const CatalogEntry& entry : entries) {
    if (equal_ignoring_case(entry.name, name)) return &entry;
    for (const std::string& alias : entry.aliases) {
      if (equal_ignoring_case(alias, name)) return &entry;
    }
  }
  return nullptr;
}

std::vector<std::string> all_names(const std::vector<CatalogEntry>& entries) {
  std::vector<std::string> names;
  for (const CatalogEntry& entry : entries) names.push_back(entry.name);
  return names;
}

}  // namespace

std::string quant_of(std::string_view word) {
  static constexpr std::array shorts = {std::pair{"q2", "Q2_K"},   std::pair{"q3", "Q3_K_M"},
                                        std::pair{"q4", "Q4_K_M"}, std::pair{"q5", "Q5_K_M"},
                                        std::pair{"q6", "Q6_K"},   std::pair{"q8", "Q8_0"},
                                        std::pair{"fp16", "F16"},  std::pair{"iq4", "IQ4_XS"}};
  static constexpr std::array names = {
      "Q2_K",   "Q2_K_S",  "Q2_K_L", "Q3_K",   "Q3_K_S", "Q3_K_M",  "Q3_K_L",  "Q3_K_XL", "Q4_0",
      "Q4_1",   "Q4_K",    "Q4_K_S", "Q4_K_M", "Q4_K_L", "Q5_0",    "Q5_1",    "Q5_K",    "Q5_K_S",
      "Q5_K_M", "Q5_K_L",  "Q6_K",   "Q6_K_L", "Q8_0",   "Q8_K",    "Q8_K_XL", "Q4_K_XL", "IQ1_S",
      "IQ1_M",  "IQ2_XXS", "IQ2_XS", "IQ2_S",  "IQ2_M",  "IQ3_XXS", "IQ3_XS",  "IQ3_S",   "IQ3_M",
      "IQ4_XS", "IQ4_NL",  "F16",    "BF16",   "F32",    "MXFP4",   "TQ1_0",   "TQ2_0"};
  for (const auto& [given, meant] : shorts) {
    if (equal_ignoring_case(given, word)) return meant;
  }
  for (const char* name : names) {
    if (equal_ignoring_case(name, word)) return name;
  }
  return {};
}

Result<std::vector<CatalogEntry>> parse_catalog(std::string_view text) {
  const Result<Json> json = parse_json(text);
  if (!json) return json.error();
  std::vector<CatalogEntry> entries;
  std::set<std::string> taken;
  for (const Json& one : get_array(*json, "models")) {
    Result<CatalogEntry> entry = parse_entry(one);
    if (!entry) return entry.error();
    std::vector<std::string> names = entry->aliases;
    names.push_back(entry->name);
    for (const std::string& name : names) {
      if (!taken.insert(lower(name)).second)
        return Error{ErrorCode::bad_config, cat("The catalog has two entries named '", name, "'.")};
    }
    entries.push_back(std::move(*entry));
  }
  return entries;
}

std::string_view catalog_text() {
  return {rbee_embedded_catalog, static_cast<std::size_t>(rbee_embedded_catalog_end - rbee_embedded_catalog)};
}

const std::vector<CatalogEntry>& catalog() {
  static const std::vector<CatalogEntry> entries = [] {
    // What is built in was checked by a test.
    Result<std::vector<CatalogEntry>> parsed = parse_catalog(catalog_text());
    return parsed ? std::move(*parsed) : std::vector<CatalogEntry>{};
  }();
  return entries;
}

Result<CatalogChoice> find_in_catalog(const std::vector<CatalogEntry>& entries, std::string_view asked) {
  if (const CatalogEntry* entry = find_name(entries, asked)) return CatalogChoice{entry, {}};
  // The quantization stands behind the last mark before which a known name ends: "llama-3.1-8b-q4".
  for (std::size_t at = asked.find_last_of("-@:"); at != std::string_view::npos && at > 0;
       at = asked.find_last_of("-@:", at - 1)) {
    const CatalogEntry* entry = find_name(entries, asked.substr(0, at));
    if (entry == nullptr) continue;
    const std::string_view word = asked.substr(at + 1);
    std::string quant = quant_of(word);
    if (std::find(entry->quants.begin(), entry->quants.end(), quant) != entry->quants.end())
      return CatalogChoice{entry, std::move(quant)};
    return Error{ErrorCode::unknown_model,
                 cat("The catalog has no quantization '", word, "' of '", entry->name, "'."),
                 cat("It has ", join(entry->quants, ", "), "; `hf:", entry->repository,
                     ":QUANT` asks for any that lies there.")};
  }
  std::string hint = did_you_mean(asked, all_names(entries));
  if (hint.empty()) hint = "`rbee model search TEXT` looks further; hf:owner/repo names one on the hub.";
  return Error{ErrorCode::unknown_model, cat("The catalog has no model '", asked.substr(0, 100), "'."), hint};
}

std::vector<const CatalogEntry*> search_catalog(const std::vector<CatalogEntry>& entries,
                                                std::string_view text) {
  std::vector<const CatalogEntry*> found;
  for (const CatalogEntry& entry : entries) {
    const std::string all = lower(cat(entry.name, " ", entry.title, " ", entry.repository, " ", entry.kind,
                                      " ", join(entry.aliases, " ")));
    bool every = true;
    for (const std::string_view word : split(text, ' ')) every = every && all.find(lower(word)) != all.npos;
    if (every) found.push_back(&entry);
  }
  return found;
}

Json to_json(const CatalogEntry& entry) {
  return {{"name", entry.name},
          {"title", entry.title},
          {"kind", entry.kind},
          {"params", entry.params},
          {"context", entry.context},
          {"licence", entry.licence},
          {"repository", entry.repository},
          {"file", entry.file},
          {"quants", entry.quants},
          {"aliases", entry.aliases},
          {"checked", entry.checked.empty() ? Json(nullptr) : Json(entry.checked)}};
}

}  // namespace rbee::model
