// Runs compiled programs: registers on a stack of values, one frame per call, no recursion of C++ between
// functions of a script. Natives that call back enter run() again, to a bounded depth.
//
// An error is not an exception: whoever fails notes it in error_ and returns false; run() then looks for a
// `catch` among its frames and otherwise gives up its part of the stack.
#pragma once

#include "rhai/bytecode.h"
#include "rhai/limits.h"
#include "rhai/registry.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rbee::rhai {

// What the host gives a run.
struct Surroundings {
  std::function<void(std::string_view text)> print = {};
  std::function<void(std::string_view text, Position at)> debug = {};
  std::function<std::int64_t()> now_us = {};  // what timestamp() says; it stands still without one
};

class Machine {
 public:
  Machine(const Registry& registry, const Limits& limits, const Language& language,
          const Surroundings& surroundings);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Runs the program's statements; `scope` are the values of its scope_names, changed as it changes them.
  // With `kept` the variables at its end are handed out.
  [[nodiscard]] bool run(const Program& program, std::span<Value> scope, Value& result,
                         std::vector<std::pair<VisibleVariable, Value>>* kept);
  // Calls one of its functions; the constants that run() defined are still there.
  [[nodiscard]] bool call(const Program& program, const Function& function, std::span<const Value> arguments,
                          Value& result);
  [[nodiscard]] ScriptError& error() { return error_; }
  // Whether there are shared variables, and freeing those that only refer to each other. Between runs.
  [[nodiscard]] bool has_shared() const { return !cells_.empty(); }
  void collect(const std::vector<const Value*>& roots) { cells_.free_unreachable(roots); }

  // For natives.
  bool fail(ErrorKind kind, std::string subject);
  bool fail(ScriptError error);
  // Counts work that an instruction does not: `items` copied, looked at or made.
  [[nodiscard]] bool charge(std::size_t items);
  [[nodiscard]] bool check_size(const Value& value);  // against the limits of strings, arrays and maps
  // Adds an item at the end. A list that grows like this is not weighed anew each time.
  [[nodiscard]] bool append_item(Value& array, const Value& item);
  // The same for what a native collects: `held` is what it has already, and with the value afterwards.
  [[nodiscard]] bool check_more(const Value& value, Weight& held);
  [[nodiscard]] bool check_string(std::size_t bytes);
  [[nodiscard]] bool check_array(std::size_t items);
  [[nodiscard]] const Program& program() const { return *program_; }
  [[nodiscard]] const Registry& registry() const { return registry_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  [[nodiscard]] const Language& language() const { return language_; }
  [[nodiscard]] const Surroundings& surroundings() const { return surroundings_; }
  [[nodiscard]] Position native_place() const;

 private:
  friend class Callback;

  struct NamedValue {
    Value name;
    Value value;
    bool is_constant = false;
  };
  enum FrameFlag : std::uint32_t {
    flag_counted = 1,     // holds a count of its function
    flag_locked = 2,      // holds the lock of a shared variable
    flag_write_back = 4,  // `this` goes back to where it came from
    flag_main = 8,        // the variables are to be kept
    flag_names = 16,      // has variables that are found by name
    flag_eval = 32,       // the code of an eval()
  };
  struct Frame {
    const Function* function;
    const Instruction* pc;
    Value* base;
    Value* result;
    Value* this_value;
    std::uint32_t flags;
    // For eval() and `f!()`: the frame whose variables are in sight, and the place of the call.
    std::uint32_t scope_frame;
    const CallSite* scope_site;
    std::vector<NamedValue>* names;
    // Set where their flag is.
    CellObject* locked;
    const Path* write_back;
  };

  // machine.cpp: the instructions.
  bool run_until(std::size_t depth);

  // machine_frame.cpp
  void start(const Program& program);
  void forget_globals(const Program& program);
  // What a frame with flags still has to do; `value` is what it returns, null for (). The frame is gone then.
  bool slow_return(Frame& frame, Value* value);
  bool unwind(std::size_t depth);
  bool find_handler(Frame& frame);
  // False: `this` could not go back to where it came from, and the error says why.
  bool pop_frame();

  // Inline because every call of a script goes through it. Its arguments lie at `base`; where it fails they
  // are let go of.
  bool push(const Function& function, Value* base, Value* result, Value* this_value, std::uint32_t flags) {
    if (depth_ >= level_max_ || !room_for(function, base))
      return fail_push(function, base, ErrorKind::stack_overflow);
    budget_ -= function.cost;
    if (budget_ < 0) return fail_push(function, base, ErrorKind::too_many_operations);
    Frame& frame = frames_[depth_++];
    frame.function = &function;
    frame.pc = function.code.data();
    frame.base = base;
    frame.result = result;
    frame.this_value = this_value;
    frame.flags = flags;
    frame.scope_frame = 0;
    frame.scope_site = nullptr;
    frame.names = nullptr;
    return true;
  }
  [[nodiscard]] bool room_for(const Function& function, const Value* base) const {
    return base + function.registers + 8 <= stack_end_;
  }

  // machine_frame.cpp: errors of the loop, kept out of it so that its variables stay in registers.
  [[gnu::cold]] bool fail_push(const Function& function, Value* base, ErrorKind kind);
  [[gnu::cold]] bool fail_spent();
  [[gnu::cold]] bool fail_unbound();
  [[gnu::cold]] bool fail_global(const Value& name);
  [[gnu::cold]] bool fail_not(const Value& operand);
  [[gnu::cold]] bool fail_range(const Value& from, const Value& to, bool inclusive);
  [[gnu::cold]] bool fail_thrown(const Value& value);
  [[gnu::cold]] bool fail_condition(const Value& value);
  [[gnu::cold]] void note_place(const Instruction& i);

  // machine_call.cpp
  // One call as it stands at a place in the code.
  struct Target {
    Value* self = nullptr;  // argument 0, or what a method is called on
    Value* rest = nullptr;  // the other arguments
    std::size_t count = 0;  // all of them
    bool is_constant = false;
    CellObject* cell = nullptr;  // the shared variable that `self` is
    const Path* path = nullptr;  // where `self` lies, if within something
    Value* registers = nullptr;
  };
  bool call_native(std::string_view name, const NativeSet* natives, Target target, Value& result);
  bool call_method(const CallSite& site, Target target, std::size_t top, Value* base);
  const Native* choose(const NativeSet& natives, const Value* self, const Value* rest,
                       std::size_t count) const;
  bool native_step(const Instruction& i, Value* registers, const Function& function);
  // Whether a frame was pushed is seen by the number of frames.
  bool method_step(const Instruction& i, Value* registers, const Function& function);
  bool value_step(const Instruction& i, Value* registers, const Function& function);
  // Arguments at `arguments`, moved to `top`, where the frame will be.
  bool call_pointer(const FunctionObject& pointer, Value* arguments, std::size_t count, Value* this_value,
                    Value* result, Value* top);
  bool call_named_pointer(const FunctionObject& pointer, Value* arguments, std::size_t count,
                          Value* this_value, Value* result, Value* top);
  bool bind_this(const Target& target, Value* temporary, Value*& this_value);
  void after_push(const Target& target, const Value* temporary, const Value* this_value);
  bool call_in_scope(const Instruction& i, Value* registers, const Function& function);
  bool curry_step(const Instruction& i, Value* registers, const Function& function);
  bool make_closure(const Instruction& i, Value* registers, const Function& function);
  bool make_pointer(Value& value);
  bool not_found(std::string_view name, const Value* self, const Value* rest, std::size_t count);

  // machine_path.cpp
  bool read_root(const Path& path, Value* registers, Value*& out, CellObject*& cell, bool& is_constant);
  bool walk_read(const Path& path, Value* registers, Value*& out, Value& temporary, CellObject*& cell,
                 bool& is_constant);
  bool walk_write(const Path& path, Value* registers, std::size_t steps, Value*& out);
  bool store_path(const Path& path, Value* registers, Value& value, Tok op);
  bool store_last(const PathStep& step, Value* registers, Value& container, Value& value, Tok op);
  bool store_item(const PathStep& step, Value& container, const Value& index, Value& value, Tok op);
  bool store_character(const PathStep& step, Value& text, const Value& index, const Value& value);
  bool store_bits(const PathStep& step, Value& number, const Value& index, const Value& value);
  bool store_property(const PathStep& step, Value& container, Value& value, Tok op);
  bool apply(Tok op, Value& target, Value& value);
  bool get_property(const Value& object, const Value& name, std::uint32_t& hint, const NativeSet* getters,
                    Value& out);
  bool get_index(const Value& object, const Value& index, Value& out, std::uint32_t index_place);
  bool string_index(const Value& text, const Value& index, Value& out, std::uint32_t index_place);
  bool bit_index(const Value& number, const Value& index, Value& out, std::uint32_t index_place);
  bool array_bounds(std::int64_t index, std::size_t length, std::uint32_t index_place);

  // machine_size.cpp
  class Weighing;
  bool charge_operand(const Value& value);
  bool charge_copy(const Value& value);
  // What is larger than its limit; "" where nothing is.
  [[nodiscard]] std::string_view excess(const Weight& weight) const;
  bool finish(Weighing& weighing);
  bool check_closure(const FunctionObject& closure);
  bool check_changed(const Target& target);

  // machine_scope.cpp
  bool load_dynamic(const Value& name, Value& out);
  // The variable that an eval() in this frame put before one of the same name, if there is one.
  bool load_newer(const Value& name, Value& out, bool& is_there);
  Value* find_named(std::size_t frame, const Value& name, bool& is_constant, CellObject*& cell);
  void define_named(const Value& name, Value value, std::uint16_t how);
  bool evaluate(const Instruction& i, Value* registers, const Function& function);
  bool is_defined(const Instruction& i, Value* registers, const Function& function);
  bool read_cell(CellObject& cell, const Value& name, Value& out);

  bool name_exists(const Value& name);

  // machine_steps.cpp: instructions that are too long for the loop.
  bool binary_step(const Instruction& i, Tok op, Value* registers, const Value& right);
  bool compare_slow(Tok op, const Value& a, const Value& b, bool& out, std::uint32_t place);
  bool iterate(Value* items);
  bool iterate_next(Value* items, Value& out, bool& more);
  bool make_array(const Instruction& i, Value* registers);
  bool extend_array(const Instruction& i, Value* registers);
  bool contains_step(const Instruction& i, Value* registers);
  bool make_map(const Instruction& i, Value* registers, const Function& function);
  bool make_string(const Instruction& i, Value* registers);
  std::int32_t find_case(const SwitchTable& table, const Value& item, Value& resume);
  bool get_property_step(const Instruction& i, Value* registers, const Function& function);
  bool get_index_step(const Instruction& i, Value* registers);
  bool set_property_step(const Instruction& i, Value* registers, const Function& function);
  bool set_index_step(const Instruction& i, Value* registers);
  bool store_step(const Instruction& i, Value* registers, const Function& function);
  bool fail_step(const Instruction& i, Value* registers, const Function& function);

  const Registry& registry_;
  const Limits limits_;
  const Language language_;
  const Surroundings& surroundings_;
  const Program* program_ = nullptr;
  std::vector<Value> globals_;
  std::vector<bool> global_known_;
  std::uint64_t globals_id_ = 0;

  Value* stack_ = nullptr;
  Value* stack_end_ = nullptr;
  Frame* frames_ = nullptr;
  std::size_t depth_ = 0;  // frames in use
  std::size_t level_max_ = 0;
  bool is_limited_ = false;     // in the sizes of values
  std::size_t array_room_ = 0;  // items of an array that nothing need be checked for
  std::size_t native_depth_ = 0;
  std::int64_t budget_ = 0;  // operations left
  std::int64_t work_ = 0;    // the same with what callbacks do
  CellList cells_;
  ScriptError error_;
  bool failed_ = false;  // since the run began: error_ may be written
  Value scratch_;        // what is written where nothing can be written
  std::vector<std::pair<VisibleVariable, Value>>* kept_ = nullptr;
};

// A function that a native calls, prepared once for many calls.
class Callback {
 public:
  // How many arguments the function may leave out, and when `this` is bound.
  struct Form {
    std::size_t least = 0;       // arguments that it must take
    std::size_t this_below = 1;  // `this` is bound where it takes fewer than so many
  };
  Callback(NativeCall& call, const Value& function, Form form);
  ~Callback();
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;
  // Passes as many of the arguments as the function takes. False: the error is noted.
  [[nodiscard]] bool operator()(Value* this_value, std::span<Value> arguments, Value& out);

 private:
  bool run(const Function& function, Value* this_value, std::span<Value> arguments, Value& out);
  bool run_named(Value* this_value, std::span<Value> arguments, Value& out);

  Machine& machine_;
  Form form_;
  Value pointer_;  // keeps it alive: a callback may change the variable it came from
  const FunctionObject* function_ = nullptr;
  Value* base_ = nullptr;
};

}  // namespace rbee::rhai
