#include "cli/output.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <cerrno>

namespace rbee::cli {
namespace {

// What cannot be written is dropped. Returns why it could not be, 0 where it was or where nobody lost
// anything: a reader that is gone (a closed pipe) has what it wanted.
int put(std::FILE* file, std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0) return 0;
  return errno == EPIPE ? 0 : errno;
}

// Indented for a person's eye; a line for a pipe, where a reader of `up --json` knows its end by the line's.
std::string document_text(const Json& json, bool terminal) {
  return cat(terminal ? dump_json_indented(json) : dump_json(json), '\n');
}

}  // namespace

void Output::answer(std::string_view text) {
  const int failure = put(out_, text);
  if (failure_ == 0) failure_ = failure;
}

void Output::text(std::string_view text) {
  if (!style_.json) answer(text);
}

void Output::help(std::string_view text) { answer(text); }

void Output::line(std::string_view text) { this->text(cat(text, '\n')); }

void Output::table(const Table& table) { text(style_.tables ? format_aligned(table) : format_plain(table)); }

void Output::document(const Json& json) {
  if (style_.json) answer(document_text(json, style_.tables));
}

void Output::note(std::string_view line) {
  if (!style_.quiet) put(err_, cat(line, '\n'));
}

int Output::error(const Error& error) {
  const int exit_code = info(error.code).exit_code;
  if (style_.json) {
    answer(document_text(error_json(error), style_.tables));
    return exit_code;
  }
  say(error);
  return exit_code;
}

void Output::say(const Error& error) {
  const std::string_view red = style_.color_errors ? "\x1b[31m" : "";
  const std::string_view plain = style_.color_errors ? "\x1b[0m" : "";
  put(err_, cat(red, error.message, plain, "\nhint: ", hint_of(error), '\n'));
}

int Output::end(int exit_code) {
  if (failure_ == 0) return exit_code;
  Error lost = io_error("What this command has to say could not be written", failure_);
  lost.hint = "Send its output elsewhere; what the command changed stays changed.";
  say(lost);
  return exit_code == 0 ? info(lost.code).exit_code : exit_code;
}

void Output::raw_error_text(std::string_view text) { put(err_, text); }

}  // namespace rbee::cli
