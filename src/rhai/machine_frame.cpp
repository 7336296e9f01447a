// Starting a run, and the frames of its calls.
#include "rhai/machine.h"
#include "rhai/operators.h"

#include <algorithm>
#include <cstdlib>

namespace rbee::rhai {

namespace {
// Sixteen megabytes of address space, of which only what is used is ever touched.
constexpr std::size_t stack_values = std::size_t{1} << 20U;
// Far from where counting down could wrap.
constexpr std::int64_t unlimited = INT64_MAX / 4;
}  // namespace

Machine::Machine(const Registry& registry, const Limits& limits, const Language& language,
                 const Surroundings& surroundings)
    : registry_(registry), limits_(limits), language_(language), surroundings_(surroundings) {
  // Zeroed memory is a stack of units.
  stack_ = static_cast<Value*>(std::calloc(stack_values, sizeof(Value)));
  stack_end_ = stack_ == nullptr ? nullptr : stack_ + stack_values;
  level_max_ = std::min(limits.call_levels, call_levels_cap);
  // One more for the script itself. Untouched pages of either cost nothing.
  frames_ = static_cast<Frame*>(std::calloc(level_max_ + 1, sizeof(Frame)));
  is_limited_ = limits.string_bytes > 0 || limits.array_items > 0 || limits.map_items > 0;
  array_room_ = is_limited_ ? 0 : array_items_cap;
}

Machine::~Machine() {
  std::free(stack_);
  std::free(frames_);
}

void Machine::start(const Program& program) {
  program_ = &program;
  budget_ = limits_.operations == 0 ? unlimited : static_cast<std::int64_t>(limits_.operations);
  const std::uint64_t work = limits_.work != 0 ? limits_.work : limits_.operations * 100;
  work_ = work == 0 ? unlimited : static_cast<std::int64_t>(std::min<std::uint64_t>(work, unlimited));
  if (failed_) error_ = ScriptError{};
  failed_ = false;
}

void Machine::forget_globals(const Program& program) {
  globals_id_ = program.id;
  if (program.global_names.empty() && globals_.empty()) return;
  globals_.assign(program.global_names.size(), Value());
  global_known_.assign(program.global_names.size(), false);
}

bool Machine::run(const Program& program, std::span<Value> scope, Value& result,
                  std::vector<std::pair<VisibleVariable, Value>>* kept) {
  // A function of the host that a script called must not run scripts on the same engine.
  if (stack_ == nullptr || frames_ == nullptr || depth_ != 0) return fail(ErrorKind::stack_overflow, {});
  forget_globals(program);
  start(program);
  for (std::size_t i = 0; i < scope.size(); ++i) stack_[i] = scope[i];
  // The script itself is no call level.
  ++level_max_;
  kept_ = kept;
  const bool ok =
      push(*program.main, stack_, &result, nullptr, kept != nullptr ? std::uint32_t{flag_main} : 0U) &&
      run_until(0);
  --level_max_;
  for (std::size_t i = 0; i < scope.size(); ++i) stack_[i].drop();
  kept_ = nullptr;
  if (!ok && error_.kind == ErrorKind::exit) {
    result = error_.thrown;
    return true;
  }
  return ok;
}

bool Machine::call(const Program& program, const Function& function, std::span<const Value> arguments,
                   Value& result) {
  if (stack_ == nullptr || frames_ == nullptr || depth_ != 0 || arguments.size() != function.parameters) {
    return fail(ErrorKind::stack_overflow, {});
  }
  if (globals_id_ != program.id) forget_globals(program);
  start(program);
  for (std::size_t i = 0; i < arguments.size(); ++i) stack_[i] = arguments[i];
  const bool ok = push(function, stack_, &result, nullptr, 0) && run_until(0);
  if (!ok) {
    for (std::size_t i = 0; i < arguments.size(); ++i) stack_[i].drop();
  }
  if (!ok && error_.kind == ErrorKind::exit) {
    result = error_.thrown;
    return true;
  }
  return ok;
}

bool Machine::fail(ErrorKind kind, std::string subject) { return fail(make_error(kind, std::move(subject))); }

bool Machine::fail(ScriptError error) {
  failed_ = true;
  error_ = std::move(error);
  return false;
}

bool Machine::fail_push(const Function& function, Value* base, ErrorKind kind) {
  if (room_for(function, base)) {
    for (std::size_t i = 0; i < function.parameters; ++i) base[i].drop();
  }
  return fail(kind, {});
}
bool Machine::fail_spent() { return fail(ErrorKind::too_many_operations, {}); }
bool Machine::fail_unbound() { return fail(ErrorKind::unbound_this, {}); }
bool Machine::fail_global(const Value& name) {
  return fail(ErrorKind::variable_not_found, "global::" + name.text());
}
bool Machine::fail_not(const Value& operand) {
  return fail(ErrorKind::function_not_found, signature("!", operand));
}
bool Machine::fail_range(const Value& from, const Value& to, bool inclusive) {
  return fail(ErrorKind::function_not_found, signature(inclusive ? "..=" : "..", from, to));
}
bool Machine::fail_thrown(const Value& value) {
  ScriptError error = make_error(ErrorKind::runtime);
  error.thrown = value;
  return fail(std::move(error));
}
bool Machine::fail_condition(const Value& value) {
  ScriptError error = make_error(ErrorKind::mismatch_data_type, "bool");
  error.actual = type_name(value);
  return fail(std::move(error));
}
void Machine::note_place(const Instruction& i) {
  failed_ = true;
  if (!error_.place.known()) error_.place = unpack(i.place);
  if (!error_.position.known() && !error_.unplaced) error_.position = unpack(i.place);
}

bool Machine::pop_frame() {
  Frame& frame = frames_[--depth_];
  const Function& function = *frame.function;
  for (std::size_t i = 0; i < function.registers; ++i) frame.base[i].drop();
  if (frame.flags == 0) return true;
  if ((frame.flags & flag_locked) != 0) frame.locked->locked = false;
  if ((frame.flags & flag_names) != 0) delete frame.names;
  if ((frame.flags & flag_counted) != 0) unref(const_cast<Function*>(frame.function));
  if ((frame.flags & flag_write_back) == 0) return true;
  // Last of all: the way to the part begins at what the caller sees, which is in sight and unlocked only now.
  Value changed = std::move(*frame.this_value);
  return store_path(*frame.write_back, frames_[depth_ - 1].base, changed, Tok::equals);
}

bool Machine::slow_return(Frame& frame, Value* value) {
  Value out = value == nullptr ? Value() : std::move(*value);
  if ((frame.flags & flag_main) != 0 && kept_ != nullptr) {
    for (const VisibleVariable& variable : frame.function->at_end) {
      const Value& last = frame.base[variable.reg];
      kept_->emplace_back(variable, last.is(Type::cell) ? last.cell_object().value : last);
    }
  }
  Value* const into = frame.result;
  if (!pop_frame()) return false;
  *into = std::move(out);
  return true;
}

bool Machine::find_handler(Frame& frame) {
  if (!is_catchable(error_.kind) && !(error_.kind == ErrorKind::parsing && !error_.calls.empty()))
    return false;
  const auto at = static_cast<std::int32_t>(frame.pc - frame.function->code.data());
  for (const TryRegion& region : frame.function->tries) {
    if (at < region.begin || at >= region.end) continue;
    if (region.variable >= 0) {
      Value caught = error_.kind == ErrorKind::runtime ? error_.thrown : error_to_map(error_);
      frame.base[region.variable] = std::move(caught);
    }
    if (region.dynamic >= 0 && frame.names != nullptr) {
      frame.names->resize(static_cast<std::size_t>(frame.base[region.dynamic].as_int()));
    }
    // The loop adds one before it goes on.
    frame.pc = frame.function->code.data() + region.handler - 1;
    error_ = ScriptError{};
    return true;
  }
  return false;
}

// Looks for a `catch`, giving up frames down to `depth`. False: there is none.
bool Machine::unwind(std::size_t depth) {
  while (depth_ > depth) {
    Frame& frame = frames_[depth_ - 1];
    if (find_handler(frame)) return true;
    const bool noted =
        !is_system(error_.kind) && error_.kind != ErrorKind::exit && frame.function != program_->main;
    if (noted && (frame.flags & flag_eval) == 0) {
      const Function& function = *frame.function;
      CalledFunction call;
      if (!function.is_closure) call.name = function.name.text();
      if (depth_ > 1) call.called_at = unpack(frames_[depth_ - 2].pc->place);
      error_.calls.push_back(std::move(call));
    }
    // A limit that is broken deep within is reported where the outermost call stands, as officially.
    if (is_system(error_.kind) && depth_ > 1 && (frame.flags & flag_eval) == 0) {
      error_.position = unpack(frames_[depth_ - 2].pc->place);
    }
    // As officially a method that fails leaves what it has done. Only a limit can keep it from going back,
    // and is the error then.
    if (!pop_frame()) error_.position = error_.place = unpack(frames_[depth_ - 1].pc->place);
  }
  return false;
}

}  // namespace rbee::rhai
