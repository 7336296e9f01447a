#include "rhai/errors.h"

#include "base/text.h"

#include <array>

namespace rbee::rhai {

namespace {
constexpr auto names = std::to_array<std::string_view>({
    "ErrorParsing",
    "ErrorVariableExists",
    "ErrorForbiddenVariable",
    "ErrorVariableNotFound",
    "ErrorPropertyNotFound",
    "ErrorIndexNotFound",
    "ErrorFunctionNotFound",
    "ErrorModuleNotFound",
    "ErrorUnboundThis",
    "ErrorMismatchDataType",
    "ErrorMismatchOutputType",
    "ErrorIndexingType",
    "ErrorArrayBounds",
    "ErrorStringBounds",
    "ErrorBitFieldBounds",
    "ErrorFor",
    "ErrorDataRace",
    "ErrorNonPureMethodCallOnConstant",
    "ErrorAssignmentToConstant",
    "ErrorDotExpr",
    "ErrorArithmetic",
    "ErrorTooManyOperations",
    "ErrorTooManyVariables",
    "ErrorTooManyModules",
    "ErrorStackOverflow",
    "ErrorDataTooLarge",
    "ErrorTerminated",
    "ErrorRuntime",
    "Exit",
});
static_assert(names.size() == static_cast<std::size_t>(ErrorKind::exit) + 1);

std::string mismatch(std::string_view what, const ScriptError& error) {
  if (error.actual.empty()) return cat(what, " incorrect, expecting ", error.subject);
  if (error.subject.empty()) return cat(what, " incorrect: ", error.actual);
  return cat(what, " incorrect: ", error.actual, " (expecting ", error.subject, ")");
}

std::string bounds(std::string_view what, std::string_view unit, std::string_view whole,
                   const ScriptError& e) {
  std::string text = cat(what, " index ", e.index, " out of bounds: ");
  if (e.length == 0) return text + cat(whole, " is empty");
  return text + cat("only ", e.length, " ", unit, e.length == 1 ? "" : "s", " in ", whole);
}
}  // namespace

std::string_view error_name(ErrorKind kind) { return names.at(static_cast<std::size_t>(kind)); }

bool is_system(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::parsing:
    case ErrorKind::too_many_operations:
    case ErrorKind::too_many_variables:
    case ErrorKind::too_many_modules:
    case ErrorKind::stack_overflow:
    case ErrorKind::data_too_large:
    case ErrorKind::terminated: return true;
    default: return false;
  }
}

bool is_catchable(ErrorKind kind) { return !is_system(kind) && kind != ErrorKind::exit; }

ScriptError make_error(ErrorKind kind, std::string subject, Position position) {
  ScriptError error;
  error.kind = kind;
  error.subject = std::move(subject);
  error.position = position;
  error.place = position;
  return error;
}

std::string message_of(const ScriptError& error) {
  const std::string& s = error.subject;
  switch (error.kind) {
    case ErrorKind::parsing: return s;
    case ErrorKind::variable_exists: return cat("Variable already defined: ", s);
    case ErrorKind::forbidden_variable: return cat("Forbidden variable name: ", s);
    case ErrorKind::variable_not_found: return cat("Variable not found: ", s);
    case ErrorKind::property_not_found: return cat("Property not found: ", s);
    case ErrorKind::index_not_found: return cat("Invalid index: ", s);
    case ErrorKind::function_not_found: return cat("Function not found: ", s);
    case ErrorKind::module_not_found: return cat("Module not found: ", s);
    case ErrorKind::unbound_this: return "'this' not bound";
    case ErrorKind::mismatch_data_type: return mismatch("Data type", error);
    case ErrorKind::mismatch_output_type: return mismatch("Output type", error);
    case ErrorKind::indexing_type: return cat("Indexer unavailable: ", s);
    case ErrorKind::array_bounds: return bounds("Array", "element", "array", error);
    case ErrorKind::string_bounds: return bounds("String", "character", "string", error);
    case ErrorKind::bit_field_bounds:
      return cat("Bit-field index ", error.index, " out of bounds: only ", error.length,
                 " bits in bit-field");
    case ErrorKind::not_iterable: return "For loop expects iterable type";
    case ErrorKind::data_race: return "Data race detected";
    case ErrorKind::non_pure_method_on_constant:
      return cat("Non-pure method '", s, "' cannot be called on constant");
    case ErrorKind::assignment_to_constant: return cat("Cannot modify constant ", s);
    case ErrorKind::dot_expression:
    case ErrorKind::arithmetic: return s;
    case ErrorKind::too_many_operations: return "Too many operations";
    case ErrorKind::too_many_variables: return "Too many variables defined";
    case ErrorKind::too_many_modules: return "Too many modules imported";
    case ErrorKind::stack_overflow: return "Stack overflow";
    case ErrorKind::data_too_large: return cat(s, " too large");
    case ErrorKind::terminated: return "Script terminated";
    case ErrorKind::runtime: {
      const std::string text = to_text(error.thrown);
      return text.empty() ? "Runtime error" : cat("Runtime error: ", text);
    }
    case ErrorKind::exit: return "exit";
  }
  return s;
}

namespace {
std::string place_text(Position at) {
  return at.known() ? cat(" (line ", at.line, ", position ", at.column, ")") : std::string();
}

std::string call_text(const CalledFunction& call) {
  return call.name.empty() ? "\nin closure call" : cat("\nin call to function '", call.name, "'");
}
}  // namespace

std::string message_with_calls(const ScriptError& error) {
  std::string text = message_of(error);
  if (error.calls.empty()) return text;
  text += place_text(error.position);
  for (std::size_t i = 0; i < error.calls.size(); ++i) {
    text += call_text(error.calls[i]);
    if (i + 1 < error.calls.size()) text += place_text(error.calls[i].called_at);
  }
  return text;
}

std::string explain(const ScriptError& error, std::string_view source, std::string_view file_name) {
  const Position at = error.place;
  std::string text = cat(error_name(error.kind), ": ", message_of(error));
  if (at.known()) {
    text += cat("\n  --> ", file_name, ":", at.line, ":", at.column);
    std::size_t begin = 0;
    for (std::uint32_t line = 1; line < at.line && begin < source.size(); ++line) {
      const std::size_t end = source.find('\n', begin);
      begin = end == std::string_view::npos ? source.size() : end + 1;
    }
    std::string_view line = source.substr(begin, source.substr(begin).find('\n'));
    // A line of a megabyte would hide the message.
    constexpr std::size_t line_bytes_max = 200;
    if (!line.empty() && line.size() <= line_bytes_max) {
      text += cat("\n  | ", line, "\n  | ", std::string(at.column > 0 ? at.column - 1 : 0, ' '), "^");
    }
  }
  for (const CalledFunction& call : error.calls) text += cat(call_text(call), place_text(call.called_at));
  return text;
}

Value error_to_map(const ScriptError& error) {
  Value map = Value::map();
  MapObject& m = map.map_object();
  const auto text = [&m](std::string_view key, std::string_view value) { m.set(key, Value::string(value)); };
  text("message", message_with_calls(error));
  const Position at = error.calls.empty() ? error.position : error.calls.back().called_at;
  if (at.known()) {
    m.set("line", Value::integer(at.line));
    m.set("position", Value::integer(at.column));
  }
  if (!error.calls.empty()) {
    const std::string& name = error.calls.back().name;
    text("error", "ErrorInFunctionCall");
    text("function", name.empty() ? std::string_view("anon$") : std::string_view(name));
    text("source", "");
    return map;
  }
  text("error", error_name(error.kind));
  switch (error.kind) {
    case ErrorKind::function_not_found:
    case ErrorKind::non_pure_method_on_constant: text("function", error.subject); break;
    case ErrorKind::mismatch_data_type:
    case ErrorKind::mismatch_output_type:
      text("requested", error.subject);
      text("actual", error.actual);
      break;
    case ErrorKind::array_bounds:
    case ErrorKind::string_bounds:
    case ErrorKind::bit_field_bounds:
      m.set("length", Value::integer(static_cast<std::int64_t>(error.length)));
      m.set("index", Value::integer(error.index));
      break;
    case ErrorKind::variable_exists:
    case ErrorKind::forbidden_variable:
    case ErrorKind::variable_not_found:
    case ErrorKind::property_not_found:
    case ErrorKind::data_race:
    case ErrorKind::assignment_to_constant: text("variable", error.subject); break;
    case ErrorKind::index_not_found: text("index", error.subject); break;
    case ErrorKind::module_not_found: text("module", error.subject); break;
    case ErrorKind::dot_expression: text("property", error.subject); break;
    case ErrorKind::indexing_type: text("type", error.subject); break;
    default: break;
  }
  return map;
}

}  // namespace rbee::rhai
