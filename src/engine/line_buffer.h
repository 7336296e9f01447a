// Cuts bytes that come in pieces of any size into lines.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace rbee::engine {

class LineBuffer {
 public:
  // A longer line comes in pieces of this size: one that never ends must not fill the memory.
  static constexpr std::size_t longest_line_bytes = 64u << 10;

  // Calls `on_line` for each whole line, without its end.
  void feed(std::string_view bytes, const std::function<void(std::string_view)>& on_line);
  // What is left after the last line end, if anything.
  void finish(const std::function<void(std::string_view)>& on_line);

 private:
  std::string partial_;
};

}  // namespace rbee::engine
