// What can go wrong with a script, under the names that the official engine gives it.
#pragma once

#include "rhai/value.h"

#include <string>
#include <string_view>
#include <vector>

namespace rbee::rhai {

// Both begin with 1; line 0 means that the place is not known.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  [[nodiscard]] bool known() const { return line != 0; }
};

// Names stand in errors.cpp in this order.
enum class ErrorKind : std::uint8_t {
  parsing,
  variable_exists,
  forbidden_variable,
  variable_not_found,
  property_not_found,
  index_not_found,
  function_not_found,
  module_not_found,
  unbound_this,
  mismatch_data_type,
  mismatch_output_type,
  indexing_type,
  array_bounds,
  string_bounds,
  bit_field_bounds,
  not_iterable,
  data_race,
  non_pure_method_on_constant,
  assignment_to_constant,
  dot_expression,
  arithmetic,
  too_many_operations,
  too_many_variables,
  too_many_modules,
  stack_overflow,
  data_too_large,
  terminated,
  runtime,
  exit,  // not an error: exit() was called
};

[[nodiscard]] std::string_view error_name(ErrorKind kind);  // "ErrorVariableNotFound"
// Whether `catch` sees it, and whether calls on the way are noted in it.
[[nodiscard]] bool is_catchable(ErrorKind kind);
[[nodiscard]] bool is_system(ErrorKind kind);

struct CalledFunction {
  std::string name;  // empty for a closure
  Position called_at;
};

struct ScriptError {
  ErrorKind kind = ErrorKind::runtime;
  // The variable, function, property, type or module; for parsing and arithmetic the whole message.
  std::string subject;
  std::string actual;                 // mismatches: the type found; `subject` is the one wanted
  std::int64_t index = 0;             // bounds
  std::size_t length = 0;             // bounds
  std::string parse_kind;             // parsing: "MissingToken", "BadInput/MalformedChar", ...
  Value thrown;                       // runtime: what was thrown; exit: the result
  Position position;                  // as the official engine gives it: unknown for operators
  Position place;                     // where it happened, known also then
  bool unplaced = false;              // `position` stays unknown
  std::vector<CalledFunction> calls;  // innermost first
};

[[nodiscard]] ScriptError make_error(ErrorKind kind, std::string subject = {}, Position position = {});
// The sentence, without place and calls.
[[nodiscard]] std::string message_of(const ScriptError& error);
// With the calls, as `catch (e)` sees it in e.message.
[[nodiscard]] std::string message_with_calls(const ScriptError& error);
// For the author of the script: name, sentence, place, the line of source with a caret, the calls.
[[nodiscard]] std::string explain(const ScriptError& error, std::string_view source,
                                  std::string_view file_name);
// The map that `catch (e)` binds.
[[nodiscard]] Value error_to_map(const ScriptError& error);

}  // namespace rbee::rhai
