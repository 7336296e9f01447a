#include "rhai/bytecode.h"

#include <algorithm>

namespace rbee::rhai {

namespace {
constexpr std::uint32_t line_max = (1U << 20U) - 1;
constexpr std::uint32_t column_max = (1U << 12U) - 1;
}  // namespace

std::uint32_t pack(Position position) {
  return (std::min(position.line, line_max) << 12U) | std::min(position.column, column_max);
}

Position unpack(std::uint32_t place) { return {place >> 12U, place & column_max}; }

Function::~Function() {
  for (Function* closure : closures) unref(closure);
}

void ref(Function* function) { ++function->refs; }

void unref(Function* function) {
  if (--function->refs == 0) delete function;
}

Program::~Program() {
  if (main != nullptr) unref(main);
  for (Function* function : functions) unref(function);
}

std::int32_t Program::find(std::string_view name, std::size_t parameters) const {
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const Function& function = *functions[i];
    if (function.parameters == parameters && function.this_type.empty() && function.name.text() == name) {
      return static_cast<std::int32_t>(i);
    }
  }
  return -1;
}

}  // namespace rbee::rhai
