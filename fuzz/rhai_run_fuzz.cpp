// Any script, run under limits: it ends, and leaves nothing behind.
#include "rhai/engine.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {
using namespace rbee::rhai;

Settings settings() {
  Settings settings;
  settings.limits.operations = 20'000;
  settings.limits.string_bytes = 10'000;
  settings.limits.array_items = 2'000;
  settings.limits.map_items = 500;
  return settings;
}

HostType worker_type() {
  HostType type;
  type.name = "worker";
  static const Value id = Value::string("w1");
  type.properties.push_back(HostProperty::stored("id", [](const void*) -> const Value& { return id; }));
  type.properties.push_back({"vram", [](const void*) { return Value::integer(24); }});
  return type;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // One for all inputs: making its library takes a hundred times what an input does.
  static Engine engine(settings());
  static const HostType& type = engine.add_type(worker_type());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Scope scope;
  const Value worker = Value::host(type, std::make_shared<int>(0));
  scope.set("workers", Value::array({worker, worker}));
  scope.set("request", Value::map(), true);
  const Compiled compiled = engine.compile(text, scope);
  if (!compiled.ok()) return 0;
  const Outcome outcome = engine.run(*compiled.program, scope);
  (void)to_debug(outcome.value);
  for (const FunctionInfo& function : Engine::functions(*compiled.program)) {
    const std::vector<Value> arguments(function.parameters.size(), worker);
    (void)engine.call(*compiled.program, function.name, arguments);
  }
  return 0;
}
