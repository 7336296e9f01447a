// rhai: a prompt for the script language, and scripts run by hand.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/line_input.h"
#include "rhai/engine.h"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace rbee::cli {
namespace {

constexpr std::size_t largest_script_bytes = std::size_t{4} << 20U;

class Session {
 public:
  explicit Session(const Context& context) : context_(context), engine_(settings(context)) {}

  // With the variables that earlier texts left, when they are kept.
  rhai::Outcome run(std::string_view text, const std::string& name) {
    rhai::Compiled compiled = engine_.compile(text, scope_, name);
    if (!compiled.ok()) return {.ok = false, .value = {}, .error = std::move(compiled.error)};
    return engine_.run(*compiled.program, scope_);
  }

  void tell(const rhai::Outcome& outcome) const {
    if (outcome.ok) {
      context_.out.document(
          Json{{"type", rhai::type_name(outcome.value)}, {"value", rhai::to_debug(outcome.value)}});
      if (!outcome.value.is_unit()) context_.out.line(rhai::to_debug(outcome.value));
      return;
    }
    const rhai::Failure& failure = outcome.error;
    const rhai::Position at = failure.place.known() ? failure.place : failure.position;
    context_.out.document(Json{
        {"error", failure.kind}, {"message", failure.message}, {"line", at.line}, {"column", at.column}});
    if (!context_.out.style().json) context_.out.raw_error_text(cat(failure.text, "\n"));
  }

 private:
  static rhai::Settings settings(const Context& context) {
    rhai::Settings settings;
    settings.print = [&context](std::string_view text) { context.out.line(text); };
    settings.debug = [&context](std::string_view text, rhai::Position at) {
      context.out.note(cat(at.line, ":", at.column, ": ", text));
    };
    settings.now_us = [&context] { return context.clock.now_us(); };
    return settings;
  }

  const Context& context_;
  rhai::Engine engine_;
  rhai::Scope scope_;
};

}  // namespace

Result<void> run_rhai_file(const Context& context) {
  const Result<std::string> text = read_file(context.options.source, largest_script_bytes);
  if (!text) return text.error();
  Session session(context);
  const rhai::Outcome outcome = session.run(*text, context.options.source);
  session.tell(outcome);
  if (!outcome.ok) context.out.fail();
  return {};
}

Result<void> run_rhai(const Context& context) {
  const bool terminal = context.environment.stdin_terminal && context.environment.stdout_terminal;
  LineInput input(terminal);
  if (terminal) context.out.note("Rhai; docs/rhai.md is the language in two pages. Ctrl-D ends it.");
  Session session(context);
  while (const std::optional<std::string> line = input.next("> ")) {
    if (trim(*line).empty()) continue;
    const rhai::Outcome outcome = session.run(*line, "line");
    session.tell(outcome);
    // A person corrects himself; a pipe's words were meant to be right.
    if (!outcome.ok && !terminal) context.out.fail();
  }
  return {};
}

}  // namespace rbee::cli
