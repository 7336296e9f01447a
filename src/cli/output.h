// What a command says, and where: its answer to stdout, everything else to stderr. With --json stdout gets
// one document and nothing else; tables and colours are for terminals.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "cli/table.h"

#include <cstdio>
#include <string_view>

namespace rbee::cli {

struct OutputStyle {
  bool json = false;
  bool quiet = false;
  bool color_errors = false;
  bool tables = false;  // stdout is a terminal
  bool bars = false;    // stderr is a terminal
  int columns = 80;     // of it
};

class Output {
 public:
  // Both files must outlive it.
  Output(std::FILE* out, std::FILE* err, OutputStyle style) : out_(out), err_(err), style_(style) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  [[nodiscard]] const OutputStyle& style() const { return style_; }

  // To stdout as it is, at once; dropped with --json.
  void text(std::string_view text);
  void line(std::string_view text);
  // To stdout as it is, also with --json.
  void help(std::string_view text);
  void table(const Table& table);
  // The document of --json; dropped without it.
  void document(const Json& json);
  // A line on stderr; dropped with --quiet.
  void note(std::string_view line);
  // A sentence and its hint on stderr, or the error's JSON on stdout. Returns the exit code.
  int error(const Error& error);
  // The command has answered, and its answer is no.
  void fail() { failed_ = true; }
  [[nodiscard]] bool failed() const { return failed_; }
  // To stderr as it is: for bars.
  void raw_error_text(std::string_view text);
  // The last of it all: where something for stdout could not be written, a sentence says so, and a command
  // that was to end with 0 ends as a failed one does. Returns the exit code.
  int end(int exit_code);

 private:
  void answer(std::string_view text);
  void say(const Error& error);

  std::FILE* out_;
  std::FILE* err_;
  OutputStyle style_;
  bool failed_ = false;
  int failure_ = 0;  // the errno of the first text that stdout did not take
};

}  // namespace rbee::cli
