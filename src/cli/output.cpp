#include "cli/output.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

// A reader that is gone (a closed pipe) is nobody's loss: what cannot be written is dropped.
void put(std::FILE* file, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

// Indented for a person's eye; a line for a pipe, where a reader of `up --json` knows its end by the line's.
std::string document_text(const Json& json, bool terminal) {
  return cat(terminal ? dump_json_indented(json) : dump_json(json), '\n');
}

}  // namespace

void Output::text(std::string_view text) {
  if (!style_.json) put(out_, text);
}

void Output::line(std::string_view text) { this->text(cat(text, '\n')); }

void Output::table(const Table& table) { text(style_.tables ? format_aligned(table) : format_plain(table)); }

void Output::document(const Json& json) {
  if (style_.json) put(out_, document_text(json, style_.tables));
}

void Output::note(std::string_view line) {
  if (!style_.quiet) put(err_, cat(line, '\n'));
}

int Output::error(const Error& error) {
  const int exit_code = info(error.code).exit_code;
  if (style_.json) {
    put(out_, document_text(error_json(error), style_.tables));
    return exit_code;
  }
  const std::string_view red = style_.color_errors ? "\x1b[31m" : "";
  const std::string_view plain = style_.color_errors ? "\x1b[0m" : "";
  put(err_, cat(red, error.message, plain, "\nhint: ", hint_of(error), '\n'));
  return exit_code;
}

void Output::raw_error_text(std::string_view text) { put(err_, text); }

}  // namespace rbee::cli
