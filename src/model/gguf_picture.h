// For tests: makes GGUF files from a few lines, with their weights as a hole, in memory or on disk.
#pragma once

#include "base/text.h"
#include "model/gguf.h"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::model {

class GgufPicture {
 public:
  explicit GgufPicture(std::uint32_t version = 3) : version_(version) {}

  GgufPicture& text(std::string_view key, std::string_view value) {
    begin_key(key, 8);
    append_text(keys_, value);
    return *this;
  }
  GgufPicture& number(std::string_view key, std::uint32_t value) {
    begin_key(key, 4);
    append(keys_, value);
    return *this;
  }
  GgufPicture& numbers(std::string_view key, const std::vector<std::uint32_t>& values) {
    begin_array(key, 4, values.size());
    for (const std::uint32_t value : values) append(keys_, value);
    return *this;
  }
  // A list of that many tokens, all empty.
  GgufPicture& tokens(std::uint64_t count) {
    begin_array("tokenizer.ggml.tokens", 8, count);
    keys_.append(static_cast<std::size_t>(count) * 8, '\0');
    return *this;
  }
  // Any bytes in the place of a key: type, then value.
  GgufPicture& raw_key(std::string_view key, std::uint32_t type, std::string_view bytes) {
    begin_key(key, type);
    keys_ += bytes;
    return *this;
  }
  // At the place where it belongs, or at `offset`.
  GgufPicture& tensor(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                      std::int64_t offset = -1) {
    ++tensor_count_;
    append_text(tensors_, name);
    append(tensors_, static_cast<std::uint32_t>(dims.size()));
    std::uint64_t bytes = 1;
    for (const std::uint64_t dim : dims) {
      append(tensors_, dim);
      bytes *= dim;
    }
    append(tensors_, type);
    append(tensors_, offset < 0 ? data_bytes_ : static_cast<std::uint64_t>(offset));
    if (const GgmlType* known = ggml_type(type)) bytes = bytes / known->block_elements * known->block_bytes;
    data_bytes_ = (data_bytes_ + bytes + 31) / 32 * 32;
    return *this;
  }

  [[nodiscard]] std::string header() const {
    std::string out = "GGUF";
    append(out, version_);
    append(out, tensor_count_);
    append(out, key_count_);
    out += keys_;
    out += tensors_;
    return out.append((32 - out.size() % 32) % 32, '\0');
  }
  [[nodiscard]] std::uint64_t file_bytes() const { return header().size() + data_bytes_; }
  void write(const std::filesystem::path& path) const {
    std::ofstream(path, std::ios::binary) << header();
    std::filesystem::resize_file(path, file_bytes());
  }

  template <class T>
  static std::string bytes_of(T value) {
    std::string out;
    append(out, value);
    return out;
  }

 private:
  template <class T>
  static void append(std::string& out, T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out.append(bytes, sizeof(T));
  }
  static void append_text(std::string& out, std::string_view value) {
    append(out, static_cast<std::uint64_t>(value.size()));
    out += value;
  }
  void begin_key(std::string_view key, std::uint32_t type) {
    ++key_count_;
    append_text(keys_, key);
    append(keys_, type);
  }
  void begin_array(std::string_view key, std::uint32_t type, std::uint64_t count) {
    begin_key(key, 9);
    append(keys_, type);
    append(keys_, count);
  }

  std::uint32_t version_;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t key_count_ = 0;
  std::uint64_t data_bytes_ = 0;
  std::string keys_;
  std::string tensors_;
};

// A header in memory with a hole of any size behind it.
class PictureSource final : public ByteSource {
 public:
  PictureSource(std::string bytes, std::uint64_t size) : bytes_(std::move(bytes)), size_(size) {}
  explicit PictureSource(const GgufPicture& picture)
      : PictureSource(picture.header(), picture.file_bytes()) {}

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] Result<std::string> read(std::uint64_t offset, std::size_t size) const override {
    if (offset > size_ || size > size_ - offset) return Error{ErrorCode::internal, "Read past the end."};
    std::string out =
        offset < bytes_.size() ? bytes_.substr(static_cast<std::size_t>(offset), size) : std::string();
    out.resize(size);
    return out;
  }

 private:
  std::string name_ = "x.gguf";
  std::string bytes_;
  std::uint64_t size_;
};

}  // namespace rbee::model
