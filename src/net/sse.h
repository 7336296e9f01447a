// Server-sent events: reading them out of bytes that come in pieces, and writing them.
#pragma once

#include "base/error.h"

#include <optional>
#include <string>
#include <string_view>

namespace rbee::net {

struct SseEvent {
  std::string event;  // "" where none was named
  std::string data;   // lines joined with \n
};

class SseReader {
 public:
  // The longest event that is taken: a hive's report of hundreds of models is far below.
  static constexpr std::size_t longest_event_bytes = 16u << 20;
  // Fails with bad_request once an event is longer than that.
  [[nodiscard]] Result<void> feed(std::string_view bytes);
  // The next whole event; comments are left out.
  [[nodiscard]] std::optional<SseEvent> next();

 private:
  std::string buffer_;
  std::size_t read_ = 0;
};

[[nodiscard]] std::string format_sse(std::string_view event, std::string_view data);

}  // namespace rbee::net
