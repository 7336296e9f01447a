#include "model/header_cursor.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::model {
namespace {

// The largest header of a real model (token lists of 262,144 entries) is 16 MiB.
constexpr std::uint64_t largest_header_bytes = 64u << 20;
// Few reads for a large header, little waste for a small one.
constexpr std::size_t window_bytes = 256u << 10;

}  // namespace

void HeaderCursor::fail(std::string_view what) {
  if (!error_) error_ = Error{ErrorCode::bad_model_file, cat("'", source_.name(), "' ", what, "."), {}, {}};
}

bool HeaderCursor::check_end(std::uint64_t bytes) {
  if (error_) return false;
  const std::uint64_t end = std::min(source_.size(), largest_header_bytes);
  if (position_ <= end && bytes <= end - position_) return true;
  if (source_.size() > largest_header_bytes) {
    fail(cat("has a header of more than ", largest_header_bytes >> 20, " MiB"));
  } else {
    fail(cat("is cut: its header goes on after byte ", source_.size(), ", where the file ends"));
  }
  return false;
}

bool HeaderCursor::has_room_for(std::uint64_t count, std::uint64_t least_bytes) {
  // A count that large cannot be in any header; asked first, so that the product cannot overflow.
  if (count > largest_header_bytes) return check_end(count);
  return check_end(count * least_bytes);
}

std::string_view HeaderCursor::take(std::size_t bytes) {
  if (!check_end(bytes)) return {};
  if (position_ < window_begin_ || position_ + bytes > window_begin_ + window_.size()) {
    const std::uint64_t left = source_.size() - position_;
    const std::uint64_t wanted = std::min<std::uint64_t>(std::max(bytes, window_bytes), left);
    Result<std::string> next = source_.read(position_, static_cast<std::size_t>(wanted));
    if (!next) {
      error_ = next.error();
      return {};
    }
    window_ = std::move(*next);
    window_begin_ = position_;
  }
  const std::size_t at = static_cast<std::size_t>(position_ - window_begin_);
  position_ += bytes;
  return std::string_view(window_).substr(at, bytes);
}

std::string HeaderCursor::text(std::string_view what, std::uint64_t most) {
  const auto length = number<std::uint64_t>();
  if (failed()) return {};
  if (length > most) {
    fail(cat("is damaged: a ", what, " of ", length, " bytes before byte ", position_));
    return {};
  }
  return std::string(take(static_cast<std::size_t>(length)));
}

void HeaderCursor::skip_text() { skip(number<std::uint64_t>()); }

void HeaderCursor::skip(std::uint64_t bytes) {
  if (check_end(bytes)) position_ += bytes;
}

}  // namespace rbee::model
