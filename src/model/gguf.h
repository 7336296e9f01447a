// Reads the header of a GGUF file: what a model is, without its weights.
//
// The file is not trusted. Every count, length and offset is checked against the file's size before
// anything is allocated, and everything read has a limit, so a damaged or hostile file costs an error of
// one sentence and a few MiB. Token lists and other long arrays are walked over and not kept.
#pragma once

#include "base/error.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rbee::model {

// Where bytes come from: a file, or a test's text. Calls block.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual const std::string& name() const = 0;  // for messages
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // Exactly `size` bytes. Fails with io_failed, also past the end.
  [[nodiscard]] virtual Result<std::string> read(std::uint64_t offset, std::size_t size) const = 0;
};

// Fails with bad_model_file where there is no such file, or it is none (a folder, a pipe).
[[nodiscard]] Result<std::unique_ptr<ByteSource>> open_source(const std::filesystem::path& path);

// A type of tensor data: `block_bytes` hold `block_elements` elements.
struct GgmlType {
  std::uint32_t id = 0;  // as the file has it
  std::string_view name;
  std::uint32_t block_elements = 1;
  std::uint32_t block_bytes = 0;
};
// Nothing for a type that the pinned engine release does not know either.
[[nodiscard]] const GgmlType* ggml_type(std::uint32_t id);

struct Tensor {
  std::string name;
  std::array<std::uint64_t, 4> dims = {1, 1, 1, 1};
  std::uint32_t type = 0;    // GgmlType::id
  std::uint64_t offset = 0;  // from GgufHeader::tensor_data_offset
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
};

// Integers of any width are int64 (a uint64 above its range saturates); short arrays of numbers are kept
// whole.
using MetaValue =
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;

struct GgufHeader {
  std::uint32_t version = 0;
  std::string architecture;
  std::string name;                 // general.name; may be empty
  std::string quant;                // "Q4_K_M": of general.file_type, else the type with the most bytes
  std::uint32_t context_train = 0;  // tokens; 0 where the file does not say
  std::uint32_t block_count = 0;
  std::uint64_t vocabulary = 0;  // tokens in tokenizer.ggml.tokens; 0 where the file has none
  std::uint64_t params = 0;      // elements of all tensors
  std::uint64_t tensor_bytes = 0;
  std::uint64_t tensor_data_offset = 0;
  std::map<std::string, MetaValue, std::less<>> metadata;
  std::vector<Tensor> tensors;

  // Of a key as written; `own` puts the architecture before it ("llama.block_count").
  [[nodiscard]] std::string own(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const;  // bools count as 0 and 1
  // The value for a layer: of an array its element, of a scalar itself.
  [[nodiscard]] std::optional<std::int64_t> integer_of_layer(std::string_view key, std::size_t layer) const;
  [[nodiscard]] const Tensor* find_tensor(std::string_view tensor_name) const;
};

// Fails with bad_model_file naming the file and what is wrong with it, or with io_failed.
[[nodiscard]] Result<GgufHeader> read_gguf(const ByteSource& source);

}  // namespace rbee::model
