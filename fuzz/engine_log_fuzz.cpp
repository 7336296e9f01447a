// Any bytes as an engine's log: nothing may throw, overflow or read beyond.
#include "engine/log.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  rbee::engine::EngineLogReader reader;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    (void)reader.read(line);
    (void)rbee::engine::log_line_text(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  (void)reader.total_bytes();
  return 0;
}
