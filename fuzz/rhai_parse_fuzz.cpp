// Any bytes as a script: compiling them ends with a program or an error, never in another way.
#include "rhai/engine.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {
using namespace rbee::rhai;

Settings settings() {
  Settings settings;
  // As deep as a host can allow: the parser's own cap must hold.
  settings.limits.expression_depth = 0;
  settings.limits.function_expression_depth = 0;
  return settings;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // One for all inputs: making its library takes a hundred times what an input does.
  static Engine engine(settings());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Compiled compiled = engine.compile(text);
  if (compiled.ok() == compiled.error.kind.empty()) return 0;
  __builtin_trap();
}
