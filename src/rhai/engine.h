// The language as a library: make an Engine, compile a script, run it or call its functions.
//
// An Engine, its programs and its values belong to one thread. A script reaches nothing but what the host
// registers: no file, no network, no clock. Time is what `now_us` says, so that a run can be repeated. Limits
// bound operations, depth and sizes; a script that goes beyond them ends with an error.
//
//   Engine engine;
//   auto program = engine.compile("fn twice(x) { x * 2 }");
//   if (!program.ok()) return program.error.message;
//   Outcome outcome = engine.call(*program.program, "twice", {Value::integer(21)});
#pragma once

#include "rhai/errors.h"
#include "rhai/host.h"
#include "rhai/limits.h"
#include "rhai/registry.h"
#include "rhai/value.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::rhai {

struct Program;

// What a person and a program want to know of an error.
struct Failure {
  std::string kind;                   // "ErrorVariableNotFound"; for syntax "ErrorParsing"
  std::string parse_kind;             // syntax: "MissingToken", "BadInput/UnexpectedInput", ...
  std::string message;                // one sentence
  std::string text;                   // with the place, the line of source with a caret, and the calls
  Position position;                  // as the official engine says it, which for operators is nowhere
  Position place;                     // where it is, if that is known at all
  std::vector<CalledFunction> calls;  // innermost first
  Value thrown;                       // what `throw` threw
};

struct Compiled {
  std::shared_ptr<Program> program;  // null: see error
  Failure error;
  [[nodiscard]] bool ok() const { return program != nullptr; }
};

struct Outcome {
  bool ok = false;
  Value value;
  Failure error;
};

struct FunctionInfo {
  std::string name;
  std::string this_type;
  std::vector<std::string> parameters;
  bool is_private = false;
  Position position;
};

// The variables that a script begins with and leaves behind.
struct Scope {
  struct Entry {
    std::string name;
    Value value;
    bool is_constant = false;
  };
  std::vector<Entry> entries;
  void set(std::string_view name, Value value, bool is_constant = false);
  [[nodiscard]] const Value* find(std::string_view name) const;
};

struct Settings {
  Limits limits;
  Language language;
  std::function<void(std::string_view text)> print = {};
  std::function<void(std::string_view text, Position at)> debug = {};
  std::function<std::int64_t()> now_us = {};
};

class Engine {
 public:
  explicit Engine(Settings settings = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // A function for scripts; `types` are what it takes, by mask(Type::...) or any_type. Before compile().
  void add_function(std::string_view name, std::vector<TypeMask> types, HostFunction function);
  // Kept for as long as the engine: objects of it are made with Value::host().
  const HostType& add_type(HostType type);

  // `scope` has the names of the variables that run() will be given, and constants among them.
  [[nodiscard]] Compiled compile(std::string_view source, const Scope& scope = {},
                                 std::string_view file_name = "script");
  // Runs the statements. The scope's variables are those of compile(), in the same order.
  [[nodiscard]] Outcome run(const Program& program);
  // Afterwards the scope has what the script left, with the variables that it made at its top.
  [[nodiscard]] Outcome run(const Program& program, Scope& scope);
  // Calls a function that the script defines. Run the program first where functions use its constants.
  // Fails with ErrorFunctionNotFound where none has that name and so many parameters.
  [[nodiscard]] Outcome call(const Program& program, std::string_view function,
                             std::span<const Value> arguments);
  [[nodiscard]] static std::vector<FunctionInfo> functions(const Program& program);

  [[nodiscard]] const Settings& settings() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee::rhai
