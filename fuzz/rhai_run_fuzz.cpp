// Any script, run under limits: it ends, and leaves nothing behind.
#include "rhai/engine.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {
using namespace rbee::rhai;

const HostType& worker_type(Engine& engine) {
  HostType type;
  type.name = "worker";
  type.properties.push_back({"id", [](const void*) { return Value::string("w1"); }});
  type.properties.push_back({"vram", [](const void*) { return Value::integer(24); }});
  return engine.add_type(std::move(type));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Settings settings;
  settings.limits.operations = 20'000;
  settings.limits.string_bytes = 10'000;
  settings.limits.array_items = 2'000;
  settings.limits.map_items = 500;
  Engine engine(settings);
  Scope scope;
  const Value worker = Value::host(worker_type(engine), std::make_shared<int>(0));
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
