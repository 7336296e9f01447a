// Times the scripts of scripts.json: the best of many runs, in microseconds of processor time, beside the
// official engine's figures that the file holds. lua.lua does the same work in Lua 5.4.
#include "rhai/engine.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

namespace {
using namespace rbee::rhai;
using Json = nlohmann::json;

double processor_us() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

template <class F>
double best_us(F run, double budget_us) {
  double best = 1e18;
  const double start = processor_us();
  for (int n = 0; n < 3 || processor_us() - start < budget_us; ++n) {
    const int times = best < 50 ? 100 : best < 1000 ? 10 : 1;
    const double begin = processor_us();
    for (int i = 0; i < times; ++i) run();
    best = std::min(best, (processor_us() - begin) / times);
  }
  return best;
}

// The workers of the official measurement, as properties in the order of their names.
struct Worker {
  Value backend, free_vram, healthy, id, load, models, queue, region, vram;
};
struct Field {
  const char* name;
  Value Worker::* value;
};
constexpr Field fields[] = {
    {"backend", &Worker::backend}, {"free_vram", &Worker::free_vram}, {"healthy", &Worker::healthy},
    {"id", &Worker::id},           {"load", &Worker::load},           {"models", &Worker::models},
    {"queue", &Worker::queue},     {"region", &Worker::region},       {"vram", &Worker::vram}};

Worker worker(int i) {
  static constexpr const char* backends[] = {"CUDA", "ROCm", "Metal", "CPU"};
  Worker w;
  w.backend = Value::string(backends[i % 4]);
  w.free_vram = Value::integer(i * 53 % 97);
  w.healthy = Value::boolean(i % 9 != 0);
  w.id = Value::string("w" + std::to_string(i));
  w.load = Value::floating(i * 61 % 100 / 100.0);
  w.models = Value::array({Value::string("llama-3-70b"), Value::string("phi-3")});
  w.queue = Value::integer(i % 7);
  w.region = Value::string(i % 2 == 0 ? "eu" : "us");
  w.vram = Value::integer(i * 37 % 97);
  return w;
}

Value workers(int count, const HostType* type) {
  std::vector<Value> list;
  for (int i = 0; i < count; ++i) {
    auto w = std::make_shared<Worker>(worker(i));
    if (type != nullptr) {
      list.push_back(Value::host(*type, w));
      continue;
    }
    Value map = Value::map();
    for (const Field& field : fields) map.map_object().set(field.name, (*w).*field.value);
    list.push_back(map);
  }
  return Value::array(std::move(list));
}

Scope scope_of(int count, const HostType* type) {
  Value request = Value::map();
  request.map_object().set("model", Value::string("llama-3-70b"));
  request.map_object().set("priority", Value::string("high"));
  request.map_object().set("tokens", Value::integer(2048));
  Scope scope;
  scope.set("request", request);
  scope.set("workers", workers(count, type));
  return scope;
}

void report(const std::string& name, double us, double official_us) {
  std::printf("%-40s %12.2f us  official %12.2f us  x%.1f\n", name.c_str(), us, official_us,
              official_us / us);
}

void scope_scripts(Engine& engine, const Json& scripts, const HostType* type) {
  for (const Json& script : scripts) {
    for (const Json& n : script["n"]) {
      const Scope scope = scope_of(n.get<int>(), type);
      const Compiled compiled = engine.compile(script["script"].get<std::string>(), scope);
      const double us = best_us(
          [&] {
            Scope own = scope;
            if (!engine.run(*compiled.program, own).ok) std::abort();
          },
          2e5);
      const std::string count = std::to_string(n.get<int>());
      report(script["name"].get<std::string>() + (type != nullptr ? ", host objects, n=" : ", n=") + count,
             us, script["official_us_1.25.1"][count].get<double>());
    }
  }
}
}  // namespace

int main(int argc, char** argv) {
  const Json scripts = Json::parse(std::ifstream(argc > 1 ? argv[1] : "bench/rhai/scripts.json"));
  Engine engine;
  HostType type;
  type.name = "worker";
  for (const Field& field : fields) {
    type.properties.push_back(
        {field.name, [&field](const void* w) { return static_cast<const Worker*>(w)->*field.value; }});
  }
  const HostType& worker_type = engine.add_type(std::move(type));
  scope_scripts(engine, scripts["scope_scripts"], nullptr);
  scope_scripts(engine, scripts["scope_scripts"], &worker_type);
  const std::string route = scripts["route_script"].get<std::string>();
  const Compiled routing = engine.compile(route);
  for (const int n : {10, 100, 1000}) {
    const Scope scope = scope_of(n, &worker_type);
    const Value arguments[] = {scope.entries[0].value, scope.entries[1].value};
    const double us = best_us([&] { (void)engine.call(*routing.program, "route_request", arguments); }, 2e5);
    report("route_request, n=" + std::to_string(n), us,
           scripts["route_call_us_1.25.1"]["n=" + std::to_string(n) + " shared"].get<double>());
  }
  for (const Json& script : scripts["plain_scripts"]) {
    const Compiled compiled = engine.compile(script["script"].get<std::string>());
    const double us = best_us([&] { (void)engine.run(*compiled.program); }, 1e6);
    report(script["name"].get<std::string>(), us, script["official_us_1.25.1"].get<double>());
  }
  std::printf("compiling the routing script: %.1f us\n", best_us([&] { (void)engine.compile(route); }, 2e5));
  return 0;
}
