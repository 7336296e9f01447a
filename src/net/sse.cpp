#include "net/sse.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::net {
namespace {

constexpr std::size_t most_kept_bytes = 4096;

// One line without its end, and what follows it; nothing while no line end has come.
std::optional<std::pair<std::string_view, std::string_view>> cut_line(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = text.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return std::pair{line, text.substr(end + 1)};
}

void take_field(SseEvent& event, std::string_view line, bool& has_data) {
  const std::size_t colon = line.find(':');
  if (colon == 0) return;  // a comment
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") event.event = value;
  if (name != "data") return;
  if (has_data) event.data += '\n';
  event.data += value;
  has_data = true;
}

}  // namespace

Result<void> SseReader::feed(std::string_view bytes) {
  buffer_.erase(0, std::exchange(read_, 0));
  // After a report heartbeats follow, for hours.
  if (buffer_.empty() && buffer_.capacity() > most_kept_bytes) std::string().swap(buffer_);
  buffer_.append(bytes);
  if (buffer_.size() > longest_event_bytes) {
    return Error{ErrorCode::bad_request,
                 cat("An event is longer than ", bytes_text(longest_event_bytes), ".")};
  }
  return {};
}

std::optional<SseEvent> SseReader::next() {
  SseEvent event;
  bool has_data = false;
  std::string_view rest = std::string_view(buffer_).substr(read_);
  while (const auto cut = cut_line(rest)) {
    rest = cut->second;
    if (!cut->first.empty()) {
      take_field(event, cut->first, has_data);
      continue;
    }
    read_ = buffer_.size() - rest.size();
    if (has_data) return event;
    event = {};
  }
  return std::nullopt;
}

std::string format_sse(std::string_view event, std::string_view data) {
  std::string out;
  if (!event.empty()) out = cat("event: ", event, "\n");
  for (const std::string_view line : split(data, '\n')) out += cat("data: ", line, "\n");
  return out + "\n";
}

}  // namespace rbee::net
