// Where a model comes from, as users write it: a name of the catalog, hf:owner/repo[:quant], hf.co/...,
// ollama:name:tag, an https URL, a path. Pure.
//
// Whatever way a file was named, canonical() is one text for it: by that a download is known, and asked for
// twice it is one download. No part of it ever becomes a path.
#pragma once

#include "model/catalog.h"

#include <string>
#include <string_view>

namespace rbee::model {

enum class SourceKind { hub, ollama, url, path };

struct Source {
  SourceKind kind = SourceKind::url;
  // hub: owner/repo; a quantization (empty: the recommended one), or one file at a revision.
  std::string repository = {};
  std::string quant = {};
  std::string file = {};
  std::string revision = "main";
  // ollama: the registry's host (with a port where it has one), namespace/name and tag.
  std::string host = {};
  std::string model = {};
  std::string tag = {};
  // url, path
  std::string location = {};
  // What the model will be called where nobody says: fit for check_name(). Without its quantization.
  std::string name = {};
};

// `asked` may end with @QUANT; `quant` (of --quant) wins over it. Fails with bad_request saying what is
// wrong, or unknown_model with the near names of the catalog. Only a text that begins with '/', './', '../'
// or '~', or ends with ".gguf", is a path.
[[nodiscard]] Result<Source> parse_source(std::string_view asked, std::string_view quant,
                                          const std::vector<CatalogEntry>& entries);
// "hf:owner/repo:Q4_K_M", "hf:owner/repo/file.gguf", "ollama:library/llama3:8b", an URL.
[[nodiscard]] std::string canonical(const Source& source);

// Any text as a name: characters that a name may not have become '-', lower case, at most 100.
[[nodiscard]] std::string as_name(std::string_view text);
// "Llama-3.1-8B-Instruct-Q4_K_M-00001-of-00002.gguf" is "llama-3.1-8b-instruct" of "Q4_K_M".
struct FileNaming {
  std::string name;
  std::string quant;  // empty where the file's name has none
};
[[nodiscard]] FileNaming naming_of_file(std::string_view file_name);

}  // namespace rbee::model
