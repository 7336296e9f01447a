#include "model/model_parts.h"

#include "base/text.h"
#include "model/abilities.h"
#include "model/source.h"

#include <algorithm>
#include <system_error>

namespace rbee::model {
namespace {

constexpr int most_parts = 999;  // 405B models in F16 come in some 20
constexpr std::string_view ending = ".gguf";

std::string part_number(int number) {
  std::string digits = cat(number);
  return digits.insert(0, 5 - digits.size(), '0');
}

Error bad_file(const std::filesystem::path& path, std::string_view what, std::string hint = {}) {
  return Error{ErrorCode::bad_model_file, cat("'", path.string(), "' ", what, "."), std::move(hint), {}};
}

// All parts of the model that `path` is a part of, the first first; `path` alone where it is whole.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& path) {
  const std::optional<PartName> part = parse_part_name(path.filename().string());
  if (!part) return {path};
  std::vector<std::filesystem::path> files;
  for (int i = 1; i <= part->count; ++i) {
    files.push_back(path.parent_path() /
                    cat(part->stem, "-", part_number(i), "-of-", part_number(part->count), ending));
  }
  return files;
}

Result<void> check_parts(const std::vector<std::filesystem::path>& files) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::error_code failure;
    if (std::filesystem::exists(files[i], failure)) continue;
    if (files.size() == 1)
      return bad_file(files[i], "is not there", "Name a GGUF file that the hive can read.");
    return bad_file(files[i], cat("is missing: part ", i + 1, " of ", files.size()),
                    "All parts of a split model must lie in one folder.");
  }
  return {};
}

Result<GgufHeader> read_header(const std::filesystem::path& path) {
  Result<std::unique_ptr<ByteSource>> source = open_source(path);
  if (!source) return source.error();
  return read_gguf(**source);
}

}  // namespace

std::optional<PartName> parse_part_name(std::string_view file_name) {
  constexpr std::size_t tail = std::string_view("-00001-of-00003.gguf").size();
  if (file_name.size() <= tail || !file_name.ends_with(ending)) return std::nullopt;
  const std::string_view numbers = file_name.substr(file_name.size() - tail, tail - ending.size());
  if (numbers[0] != '-' || numbers.substr(6, 4) != "-of-") return std::nullopt;
  const std::optional<int> number = parse_int<int>(numbers.substr(1, 5));
  const std::optional<int> count = parse_int<int>(numbers.substr(10, 5));
  if (!number || !count || *number < 1 || *number > *count || *count > most_parts) return std::nullopt;
  return PartName{std::string(file_name.substr(0, file_name.size() - tail)), *number, *count};
}

void append_part(GgufHeader& first, GgufHeader&& part) {
  first.params += part.params;
  first.tensor_bytes += part.tensor_bytes;
  first.tensors.insert(first.tensors.end(), std::make_move_iterator(part.tensors.begin()),
                       std::make_move_iterator(part.tensors.end()));
}

Result<void> check_is_model(const GgufHeader& header, const std::filesystem::path& path, std::size_t files) {
  if (header.architecture == "clip") {
    return bad_file(path, "is a projector for images or sound, not a model",
                    "Add the model that it belongs to.");
  }
  if (header.text("general.type").value_or("model") != "model") {
    return bad_file(path, cat("is of the type '", *header.text("general.type"), "', not a model"));
  }
  const std::int64_t said = header.integer("split.count").value_or(0);
  if (said > 1 && static_cast<std::size_t>(said) != files) {
    return bad_file(path, cat("is a part of ", said, ", but is not named so"),
                    "Give the parts back their names: 'NAME-00001-of-00003.gguf'.");
  }
  if (header.architecture.empty()) return bad_file(path, "does not say of what architecture it is");
  if (header.tensors.empty()) return bad_file(path, "has no weights");
  return {};
}

Result<ModelParts> read_model(const std::filesystem::path& path) {
  ModelParts parts;
  parts.files = files_of(path);
  if (Result<void> there = check_parts(parts.files); !there) return there.error();
  for (const std::filesystem::path& file : parts.files) {
    Result<GgufHeader> header = read_header(file);
    if (!header) return header.error();
    if (&file == &parts.files.front()) {
      parts.header = std::move(*header);
      continue;
    }
    append_part(parts.header, std::move(*header));
  }
  if (Result<void> good = check_is_model(parts.header, parts.files.front(), parts.files.size()); !good) {
    return good.error();
  }
  const Result<std::uint64_t> bytes = bytes_on_disk(path);
  if (!bytes) return bytes.error();
  parts.bytes = *bytes;
  return parts;
}

Result<std::uint64_t> bytes_on_disk(const std::filesystem::path& path) {
  const std::vector<std::filesystem::path> files = files_of(path);
  if (Result<void> there = check_parts(files); !there) return there.error();
  std::uint64_t bytes = 0;
  for (const std::filesystem::path& file : files) {
    std::error_code failure;
    bytes += std::filesystem::file_size(file, failure);
    if (failure) return bad_file(file, cat("cannot be looked at: ", failure.message()));
  }
  return bytes;
}

Result<Projector> read_projector(const std::filesystem::path& path) {
  const Result<GgufHeader> header = read_header(path);
  if (!header) return header.error();
  if (header->architecture != "clip") return bad_file(path, "is no projector for images or sound");
  const Result<std::uint64_t> bytes = bytes_on_disk(path);
  if (!bytes) return bytes.error();
  return Projector{*bytes, abilities_of_projector(*header)};
}

bool is_projector_name(std::string_view file_name) {
  return lower(file_name).find("mmproj") != std::string::npos;
}

std::string best_projector(const std::vector<std::string>& file_names) {
  std::string found;
  for (const std::string& file_name : file_names) {
    const std::string name = lower(file_name);
    const bool half = name.find("f16") != std::string::npos && name.find("bf16") == std::string::npos;
    if (found.empty() || half) found = file_name;
  }
  return found;
}

std::filesystem::path projector_beside(const std::filesystem::path& model) {
  const std::string own_name = naming_of_file(model.filename().string()).name;
  std::vector<std::string> projectors;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(model.parent_path(), failure)) {
    const std::string name = entry.path().filename().string();
    if (!lower(name).ends_with(ending)) continue;
    if (is_projector_name(name)) {
      projectors.push_back(name);
    } else if (naming_of_file(name).name != own_name) {
      return {};
    }
  }
  std::ranges::sort(projectors);
  const std::string best = best_projector(projectors);
  return best.empty() ? std::filesystem::path() : model.parent_path() / best;
}

}  // namespace rbee::model
