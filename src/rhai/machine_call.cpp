// Calls of natives, methods and function pointers.
#include "rhai/lexer.h"
#include "rhai/machine.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::rhai {

bool NativeCall::fail(ErrorKind kind, std::string subject) const {
  return machine.fail(kind, std::move(subject));
}
bool NativeCall::fail(ScriptError error) const { return machine.fail(std::move(error)); }

bool Machine::not_found(std::string_view name, const Value* self, const Value* rest, std::size_t count) {
  std::string text = cat(name, " (");
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += ", ";
    const Value& argument = i == 0 && self != nullptr ? *self : rest[i - (self != nullptr ? 1 : 0)];
    text += signature_name(argument);
  }
  return fail(ErrorKind::function_not_found, text + ")");
}

const Native* Machine::choose(const NativeSet& natives, const Value* self, const Value* rest,
                              std::size_t count) const {
  for (const Native& native : natives.overloads) {
    bool fits = count == 0 || (native.types[0] & mask(self->type())) != 0;
    for (std::size_t i = 1; fits && i < count; ++i) fits = (native.types[i] & mask(rest[i - 1].type())) != 0;
    if (fits) return &native;
  }
  return nullptr;
}

bool Machine::call_native(std::string_view name, const NativeSet* natives, Target target, Value& result) {
  const Native* native =
      natives == nullptr ? nullptr : choose(*natives, target.self, target.rest, target.count);
  if (native == nullptr) return not_found(name, target.self, target.rest, target.count);
  if (native->changes_self) {
    if (target.is_constant) return fail(ErrorKind::non_pure_method_on_constant, std::string(name));
    // The place itself is wanted now, and it must be the only one that has this value.
    if (target.path != nullptr &&
        !walk_write(*target.path, target.registers, target.path->steps.size(), target.self)) {
      return false;
    }
    if (!charge_copy(*target.self)) return false;
  }
  NativeCall call{*this, target.self, target.rest, target.count};
  if (target.cell != nullptr) target.cell->locked = true;
  const bool ok = native->function != nullptr ? native->function(call) : (*native->host)(call);
  if (target.cell != nullptr) target.cell->locked = false;
  if (!ok) return false;
  if (is_limited_ && !check_size(call.result)) return false;
  if (is_limited_ && native->changes_self && !check_changed(target)) return false;
  result = std::move(call.result);
  return true;
}

// A part that grows makes what it is a part of grow.
bool Machine::check_changed(const Target& target) {
  if (!check_size(*target.self)) return false;
  if (target.path == nullptr) return true;
  Value* root = nullptr;
  CellObject* cell = nullptr;
  bool is_constant = false;
  return read_root(*target.path, target.registers, root, cell, is_constant) && check_size(*root);
}

bool Machine::native_step(const Instruction& i, Value* registers, const Function& function) {
  const CallSite& site = function.sites[static_cast<std::size_t>(i.d)];
  Target target;
  target.self = registers + i.a;
  target.rest = registers + i.a + 1;
  target.count = i.b;
  target.registers = registers;
  if (site.has_target && !read_root(site.target, registers, target.self, target.cell, target.is_constant)) {
    return false;
  }
  Value result;
  if (!call_native(site.name.text(), site.natives, target, result)) return false;
  registers[i.a] = std::move(result);
  for (std::size_t n = 1; n < i.b; ++n) registers[i.a + n].drop();
  return true;
}

// Where `this` of a script's function points: at the variable, or at a copy that goes back afterwards.
bool Machine::bind_this(const Target& target, Value* temporary, Value*& this_value) {
  this_value = target.self;
  if (target.path == nullptr) return true;
  *temporary = *target.self;
  this_value = temporary;
  return true;
}

void Machine::after_push(const Target& target, const Value* temporary, const Value* this_value) {
  Frame& frame = frames_[depth_ - 1];
  if (target.cell != nullptr) {
    frame.flags |= flag_locked;
    frame.locked = target.cell;
    target.cell->locked = true;
  }
  if (target.path != nullptr && this_value == temporary && !target.is_constant) {
    frame.flags |= flag_write_back;
    frame.write_back = target.path;
  }
}

bool Machine::method_step(const Instruction& i, Value* registers, const Function& function) {
  const CallSite& site = function.sites[static_cast<std::size_t>(i.d)];
  Target target;
  target.rest = registers + i.a + 2;
  target.count = std::size_t{i.b} + 1;
  target.registers = registers;
  Value held;
  if (!walk_read(site.target, registers, target.self, held, target.cell, target.is_constant)) return false;
  if (!site.target.steps.empty()) target.path = &site.target;
  // A value that no place holds lives in the register for `this` while the method runs.
  if (target.self == &held) {
    registers[i.a + 1] = std::move(held);
    target.self = registers + i.a + 1;
    target.path = nullptr;
  }
  return call_method(site, target, function.registers, registers + i.a);
}

// The order in which it is looked for, in one place.
// NOLINTNEXTLINE(readability-function-cognitive-complexity)
bool Machine::call_method(const CallSite& site, Target target, std::size_t top, Value* base) {
  Value* const frame_top = target.registers + top;
  const std::size_t count = target.count - 1;
  const std::size_t before = depth_;
  std::int32_t index = site.function;
  if (target.self->is_map()) {
    const Value* field = target.self->map_object().find(site.name.text());
    if (field != nullptr && field->is(Type::function)) {
      const Value keep = *field;
      Value* this_value = nullptr;
      if (!bind_this(target, base + 1, this_value)) return false;
      if (!call_pointer(keep.function_object(), target.rest, count, this_value, base, frame_top))
        return false;
      if (depth_ != before) after_push(target, base + 1, this_value);
      return true;
    }
  }
  if (!site.typed.empty()) {
    const std::string_view type = type_name(*target.self);
    for (const std::int32_t candidate : site.typed) {
      if (program_->functions[static_cast<std::size_t>(candidate)]->this_type == type) index = candidate;
    }
  }
  if (index >= 0) {
    const Function& callee = *program_->functions[static_cast<std::size_t>(index)];
    Value* this_value = nullptr;
    if (!bind_this(target, base + 1, this_value) || !room_for(callee, frame_top)) {
      return fail(ErrorKind::stack_overflow, {});
    }
    for (std::size_t n = 0; n < count; ++n) frame_top[n] = std::move(target.rest[n]);
    if (!push(callee, frame_top, base, this_value, 0)) return false;
    after_push(target, base + 1, this_value);
    return true;
  }
  Value result;
  if (!call_native(site.name.text(), site.natives, target, result)) return false;
  *base = std::move(result);
  for (std::size_t n = 0; n < target.count; ++n) base[n + 1].drop();
  return true;
}

bool Machine::value_step(const Instruction& i, Value* registers, const Function& function) {
  const CallSite& site = function.sites[static_cast<std::size_t>(i.d)];
  Value* const base = registers + i.a;
  Target target;
  target.registers = registers;
  Value held;
  if (!walk_read(site.target, registers, target.self, held, target.cell, target.is_constant)) return false;
  Value* const top = registers + function.registers;
  if (target.self->is(Type::function)) {
    const Value keep = *target.self;  // what is called may change the variable
    return call_pointer(keep.function_object(), base + 2, i.b, nullptr, base, top);
  }
  if (i.b == 0 || !base[2].is(Type::function)) {
    ScriptError error = make_error(ErrorKind::mismatch_data_type, "Fn");
    error.actual = type_name(*target.self);
    return fail(std::move(error));
  }
  // x.call(f, ...): f with `this` bound to x.
  const Value keep = base[2];
  if (!site.target.steps.empty()) target.path = &site.target;
  if (target.self == &held) {
    base[1] = std::move(held);
    target.self = base + 1;
    target.path = nullptr;
  }
  Value* this_value = nullptr;
  if (!bind_this(target, base + 1, this_value)) return false;
  const std::size_t before = depth_;
  if (!call_pointer(keep.function_object(), base + 3, std::size_t{i.b} - 1, this_value, base, top))
    return false;
  if (depth_ != before) after_push(target, base + 1, this_value);
  return true;
}

bool Machine::call_pointer(const FunctionObject& pointer, Value* arguments, std::size_t count,
                           Value* this_value, Value* result, Value* top) {
  if (pointer.closure == nullptr)
    return call_named_pointer(pointer, arguments, count, this_value, result, top);
  Function& callee = *pointer.closure;
  const std::size_t bound = pointer.curry.size();
  if (callee.program_id != program_->id || callee.parameters != bound + count) {
    return not_found(callee.name.text(), nullptr, arguments, count);
  }
  if (!room_for(callee, top)) return fail(ErrorKind::stack_overflow, {});
  for (std::size_t n = 0; n < bound; ++n) top[n] = pointer.curry[n];
  for (std::size_t n = 0; n < count; ++n) top[bound + n] = std::move(arguments[n]);
  if (!push(callee, top, result, this_value, flag_counted)) return false;
  ref(&callee);
  return true;
}

bool Machine::call_named_pointer(const FunctionObject& pointer, Value* arguments, std::size_t count,
                                 Value* this_value, Value* result, Value* top) {
  const std::size_t bound = pointer.curry.size();
  const std::size_t total = bound + count;
  const std::string& name = pointer.name.text();
  const std::int32_t index = program_->find(name, total);
  if (index >= 0) {
    const Function& callee = *program_->functions[static_cast<std::size_t>(index)];
    if (!room_for(callee, top)) return fail(ErrorKind::stack_overflow, {});
    for (std::size_t n = 0; n < bound; ++n) top[n] = pointer.curry[n];
    for (std::size_t n = 0; n < count; ++n) top[bound + n] = std::move(arguments[n]);
    return push(callee, top, result, this_value, 0);
  }
  // In a list of its own: a native that calls back uses the stack from `top` on.
  std::vector<Value> list;
  if (this_value != nullptr) list.push_back(*this_value);
  list.insert(list.end(), pointer.curry.begin(), pointer.curry.end());
  list.insert(list.end(), arguments, arguments + count);
  Target target;
  target.count = list.size();
  Value none;
  target.self = list.empty() ? &none : list.data();
  target.rest = list.data() + 1;
  target.registers = top;
  const NativeSet* natives = registry_.find(name, list.size());
  Value out;
  if (!call_native(name, natives, target, out)) return false;
  *result = std::move(out);
  return true;
}

bool Machine::call_in_scope(const Instruction& i, Value* registers, const Function& function) {
  const CallSite& site = function.sites[static_cast<std::size_t>(i.d)];
  const Function& callee = *program_->functions[static_cast<std::size_t>(site.function)];
  // Above all registers of the caller, which stay in sight.
  Value* const top = registers + function.registers;
  if (!room_for(callee, top)) return fail(ErrorKind::stack_overflow, {});
  for (std::size_t n = 0; n < i.b; ++n) top[n] = std::move(registers[i.a + n]);
  if (!push(callee, top, registers + i.a, nullptr, 0)) return false;
  frames_[depth_ - 1].scope_site = &site;
  frames_[depth_ - 1].scope_frame = static_cast<std::uint32_t>(depth_ - 2);
  return true;
}

bool Machine::curry_step(const Instruction& i, Value* registers, const Function& function) {
  const CallSite& site = function.sites[static_cast<std::size_t>(i.d)];
  Value* self = nullptr;
  Value held;
  CellObject* cell = nullptr;
  bool is_constant = false;
  if (!walk_read(site.target, registers, self, held, cell, is_constant)) return false;
  if (!self->is(Type::function)) {
    ScriptError error = make_error(ErrorKind::mismatch_data_type, "Fn");
    error.actual = type_name(*self);
    return fail(std::move(error));
  }
  auto* bound = new FunctionObject(self->function_object());
  for (std::size_t n = 0; n < i.b; ++n) bound->curry.push_back(std::move(registers[i.a + 2 + n]));
  registers[i.a] = Value::adopt(bound);
  return check_size(registers[i.a]);
}

bool Machine::make_closure(const Instruction& i, Value* registers, const Function& function) {
  const auto index = static_cast<std::size_t>(i.d);
  Value made = Value::adopt(new FunctionObject);
  FunctionObject& pointer = made.function_object();
  pointer.closure = function.closures[index];
  ref(pointer.closure);
  pointer.name = pointer.closure->name;
  for (const CaptureSource& source : function.closure_captures[index]) {
    if (source.by_name) {
      Value found;
      if (!load_dynamic(source.name, found)) {
        error_.position = error_.place = unpack(source.place);
        return false;
      }
      bool is_constant = false;
      CellObject* cell = nullptr;
      Value* place = find_named(depth_ - 1, source.name, is_constant, cell);
      if (place != nullptr && cell == nullptr) {
        *place = Value::adopt(new CellObject(cells_, std::move(*place)));
        pointer.curry.push_back(*place);
      } else if (cell != nullptr) {
        pointer.curry.push_back(Value::share(cell));
      } else {
        pointer.curry.push_back(Value::adopt(new CellObject(cells_, std::move(found))));
      }
      continue;
    }
    Value& variable = registers[source.reg];
    if (!variable.is(Type::cell)) variable = Value::adopt(new CellObject(cells_, std::move(variable)));
    pointer.curry.push_back(variable);
  }
  registers[i.a] = std::move(made);
  return check_closure(pointer);
}

bool Machine::make_pointer(Value& value) {
  if (!value.is_string()) {
    ScriptError error = make_error(ErrorKind::mismatch_data_type, "string");
    error.actual = type_name(value);
    return fail(std::move(error));
  }
  const std::string& name = value.text();
  const LexOptions options;
  Lexer lexer(name, options);
  const Token token = lexer.next();
  const bool alone = lexer.next().kind == Tok::end && token_text(token) == name;
  if (alone && token.kind != Tok::identifier) {
    ScriptError error = make_error(ErrorKind::parsing, cat("'", name, "' is a reserved ",
                                                           is_valid_identifier(name) ? "keyword" : "symbol"));
    error.parse_kind = "Reserved";
    return fail(std::move(error));
  }
  if (!alone) return fail(ErrorKind::function_not_found, name);
  auto* pointer = new FunctionObject;
  pointer->name = value;
  value = Value::adopt(pointer);
  return true;
}

Callback::Callback(NativeCall& call, const Value& function, Form form)
    : machine_(call.machine), form_(form), pointer_(function) {
  if (pointer_.is_string()) {
    auto* named = new FunctionObject;
    named->name = pointer_;
    pointer_ = Value::adopt(named);
  }
  function_ = &pointer_.function_object();
  const Machine::Frame& frame = machine_.frames_[machine_.depth_ - 1];
  base_ = frame.base + frame.function->registers;
  ++machine_.native_depth_;
}

Callback::~Callback() { --machine_.native_depth_; }

bool Callback::operator()(Value* this_value, std::span<Value> arguments, Value& out) {
  if (machine_.native_depth_ > native_depth_cap) return machine_.fail(ErrorKind::stack_overflow, {});
  if (function_->closure == nullptr) return run_named(this_value, arguments, out);
  const Function& callee = *function_->closure;
  const std::size_t bound = function_->curry.size();
  const std::size_t takes = callee.parameters >= bound ? callee.parameters - bound : arguments.size() + 1;
  if (takes < form_.least || takes > arguments.size() || callee.program_id != machine_.program_->id) {
    return machine_.not_found(callee.name.text(), nullptr, arguments.data(),
                              std::min(arguments.size(), std::max<std::size_t>(form_.least, 1)));
  }
  return run(callee, takes < form_.this_below ? this_value : nullptr, arguments.first(takes), out);
}

bool Callback::run(const Function& function, Value* this_value, std::span<Value> arguments, Value& out) {
  Machine& m = machine_;
  if (!m.room_for(function, base_)) return m.fail(ErrorKind::stack_overflow, {});
  Value* into = base_;
  for (const Value& bound : function_->curry) *into++ = bound;
  for (Value& argument : arguments) *into++ = std::move(argument);
  const std::int64_t budget = m.budget_;
  const std::size_t depth = m.depth_;
  const bool ok = m.push(function, base_, &out, this_value, 0) && m.run_until(depth);
  // As in the official engine what a callback does is not counted for its caller, but all work is.
  m.work_ -= budget - m.budget_;
  m.budget_ = budget;
  if (!ok) {
    while (into != base_) (--into)->drop();
    return false;
  }
  if (m.work_ < 0) return m.fail(ErrorKind::too_many_operations, {});
  return true;
}

bool Callback::run_named(Value* this_value, std::span<Value> arguments, Value& out) {
  const std::string& name = function_->name.text();
  const std::size_t bound = function_->curry.size();
  for (std::size_t takes = form_.least; takes <= arguments.size(); ++takes) {
    const std::int32_t index = machine_.program_->find(name, bound + takes);
    if (index < 0) continue;
    return run(*machine_.program_->functions[static_cast<std::size_t>(index)],
               takes < form_.this_below ? this_value : nullptr, arguments.first(takes), out);
  }
  for (std::size_t takes = std::max<std::size_t>(form_.least, 1); takes <= arguments.size(); ++takes) {
    std::vector<Value> list(function_->curry);
    list.insert(list.end(), arguments.begin(), arguments.begin() + static_cast<std::ptrdiff_t>(takes));
    const NativeSet* natives = machine_.registry_.find(name, list.size());
    if (natives == nullptr) continue;
    Machine::Target target;
    target.self = list.data();
    target.rest = list.data() + 1;
    target.count = list.size();
    return machine_.call_native(name, natives, target, out);
  }
  return machine_.not_found(name, nullptr, arguments.data(),
                            std::min(arguments.size(), std::max<std::size_t>(form_.least, 1)));
}

}  // namespace rbee::rhai
