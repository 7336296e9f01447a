// Walks over the bytes of a header, forwards, a window at a time. The first failure is kept, and all that
// is read after it is zero or empty: a reader asks once, after a group of fields, instead of after each.
#pragma once

#include "model/gguf.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace rbee::model {

class HeaderCursor {
 public:
  explicit HeaderCursor(const ByteSource& source) : source_(source) {}

  template <class T>
  [[nodiscard]] T number() {  // GGUF is little-endian, as every machine that rbee runs on
    T value{};
    const std::string_view bytes = take(sizeof(T));
    if (bytes.size() == sizeof(T)) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  // A length of 64 bits, then that many bytes, at most `most`; `what` is for the message: "key".
  [[nodiscard]] std::string text(std::string_view what, std::uint64_t most);
  void skip_text();
  void skip(std::uint64_t bytes);

  // Whether `count` things of at least `least_bytes` each can still come; else it fails.
  bool has_room_for(std::uint64_t count, std::uint64_t least_bytes);

  // "'FILE' " and then `what`, as bad_model_file; only the first counts.
  void fail(std::string_view what);
  [[nodiscard]] bool failed() const { return error_.has_value(); }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }

 private:
  // Exactly that many bytes, good until the next call; fewer only after a failure.
  [[nodiscard]] std::string_view take(std::size_t bytes);
  bool check_end(std::uint64_t bytes);

  const ByteSource& source_;
  std::string window_;
  std::uint64_t window_begin_ = 0;
  std::uint64_t position_ = 0;
  std::optional<Error> error_;
};

}  // namespace rbee::model
