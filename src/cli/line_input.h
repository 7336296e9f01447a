// Lines that a user types: with editing and a history on a terminal, plain from a pipe.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace rbee::cli {

class LineInput {
 public:
  explicit LineInput(bool terminal);
  ~LineInput();
  LineInput(const LineInput&) = delete;
  LineInput& operator=(const LineInput&) = delete;

  // Without its end; nothing at the end of the input. `prompt` is shown on a terminal only.
  [[nodiscard]] std::optional<std::string> next(const char* prompt);

 private:
  struct Editor;
  std::unique_ptr<Editor> editor_;
};

}  // namespace rbee::cli
