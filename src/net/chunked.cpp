#include "base/text.h"
#include "net/http.h"

#include <algorithm>

namespace rbee::net {
namespace {

// A chunk's size line with its extensions, and each line of a trailer.
constexpr std::size_t longest_line_bytes = 4096;
// 15 hex digits fit 60 bits: no sum of sizes can overflow.
constexpr std::size_t most_size_digits = 15;

Error bad_chunk() {
  return Error{ErrorCode::bad_request, "The body's chunks are not framed as HTTP says.", {}, {}};
}

std::optional<std::uint64_t> parse_size(std::string_view line) {
  const std::string_view digits = trim(line.substr(0, line.find(';')));
  if (digits.empty() || digits.size() > most_size_digits) return std::nullopt;
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.front() == '-')
    return std::nullopt;
  return size;
}

}  // namespace

// A whole line, without its CRLF, has come in line_.
Result<void> ChunkedReader::take_line() {
  const std::string line = std::exchange(line_, {});
  if (state_ == State::data_end) {
    if (!line.empty()) return bad_chunk();
    state_ = State::size;
    return {};
  }
  if (state_ == State::trailer) {
    if (line.empty()) state_ = State::done;
    if (++trailer_lines_ > most_fields) return bad_chunk();
    return {};
  }
  const std::optional<std::uint64_t> size = parse_size(line);
  if (!size) return bad_chunk();
  left_ = *size;
  state_ = *size == 0 ? State::trailer : State::data;
  return {};
}

Result<ChunkedReader::Step> ChunkedReader::next(std::string_view input) {
  std::size_t used = 0;
  while (used < input.size() && state_ != State::done) {
    if (state_ == State::data) {
      const std::size_t take = std::min<std::uint64_t>(left_, input.size() - used);
      left_ -= take;
      if (left_ == 0) state_ = State::data_end;
      return Step{used + take, input.substr(used, take)};
    }
    const char c = input[used++];
    if (c == '\n') {
      if (!line_.ends_with('\r')) return bad_chunk();
      line_.pop_back();
      if (Result<void> line = take_line(); !line) return line.error();
      if (state_ == State::size) return Step{used, {}};  // a boundary: the caller may want to know
      continue;
    }
    const bool after_data = state_ == State::data_end && c != '\r';
    if (after_data || line_.ends_with('\r') || line_.size() >= longest_line_bytes) return bad_chunk();
    line_ += c;
  }
  return Step{used, {}};
}

}  // namespace rbee::net
