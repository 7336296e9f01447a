#include "engine/line_buffer.h"

namespace rbee::engine {
namespace {

std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

void LineBuffer::feed(std::string_view bytes, const std::function<void(std::string_view)>& on_line) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = longest_line_bytes - partial_.size();
    if (end != std::string_view::npos && end <= room) {
      partial_.append(bytes.substr(0, end));
      on_line(without_return(partial_));
      partial_.clear();
      bytes.remove_prefix(end + 1);
      continue;
    }
    const std::string_view taken = bytes.substr(0, room);
    partial_.append(taken);
    bytes.remove_prefix(taken.size());
    if (partial_.size() == longest_line_bytes) {
      on_line(partial_);
      partial_.clear();
    }
  }
}

void LineBuffer::finish(const std::function<void(std::string_view)>& on_line) {
  if (partial_.empty()) return;
  on_line(without_return(partial_));
  partial_.clear();
}

}  // namespace rbee::engine
