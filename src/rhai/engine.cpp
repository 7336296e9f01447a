#include "rhai/engine.h"

#include "rhai/bytecode.h"
#include "rhai/compiler.h"
#include "rhai/machine.h"
#include "rhai/parser.h"

#include "base/text.h"

#include <algorithm>
#include <deque>

namespace rbee::rhai {

void Scope::set(std::string_view name, Value value, bool is_constant) {
  for (Entry& entry : entries) {
    if (entry.name == name) {
      entry = {entry.name, std::move(value), is_constant};
      return;
    }
  }
  entries.push_back({std::string(name), std::move(value), is_constant});
}

const Value* Scope::find(std::string_view name) const {
  const auto found = std::find_if(entries.rbegin(), entries.rend(),
                                  [name](const Entry& entry) { return entry.name == name; });
  return found == entries.rend() ? nullptr : &found->value;
}

// What the tree of a script of 30 lines takes.
constexpr std::size_t parse_memory_bytes = std::size_t{64} << 10U;

struct Engine::Impl {
  explicit Impl(Settings given)
      : settings(std::move(given)),
        surroundings{settings.print, settings.debug, settings.now_us},
        machine(registry, settings.limits, settings.language, surroundings) {}

  Settings settings;
  Surroundings surroundings;
  Registry registry;
  std::deque<HostType> types;
  std::uint64_t next_program = 1;
  Machine machine;
  // Of compiling and of a run, kept for their memory.
  std::vector<std::byte> parse_memory;
  std::vector<Value> values;
  std::vector<std::pair<VisibleVariable, Value>> kept;
};

Engine::Engine(Settings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
Engine::~Engine() = default;

const Settings& Engine::settings() const { return impl_->settings; }

void Engine::add_function(std::string_view name, std::vector<TypeMask> types, HostFunction function) {
  impl_->registry.add_host(name, std::move(types), std::move(function));
}

const HostType& Engine::add_type(HostType type) {
  impl_->types.push_back(std::move(type));
  impl_->types.back().number = static_cast<std::uint32_t>(impl_->types.size());
  return impl_->types.back();
}

namespace {
Failure failure_of(const ScriptError& error, std::string_view source, std::string_view file_name) {
  Failure failure;
  failure.kind = error_name(error.kind);
  failure.parse_kind = error.parse_kind;
  failure.message = message_of(error);
  failure.text = explain(error, source, file_name);
  failure.position = error.position;
  failure.place = error.place.known() ? error.place : error.position;
  failure.calls = error.calls;
  failure.thrown = error.thrown;
  return failure;
}

// The first byte that is no UTF-8; the size where all are.
std::size_t first_bad_byte(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    // U+FFFD itself is EF BF BD; everything else that reads as it is broken.
    if (next_char(text, at) == 0xfffd && text.substr(begin, at - begin) != "\xef\xbf\xbd") return begin;
  }
  return text.size();
}

Position position_of(std::string_view text, std::size_t offset) {
  Position at{1, 1};
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++at.line;
      at.column = 0;
    }
    at.column += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U ? 1 : 0;
  }
  return at;
}
}  // namespace

Compiled Engine::compile(std::string_view source, const Scope& scope, std::string_view file_name) {
  Compiled compiled;
  auto program = std::make_shared<Program>();
  program->id = impl_->next_program++;
  program->source = source;
  program->file_name = file_name;
  const std::string_view text = program->source;
  const auto fail = [&](const ScriptError& error) {
    compiled.error = failure_of(error, text, file_name);
    return std::move(compiled);
  };
  if (const std::size_t most = impl_->settings.limits.source_bytes; most > 0 && text.size() > most) {
    ScriptError error =
        make_error(ErrorKind::parsing, cat("The script has ", text.size(), " bytes; the limit is ", most));
    error.parse_kind = "LiteralTooLarge";
    return fail(error);
  }
  if (const std::size_t bad = first_bad_byte(text); bad < text.size()) {
    ScriptError error = make_error(ErrorKind::parsing, "The script is not UTF-8", position_of(text, bad));
    error.parse_kind = "BadInput/UnexpectedInput";
    return fail(error);
  }
  ParseOptions options;
  options.limits = impl_->settings.limits;
  options.language = impl_->settings.language;
  for (const Scope::Entry& entry : scope.entries) {
    Variable variable;
    variable.name = entry.name;
    variable.is_constant = entry.is_constant;
    options.scope.push_back(variable);
    program->scope_names.push_back(entry.name);
  }
  impl_->parse_memory.resize(parse_memory_bytes);
  Ast ast(impl_->parse_memory);
  Parser parser(text, options, ast);
  if (!parser.parse()) return fail(parser.error());
  Compiler compiler(*program, impl_->registry, impl_->settings.limits, nullptr);
  if (!compiler.compile(ast)) {
    ScriptError error = make_error(ErrorKind::parsing, "The script is too large for its registers", {1, 1});
    error.parse_kind = "ExprTooDeep";
    return fail(error);
  }
  program->main->program_id = program->id;
  compiled.program = std::move(program);
  return compiled;
}

namespace {
Outcome& conclude(Outcome& outcome, const Program& program, Machine& machine) {
  if (outcome.ok) return outcome;
  outcome.error = failure_of(machine.error(), program.source, program.file_name);
  machine.error() = ScriptError{};
  return outcome;
}
}  // namespace

Outcome Engine::run(const Program& program) {
  Outcome outcome;
  impl_->values.assign(program.scope_names.size(), Value());
  outcome.ok = impl_->machine.run(program, impl_->values, outcome.value, nullptr);
  conclude(outcome, program, impl_->machine);
  if (impl_->machine.has_shared()) impl_->machine.collect({&outcome.value, &outcome.error.thrown});
  return outcome;
}

Outcome Engine::run(const Program& program, Scope& scope) {
  Outcome outcome;
  std::vector<Value>& values = impl_->values;
  for (std::size_t i = 0; i < program.scope_names.size(); ++i) {
    values.push_back(i < scope.entries.size() ? scope.entries[i].value : Value());
  }
  std::vector<std::pair<VisibleVariable, Value>>& kept = impl_->kept;
  outcome.ok = impl_->machine.run(program, values, outcome.value, &kept);
  values.clear();
  conclude(outcome, program, impl_->machine);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    auto& [variable, value] = kept[i];
    // The parameters come first, in the scope's own order; what follows is new.
    if (i < scope.entries.size() && scope.entries[i].name == variable.name.text()) {
      scope.entries[i].value = std::move(value);
    } else {
      scope.entries.push_back({variable.name.text(), std::move(value), variable.is_constant});
    }
  }
  kept.clear();
  if (!impl_->machine.has_shared()) return outcome;
  std::vector<const Value*> roots{&outcome.value, &outcome.error.thrown};
  for (const Scope::Entry& entry : scope.entries) roots.push_back(&entry.value);
  impl_->machine.collect(roots);
  return outcome;
}

Outcome Engine::call(const Program& program, std::string_view function, std::span<const Value> arguments) {
  Outcome outcome;
  const std::int32_t index = program.find(function, arguments.size());
  if (index < 0) {
    std::string signature = cat(function, " (");
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (i > 0) signature += ", ";
      signature += type_name(arguments[i]);
    }
    outcome.error = failure_of(make_error(ErrorKind::function_not_found, signature + ")"), program.source,
                               program.file_name);
    return outcome;
  }
  outcome.ok = impl_->machine.call(program, *program.functions[static_cast<std::size_t>(index)], arguments,
                                   outcome.value);
  conclude(outcome, program, impl_->machine);
  if (impl_->machine.has_shared()) impl_->machine.collect({&outcome.value, &outcome.error.thrown});
  return outcome;
}

std::vector<FunctionInfo> Engine::functions(const Program& program) {
  std::vector<FunctionInfo> list;
  for (const Function* function : program.functions) {
    FunctionInfo info;
    info.name = function->name.text();
    info.this_type = function->this_type;
    info.is_private = function->is_private;
    info.position = function->position;
    for (const Value& parameter : function->parameter_names) info.parameters.push_back(parameter.text());
    list.push_back(std::move(info));
  }
  return list;
}

}  // namespace rbee::rhai
