#include "model/source.h"

#include "base/text.h"
#include "model/model_parts.h"

#include <algorithm>
#include <cctype>

namespace rbee::model {
namespace {

constexpr std::size_t longest_source = 2048;  // as long as URLs get
constexpr std::string_view ollama_registry = "registry.ollama.ai";

Error bad(std::string_view asked, std::string_view why) {
  return Error{
      ErrorCode::bad_request,
      cat("'", asked.substr(0, 100), asked.size() > 100 ? "..." : "", "' names no model: ", why, "."),
      "Write a name of the catalog, hf:owner/repo[:quant], ollama:name:tag, an https URL or a path."};
}

bool starts_with_ignoring_case(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && equal_ignoring_case(text.substr(0, with.size()), with);
}

// One part of a repository or of a registry's name.
bool is_part(std::string_view part) {
  constexpr std::size_t longest = 128;
  const bool good = std::all_of(part.begin(), part.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
  });
  return good && !part.empty() && part.size() <= longest && part.front() != '.' &&
         part.find("..") == std::string_view::npos;
}

// What a path within a repository may be: its parts are sent in a URL, percent-encoded.
bool is_inner_path(std::string_view path) {
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Takes "@QUANT" or ":QUANT" off the end.
std::string take_quant(std::string_view& text, std::string_view marks) {
  const std::size_t at = text.find_last_of(marks);
  if (at == std::string_view::npos) return {};
  std::string quant = quant_of(text.substr(at + 1));
  if (!quant.empty()) text = text.substr(0, at);
  return quant;
}

std::string name_of_repository(std::string_view repo) {
  std::string name = as_name(repo);
  constexpr std::string_view suffix = "-gguf";
  if (name.size() > suffix.size() && name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  return name;
}

// "owner/repo[:quant]", "owner/repo/resolve/REVISION/FILE", "owner/repo/FILE.gguf".
Result<Source> parse_hub(std::string_view asked, std::string_view rest) {
  rest = rest.substr(0, rest.find_first_of("?#"));
  Source source{.kind = SourceKind::hub};
  source.quant = take_quant(rest, ":@");
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const std::vector<std::string_view> parts = split(rest, '/');
  if (parts.size() < 2 || !is_part(parts[0]) || !is_part(parts[1]))
    return bad(asked, "a repository of the hub is owner/repo");
  source.repository = cat(parts[0], "/", parts[1]);
  source.name = name_of_repository(parts[1]);
  if (parts.size() == 2 || (parts.size() == 4 && parts[2] == "tree")) return source;
  std::size_t first = 2;
  if (parts.size() > 4 && (parts[2] == "resolve" || parts[2] == "blob")) {
    source.revision = parts[3];
    first = 4;
  }
  for (std::size_t i = first; i < parts.size(); ++i) source.file += cat(i == first ? "" : "/", parts[i]);
  if (!is_inner_path(source.file) || !lower(source.file).ends_with(".gguf") || !is_part(source.revision))
    return bad(asked, "it is no GGUF file of a repository");
  source.name = naming_of_file(parts.back()).name;
  return source;
}

// "name[:tag]", "namespace/name[:tag]", "host[:port]/namespace/name[:tag]".
Result<Source> parse_ollama(std::string_view asked, std::string_view rest) {
  Source source{.kind = SourceKind::ollama, .host = std::string(ollama_registry), .tag = "latest"};
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos &&
      rest.substr(0, slash).find_first_of(".:") != std::string_view::npos) {
    source.host = rest.substr(0, slash);
    rest = rest.substr(slash + 1);
    const std::string_view host = source.host;
    const bool port_is_good = host.find(':') == std::string_view::npos ||
                              parse_int<std::uint16_t>(host.substr(host.find(':') + 1)).has_value();
    if (!is_part(host.substr(0, host.find(':'))) || !port_is_good) return bad(asked, "its host is none");
  }
  if (const std::size_t colon = rest.find(':'); colon != std::string_view::npos) {
    source.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  const std::vector<std::string_view> parts = split(rest, '/');
  const bool good =
      parts.size() <= 2 && std::all_of(parts.begin(), parts.end(), is_part) && is_part(source.tag);
  if (!good) return bad(asked, "a model of Ollama is name:tag or namespace/name:tag");
  source.model = parts.size() == 1 ? cat("library/", parts[0]) : std::string(rest);
  source.name =
      as_name(source.tag == "latest" ? std::string(parts.back()) : cat(parts.back(), "-", source.tag));
  return source;
}

// Scheme and host in lower case, the usual port and the fragment gone.
Result<Source> parse_url(std::string_view asked) {
  std::string_view rest = asked.substr(asked.find("://") + 3);
  const std::string scheme = lower(asked.substr(0, asked.find("://")));
  rest = rest.substr(0, rest.find('#'));
  const std::size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  std::string host = lower(rest.substr(0, slash));
  if (host.find('@') != std::string::npos)
    return Error{ErrorCode::bad_request, "A URL with a name or password in it is not taken.",
                 "For the hub set HF_TOKEN in the hive's environment."};
  const std::string_view usual_port = scheme == "https" ? ":443" : ":80";
  if (host.ends_with(usual_port)) host.resize(host.size() - usual_port.size());
  if (host.empty() || host.find_first_of(" \\") != std::string::npos) return bad(asked, "its host is none");
  const std::string_view path = rest.substr(slash);
  if (scheme == "https" && (host == "huggingface.co" || host == "hf.co" || host == "www.huggingface.co"))
    return parse_hub(asked, path.starts_with('/') ? path.substr(1) : path);
  const std::string_view file = path.substr(0, path.find('?'));
  const std::string_view last = file.substr(std::min(file.rfind('/') + 1, file.size()));
  const std::string name = naming_of_file(last).name;
  return Source{.kind = SourceKind::url,
                .location = cat(scheme, "://", host, path.empty() ? "/" : path),
                .name = name.empty() ? "model" : name};
}

bool is_path(std::string_view asked) {
  const bool beginning = asked.starts_with('/') || asked.starts_with("./") || asked.starts_with("../") ||
                         asked.starts_with("~/");
  return beginning || lower(asked).ends_with(".gguf");
}

Result<Source> of_catalog(std::string_view asked, const std::vector<CatalogEntry>& entries) {
  const Result<CatalogChoice> choice = find_in_catalog(entries, asked);
  if (!choice) return choice.error();
  Source source{.kind = SourceKind::hub,
                .repository = choice->entry->repository,
                .quant = choice->quant,
                .name = choice->entry->name};
  // A repository that has no recommended one has one at all.
  const std::vector<std::string>& quants = choice->entry->quants;
  if (source.quant.empty() && std::find(quants.begin(), quants.end(), recommended_quant) == quants.end())
    source.quant = quants.front();
  return source;
}

}  // namespace

Result<Source> parse_source(std::string_view asked, std::string_view quant,
                            const std::vector<CatalogEntry>& entries) {
  asked = trim(asked);
  if (asked.empty()) return bad(asked, "it is empty");
  if (asked.size() > longest_source) return bad(asked, cat("it has ", asked.size(), " characters"));
  if (has_control(asked)) return bad("...", "it has control characters");
  std::string wanted;
  if (!quant.empty() && !equal_ignoring_case(quant, "auto")) {
    wanted = quant_of(quant);
    if (wanted.empty()) {
      return Error{ErrorCode::bad_request, cat("'", quant, "' is no quantization."),
                   "Write one like Q4_K_M, Q5_K_M or Q8_0."};
    }
  }
  Result<Source> source = [&]() -> Result<Source> {
    if (asked.starts_with("hf:")) return parse_hub(asked, asked.substr(3));
    for (const std::string_view host : {"hf.co/", "huggingface.co/"}) {
      if (starts_with_ignoring_case(asked, host)) return parse_hub(asked, asked.substr(host.size()));
    }
    if (asked.starts_with("ollama:")) return parse_ollama(asked, asked.substr(7));
    const bool http =
        starts_with_ignoring_case(asked, "https://") || starts_with_ignoring_case(asked, "http://");
    if (http) return parse_url(asked);
    if (asked.find("://") != std::string_view::npos) return bad(asked, "only http and https are known");
    if (is_path(asked)) {
      const std::string_view last = asked.substr(asked.rfind('/') + 1);
      return Source{
          .kind = SourceKind::path, .location = std::string(asked), .name = naming_of_file(last).name};
    }
    return of_catalog(asked, entries);
  }();
  if (source && source->kind == SourceKind::hub && !wanted.empty() && source->file.empty())
    source->quant = wanted;
  return source;
}

std::string canonical(const Source& source) {
  switch (source.kind) {
    case SourceKind::hub: {
      const std::string at = source.revision == "main" ? "" : cat("@", source.revision);
      if (!source.file.empty()) return cat("hf:", source.repository, "/", source.file, at);
      const std::string quant = source.quant.empty() ? std::string(recommended_quant) : source.quant;
      return cat("hf:", source.repository, ":", quant);
    }
    case SourceKind::ollama: {
      const std::string host = source.host == ollama_registry ? "" : cat(source.host, "/");
      return cat("ollama:", host, source.model, ":", source.tag);
    }
    case SourceKind::url:
    case SourceKind::path: return source.location;
  }
  return {};
}

std::string as_name(std::string_view text) {
  constexpr std::size_t longest = 100;  // room for a quantization within a name's 128
  std::string name;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
    const char next = plain ? c : '-';
    if (name.empty() && std::isalnum(static_cast<unsigned char>(c)) == 0) continue;
    if ((next == '.' || next == '-') && name.back() == next) continue;
    name += next;
    if (name.size() == longest) break;
  }
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return lower(name);
}

FileNaming naming_of_file(std::string_view file_name) {
  std::string stem(file_name);
  if (const std::optional<PartName> part = parse_part_name(file_name)) stem = part->stem;
  if (lower(stem).ends_with(".gguf")) stem.resize(stem.size() - 5);
  FileNaming naming;
  std::string_view rest = stem;
  naming.quant = take_quant(rest, "-.@");
  naming.name = as_name(rest);
  if (naming.name.empty()) naming.name = "model";
  return naming;
}

}  // namespace rbee::model
