// The scripts of the measurement, run when they are asked for. bench/rhai/beside_lua starts this program and
// lua.lua, and asks them in turn.
//
// usage: rhai_bench SCRIPTS.json
// A line of standard input is `KIND N US NAME`: run the script of that name over N workers for about US
// microseconds. The answer is one line, the microseconds of processor time that one evaluation took. KIND is
// map or host (what the workers are), route (the measurement's routing script called from the host), compile
// (that script compiled), plain (a script without workers), seed (a routing script over the router's own
// workers, called from the host) or decision (the router's whole question to that script). NAME of the last
// two is the model that is asked for. `allocations` (of seed where a model is named, else of route) is
// answered with how many allocations one call made, and of how many bytes.
#include "rhai/engine.h"
#include "routing/rhai_policy.h"
#include "routing/script_picture.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <sstream>

namespace {
std::size_t allocations = 0;
std::size_t allocated_bytes = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  allocated_bytes += size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

namespace {
using namespace rbee::rhai;
using Json = nlohmann::json;

double processor_us() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

// The least of the batches that fit the time: what the machine does beside it only ever adds.
template <class F>
double least_us(F run, double budget_us) {
  const double start = processor_us();
  run();
  const double first = processor_us() - start;
  const int batch = static_cast<int>(std::max(1.0, std::min(1e5, 1000 / std::max(first, 0.01))));
  double least = 1e18;
  do {
    const double begin = processor_us();
    for (int i = 0; i < batch; ++i) run();
    least = std::min(least, (processor_us() - begin) / batch);
  } while (processor_us() - start < budget_us);
  return least;
}

// The workers of the official measurement.
struct Worker {
  Value backend, free_vram, healthy, id, load, models, queue, region, vram;
};
template <Value Worker::* member>
const Value& field(const void* worker) {
  return static_cast<const Worker*>(worker)->*member;
}

std::vector<HostProperty> fields() {
  return {HostProperty::stored("backend", field<&Worker::backend>),
          HostProperty::stored("free_vram", field<&Worker::free_vram>),
          HostProperty::stored("healthy", field<&Worker::healthy>),
          HostProperty::stored("id", field<&Worker::id>),
          HostProperty::stored("load", field<&Worker::load>),
          HostProperty::stored("models", field<&Worker::models>),
          HostProperty::stored("queue", field<&Worker::queue>),
          HostProperty::stored("region", field<&Worker::region>),
          HostProperty::stored("vram", field<&Worker::vram>)};
}

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

// As README and docs have it: by the size of the model.
constexpr std::string_view seed_script = R"(
fn route_request(request, workers) {
    let model_size = request.model_size;
    if model_size > 40_000_000_000 {
        return workers.filter(|w| w.backend == "CUDA" && w.vram > 40);
    }
    if model_size > 10_000_000_000 {
        return workers.filter(|w| w.backend in ["Metal", "CUDA"]);
    }
    return workers.filter(|w| w.backend != "CPU");
}
)";

std::shared_ptr<const rbee::Fleet> fleet_of(int n) {
  static constexpr rbee::Backend backends[] = {rbee::Backend::cuda, rbee::Backend::rocm, rbee::Backend::metal,
                                               rbee::Backend::cpu};
  rbee::Fleet fleet;
  for (int i = 0; i < n; ++i) {
    rbee::FleetWorker worker;
    worker.report.name = "w" + std::to_string(i);
    worker.report.hive = "desk" + std::to_string(i / 4);
    worker.report.backend = backends[i % 4];
    worker.report.vram = i * 37 % 97;
    for (const auto& [name, params] : {std::pair("small", 7e9), {"medium", 13e9}, {"large", 70e9}}) {
      rbee::ModelFile file;
      file.id = std::string(name) + "-q4_k_m";
      file.name = name;
      file.params = static_cast<std::uint64_t>(params);
      worker.models.push_back(file);
    }
    fleet.workers.push_back(std::move(worker));
  }
  return std::make_shared<const rbee::Fleet>(std::move(fleet));
}

// The seed's script with the fleet that it is asked about, as the router keeps both.
class Seed {
 public:
  explicit Seed(int n)
      : worker_type_(engine_.add_type(rbee::routing::script_worker_type())),
        request_type_(engine_.add_type(rbee::routing::script_request_type())),
        program_(engine_.compile(seed_script).program),
        fleet_(fleet_of(n)),
        picture_(fleet_, worker_type_),
        policy_(*rbee::routing::RhaiPolicy::compile(std::string(seed_script), "routing.rhai", {})) {}

  void call(const std::string& model) {
    request_.model = model;
    picture_.request = &request_;
    (void)picture_.asked(model);
    const Value arguments[] = {
        Value::host(request_type_, std::shared_ptr<const void>(std::shared_ptr<void>(), &picture_)),
        picture_.list};
    if (!engine_.call(*program_, "route_request", arguments).ok) std::abort();
  }
  void decide(const std::string& model) {
    request_.model = model;
    if (policy_->ask(request_, fleet_, {}).says != rbee::ScriptWord::Says::these) std::abort();
  }

 private:
  Engine engine_;
  const HostType& worker_type_;
  const HostType& request_type_;
  std::shared_ptr<Program> program_;
  std::shared_ptr<const rbee::Fleet> fleet_;
  rbee::routing::ScriptPicture picture_;
  std::shared_ptr<const rbee::routing::RhaiPolicy> policy_;
  rbee::Request request_;
};

class Bench {
 public:
  explicit Bench(const Json& scripts) : route_script_(scripts["route_script"].get<std::string>()) {
    for (const char* list : {"scope_scripts", "plain_scripts"}) {
      for (const Json& script : scripts[list]) {
        scripts_[script["name"].get<std::string>()] = script["script"].get<std::string>();
      }
    }
    HostType type;
    type.name = "worker";
    type.properties = fields();
    type_ = &engine_.add_type(std::move(type));
    route_ = engine_.compile(route_script_).program;
  }

  double run(const std::string& kind, int n, double budget_us, const std::string& name) {
    if (kind == "compile") return least_us([&] { (void)engine_.compile(route_script_); }, budget_us);
    if (kind == "route") return least_us([&] { call_route(n); }, budget_us);
    if (kind == "seed") return least_us([&] { seed(n).call(name); }, budget_us);
    if (kind == "decision") return least_us([&] { seed(n).decide(name); }, budget_us);
    const bool plain = kind == "plain";
    const Scope scope = plain ? Scope{} : scope_of(n, kind == "host");
    const Compiled compiled = engine_.compile(scripts_.at(name), scope);
    Scope own = scope;
    return least_us(
        [&] {
          const Outcome outcome =
              plain ? engine_.run(*compiled.program) : engine_.run(*compiled.program, own);
          if (!outcome.ok) std::abort();
          // What the script defined is forgotten, as between two runs of anybody's.
          own.entries.resize(scope.entries.size());
        },
        budget_us);
  }

  void print_allocations(int n, const std::string& model) {
    const auto call = [&] { model.empty() ? call_route(n) : seed(n).call(model); };
    call();
    const std::size_t before = allocations;
    const std::size_t bytes = allocated_bytes;
    call();
    std::printf("%zu %zu\n", allocations - before, allocated_bytes - bytes);
  }

 private:
  Seed& seed(int n) {
    std::unique_ptr<Seed>& made = seeds_[n];
    if (!made) made = std::make_unique<Seed>(n);
    return *made;
  }

  void call_route(int n) {
    const Scope& scope = scope_of(n, true);
    const Value arguments[] = {scope.entries[0].value, scope.entries[1].value};
    if (!engine_.call(*route_, "route_request", arguments).ok) std::abort();
  }

  const Scope& scope_of(int n, bool host) {
    Scope& scope = scopes_[{n, host}];
    if (!scope.entries.empty()) return scope;
    Value request = Value::map();
    request.map_object().set("model", Value::string("llama-3-70b"));
    request.map_object().set("priority", Value::string("high"));
    request.map_object().set("tokens", Value::integer(2048));
    scope.set("request", request);
    std::vector<Value> list;
    for (int i = 0; i < n; ++i) {
      const auto made = std::make_shared<Worker>(worker(i));
      const Value object = Value::host(*type_, made);
      list.push_back(host ? object : host_to_map(object));
    }
    scope.set("workers", Value::array(std::move(list)));
    return scope;
  }

  Engine engine_;
  const HostType* type_ = nullptr;
  std::string route_script_;
  std::shared_ptr<Program> route_;
  std::map<std::string, std::string> scripts_;
  std::map<std::pair<int, bool>, Scope> scopes_;
  std::map<int, std::unique_ptr<Seed>> seeds_;
};
}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: rhai_bench SCRIPTS.json\n", stderr);
    return 2;
  }
  Bench bench(Json::parse(std::ifstream(argv[1])));
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string kind;
    std::string name;
    int n = 0;
    double budget_us = 0;
    words >> kind >> n >> budget_us >> std::ws;
    std::getline(words, name);
    if (kind == "allocations") {
      bench.print_allocations(n, name);
    } else {
      std::printf("%.6f\n", bench.run(kind, n, budget_us, name));
    }
    std::fflush(stdout);
  }
  return 0;
}
