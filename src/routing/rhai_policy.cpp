#include "routing/rhai_policy.h"

#include "base/text.h"
#include "rhai/engine.h"
#include "routing/script_picture.h"

#include <algorithm>
#include <array>
#include <utility>

namespace rbee::routing {
namespace {

using rhai::Value;

constexpr std::string_view function_name = "route_request";
// Lists of ten times the largest fleet, and texts longer than any name, are a script that went astray.
constexpr std::size_t most_items = 100'000;
constexpr std::size_t most_text_bytes = std::size_t{1} << 20U;

rhai::Settings settings_of(ScriptLimits limits) {
  rhai::Settings settings;
  settings.limits.operations = limits.operations;
  settings.limits.call_levels = limits.depth;
  settings.limits.string_bytes = most_text_bytes;
  settings.limits.array_items = most_items;
  settings.limits.map_items = most_items;
  // All of a decision happens at one moment, so that it is the same when it is made again.
  settings.now_us = [] { return std::int64_t{0}; };
  return settings;
}

std::string placed_text(const std::string& file, const rhai::Failure& failure) {
  const rhai::Position at = failure.place.known() ? failure.place : failure.position;
  return cat(file, ":", at.line, ":", at.column, ": ", failure.message,
             failure.message.ends_with('.') || failure.message.ends_with('?') ? "" : ".");
}

Error bad_script(std::string message, const rhai::Failure& failure = {}) {
  return {ErrorCode::bad_config, std::move(message), "docs/rhai.md tells what a routing script may say.",
          failure.text};
}

// The function that is asked, or why there is none.
Result<void> check_function(const rhai::Program& program, const std::string& file) {
  for (const rhai::FunctionInfo& function : rhai::Engine::functions(program)) {
    if (function.name != function_name || !function.this_type.empty()) continue;
    if (function.parameters.size() == 2) return {};
    return bad_script(cat(file, ":", function.position.line, ":", function.position.column, ": '",
                          function_name, "' has ", function.parameters.size(),
                          " parameters; it must be `fn route_request(request, workers)`."));
  }
  return bad_script(cat(file, ":1:1: There is no `fn route_request(request, workers)` in it."));
}

}  // namespace

// One engine with the compiled script, and the fleet as it was last asked about.
class RhaiPolicy::Instance {
 public:
  Instance(const std::string& file, ScriptLimits limits)
      : file_(file),
        engine_(settings_of(limits)),
        worker_type_(engine_.add_type(script_worker_type())),
        request_type_(engine_.add_type(script_request_type())) {}

  Result<void> compile(const std::string& source) {
    rhai::Compiled compiled = engine_.compile(source, {}, file_);
    if (!compiled.ok()) return bad_script(placed_text(file_, compiled.error), compiled.error);
    program_ = std::move(compiled.program);
    Result<void> has_function = check_function(*program_, file_);
    if (!has_function) return has_function;
    // Its constants are there for its functions from now on.
    const rhai::Outcome outcome = engine_.run(*program_);
    if (!outcome.ok) return bad_script(placed_text(file_, outcome.error), outcome.error);
    return {};
  }

  ScriptWord ask(const Request& request, const std::shared_ptr<const Fleet>& fleet,
                 std::span<const EngineNow> engines) {
    if (!picture_ || picture_->fleet != fleet) {
      picture_ = std::make_unique<ScriptPicture>(fleet, worker_type_);
    }
    picture_->request = &request;
    picture_->request_texts.reset();
    picture_->now = engines;
    static_cast<void>(picture_->asked(request.model));
    const std::array<Value, 2> arguments = {
        Value::host(request_type_, std::shared_ptr<const void>(std::shared_ptr<void>(), picture_.get())),
        picture_->list};
    const rhai::Outcome outcome = engine_.call(*program_, function_name, arguments);
    ScriptWord word =
        outcome.ok ? read(outcome.value) : ScriptWord{.failure = placed_text(file_, outcome.error)};
    picture_->request = nullptr;
    picture_->now = {};
    return word;
  }

 private:
  ScriptWord read(const Value& answer) const {
    if (answer.is_unit()) return {};
    if (!answer.is_array()) return nonsense(cat(rhai::type_name(answer)));
    if (answer.items().empty()) return {.says = ScriptWord::Says::nobody};
    ScriptWord word{.says = ScriptWord::Says::these};
    word.workers.reserve(answer.items().size());
    for (const ScriptWorker& worker : picture_->workers) worker.named = false;
    for (const Value& item : answer.items()) {
      if (!item.is(rhai::Type::host) || item.host_object().host_type != &worker_type_) {
        return nonsense(cat("an array with ", rhai::type_name(item), " in it"));
      }
      const auto& worker = *static_cast<const ScriptWorker*>(item.host_object().data.get());
      if (!std::exchange(worker.named, true)) word.workers.push_back(worker.on->report.name);
    }
    return word;
  }
  ScriptWord nonsense(std::string_view what) const {
    return {.failure = cat(file_, ":1:1: route_request returned ", what,
                           ": it must be an array of workers, or () to leave it to the rules.")};
  }

  const std::string& file_;
  rhai::Engine engine_;
  const rhai::HostType& worker_type_;
  const rhai::HostType& request_type_;
  std::shared_ptr<rhai::Program> program_;
  std::unique_ptr<ScriptPicture> picture_;
};

RhaiPolicy::RhaiPolicy(std::string source, std::string file, ScriptLimits limits)
    : source_(std::move(source)), file_(std::move(file)), limits_(limits) {}

RhaiPolicy::~RhaiPolicy() = default;

Result<std::shared_ptr<const RhaiPolicy>> RhaiPolicy::compile(std::string source, std::string file,
                                                              ScriptLimits limits) {
  const std::shared_ptr<RhaiPolicy> policy(new RhaiPolicy(std::move(source), std::move(file), limits));
  auto first = std::make_unique<Instance>(policy->file_, limits);
  const Result<void> compiled = first->compile(policy->source_);
  if (!compiled) return compiled.error();
  policy->idle_.push_back(std::move(first));
  return std::shared_ptr<const RhaiPolicy>(policy);
}

ScriptWord RhaiPolicy::ask(const Request& request, const std::shared_ptr<const Fleet>& fleet,
                           std::span<const EngineNow> engines) const {
  std::unique_ptr<Instance> instance;
  {
    const std::scoped_lock lock(mutex_);
    if (!idle_.empty()) {
      instance = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!instance) {
    instance = std::make_unique<Instance>(file_, limits_);
    const Result<void> compiled = instance->compile(source_);
    if (!compiled) return {.failure = compiled.error().message};
  }
  ScriptWord word = instance->ask(request, fleet, engines);
  const std::scoped_lock lock(mutex_);
  idle_.push_back(std::move(instance));
  return word;
}

}  // namespace rbee::routing
