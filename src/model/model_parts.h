// A model as it lies on disk: one GGUF file, or the numbered parts of a split one read as one.
#pragma once

#include "model/gguf.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::model {

// "m-00002-of-00003.gguf": part 2 of 3 of "m".
struct PartName {
  std::string stem;
  int number = 0;
  int count = 0;
};
[[nodiscard]] std::optional<PartName> parse_part_name(std::string_view file_name);

struct ModelParts {
  GgufHeader header;  // of the first part, with the tensors of all
  std::vector<std::filesystem::path> files;
  std::uint64_t bytes = 0;  // of all files
};

// `path` may be any part. Fails with bad_model_file, naming the first part that is missing, or io_failed.
[[nodiscard]] Result<ModelParts> read_model(const std::filesystem::path& path);
// A projector, which is what makes images, or sound, into tokens of a model.
struct Projector {
  std::uint64_t bytes = 0;
  std::vector<std::string> abilities;  // that it adds to its model's
};
// Fails with bad_model_file where the file is none.
[[nodiscard]] Result<Projector> read_projector(const std::filesystem::path& path);
// "mmproj-model-f16.gguf", as everybody names them.
[[nodiscard]] bool is_projector_name(std::string_view file_name);
// Of several: precision matters little and size less, so a half one where there is one. Empty of none.
[[nodiscard]] std::string best_projector(const std::vector<std::string>& file_names);
// The one that lies beside a model's file; empty where none does, or where other models lie there too, so
// that nobody can tell whose it is.
[[nodiscard]] std::filesystem::path projector_beside(const std::filesystem::path& model);
// What the files of a model that is known take now. Fails with bad_model_file where one has gone.
[[nodiscard]] Result<std::uint64_t> bytes_on_disk(const std::filesystem::path& path);

// The next part of a split model into its first. Pure.
void append_part(GgufHeader& first, GgufHeader&& part);
// What makes a GGUF of `files` parts no model that an engine could be started with: bad_model_file. Pure.
[[nodiscard]] Result<void> check_is_model(const GgufHeader& header, const std::filesystem::path& path,
                                          std::size_t files);

}  // namespace rbee::model
