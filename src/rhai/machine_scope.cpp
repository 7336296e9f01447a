// Variables that are found by name while a script runs: eval(), `f!()`, and names that are nobody's.
#include "rhai/compiler.h"
#include "rhai/machine.h"
#include "rhai/parser.h"

#include <algorithm>

namespace rbee::rhai {

bool Machine::read_cell(CellObject& cell, const Value& name, Value& out) {
  if (cell.locked) {
    ScriptError error = make_error(ErrorKind::data_race, name.text());
    error.unplaced = true;
    error.place = unpack(frames_[depth_ - 1].pc->place);
    return fail(std::move(error));
  }
  out = cell.value;
  return true;
}

// Looks in the variables that eval() made in this frame, and then, where the frame is an eval() or a call
// with
// `!`, in what the place of that call can see.
// The order in which it is looked for, in one place.
// NOLINTNEXTLINE(readability-function-cognitive-complexity)
Value* Machine::find_named(std::size_t frame, const Value& name, bool& is_constant, CellObject*& cell) {
  const auto found = [&](Value& value, bool constant) {
    is_constant = constant;
    cell = value.is(Type::cell) ? &value.cell_object() : nullptr;
    return cell != nullptr ? &cell->value : &value;
  };
  for (;;) {
    Frame& f = frames_[frame];
    if (f.names != nullptr) {
      for (std::size_t i = f.names->size(); i > 0; --i) {
        NamedValue& named = (*f.names)[i - 1];
        if (named.name.text() == name.text()) return found(named.value, named.is_constant);
      }
    }
    if (f.scope_site == nullptr) return nullptr;
    const Frame& owner = frames_[f.scope_frame];
    if (owner.names != nullptr) {
      for (std::size_t i = owner.names->size(); i > 0; --i) {
        NamedValue& named = (*owner.names)[i - 1];
        if (named.name.text() == name.text()) return found(named.value, named.is_constant);
      }
    }
    const std::vector<VisibleVariable>& visible = f.scope_site->visible;
    for (std::size_t i = visible.size(); i > 0; --i) {
      const VisibleVariable& v = visible[i - 1];
      if (!v.is_outer && v.name.text() == name.text()) return found(owner.base[v.reg], v.is_constant);
    }
    frame = f.scope_frame;
  }
}

bool Machine::load_newer(const Value& name, Value& out, bool& is_there) {
  const std::vector<NamedValue>& names = *frames_[depth_ - 1].names;
  const auto found = std::find_if(names.rbegin(), names.rend(),
                                  [&](const NamedValue& named) { return named.name.text() == name.text(); });
  is_there = found != names.rend();
  if (!is_there) return true;
  if (found->value.is(Type::cell)) return read_cell(found->value.cell_object(), name, out);
  out = found->value;
  return true;
}

bool Machine::load_dynamic(const Value& name, Value& out) {
  bool is_constant = false;
  CellObject* cell = nullptr;
  if (const Value* value = find_named(depth_ - 1, name, is_constant, cell)) {
    if (cell != nullptr) return read_cell(*cell, name, out);
    out = *value;
    return true;
  }
  for (const rhai::Function* function : program_->functions) {
    if (function->name.text() != name.text()) continue;
    auto* pointer = new FunctionObject;
    pointer->name = function->name;
    out = Value::adopt(pointer);
    return true;
  }
  return fail(ErrorKind::variable_not_found, name.text());
}

bool Machine::name_exists(const Value& name) {
  Value ignored;
  return load_dynamic(name, ignored);
}

// `how`: 0 a variable, 1 a constant, 2 only hides what is there.
void Machine::define_named(const Value& name, Value value, std::uint16_t how) {
  std::size_t frame = depth_ - 1;
  while ((frames_[frame].flags & flag_eval) != 0) frame = frames_[frame].scope_frame;
  Frame& f = frames_[frame];
  if (how == 2) {
    if (f.names != nullptr) {
      std::erase_if(*f.names, [&](const NamedValue& named) { return named.name.text() == name.text(); });
    }
    return;
  }
  if (f.names == nullptr) {
    f.names = new std::vector<NamedValue>;
    f.flags |= flag_names;
  }
  f.names->push_back({name, std::move(value), how == 1});
}

bool Machine::evaluate(const Instruction& i, Value* registers, const Function& function) {
  Value& source = registers[i.a];
  if (!source.is_string()) {
    ScriptError error = make_error(ErrorKind::mismatch_data_type, "string");
    error.actual = type_name(source);
    return fail(std::move(error));
  }
  if (native_depth_ >= native_depth_cap) return fail(ErrorKind::stack_overflow, {});
  const CallSite& site = function.sites[static_cast<std::size_t>(i.d)];
  const auto in_eval = [this] {
    CalledFunction call;
    call.name = "eval";
    call.called_at = unpack(frames_[depth_ - 1].pc->place);
    error_.calls.push_back(std::move(call));
    return false;
  };
  ParseOptions options;
  options.limits = limits_;
  options.language = language_;
  options.is_eval = true;
  options.is_function = [this](std::string_view name) {
    return std::any_of(program_->functions.begin(), program_->functions.end(),
                       [&](const rhai::Function* f) { return f->name.text() == name; });
  };
  const auto add = [&options](const Value& name, bool is_constant) {
    Variable variable;
    variable.name = name.text();
    variable.is_outer = true;
    variable.is_constant = is_constant;
    options.scope.push_back(variable);
  };
  for (const VisibleVariable& v : site.visible) add(v.name, v.is_constant);
  if (const auto* names = frames_[depth_ - 1].names) {
    for (const NamedValue& named : *names) add(named.name, named.is_constant);
  }
  const Value text = source;  // its tokens point into it
  // Compiling takes about an operation a byte.
  if (!charge(text.text().size() * 8)) return false;
  Ast ast;
  Parser parser(text.text(), options, ast);
  if (!parser.parse()) {
    error_ = parser.error();
    error_.unplaced = true;
    error_.position = {};
    return in_eval();
  }
  Program chunk;
  chunk.id = program_->id;
  chunk.global_names = program_->global_names;
  Compiler compiler(chunk, registry_, limits_, program_);
  if (!compiler.compile(ast)) return fail(ErrorKind::stack_overflow, {});
  chunk.main->program_id = program_->id;
  ++native_depth_;
  const std::size_t depth = depth_;
  Value result;
  bool ok = push(*chunk.main, registers + function.registers, &result, nullptr, 0);
  if (ok) {
    Frame& frame = frames_[depth_ - 1];
    frame.flags |= flag_eval;
    frame.scope_site = &site;
    frame.scope_frame = static_cast<std::uint32_t>(depth - 1);
    ok = run_until(depth);
  }
  --native_depth_;
  if (!ok) return is_system(error_.kind) || error_.kind == ErrorKind::exit ? false : in_eval();
  registers[i.a] = std::move(result);
  return true;
}

bool Machine::is_defined(const Instruction& i, Value* registers, const Function& function) {
  Value& name = registers[i.a];
  if (!name.is_string()) return not_found("is_def_var", &name, nullptr, 1);
  const CallSite& site = function.sites[static_cast<std::size_t>(i.d)];
  bool known = std::any_of(site.visible.begin(), site.visible.end(),
                           [&](const VisibleVariable& v) { return v.name.text() == name.text(); });
  bool is_constant = false;
  CellObject* cell = nullptr;
  known = known || find_named(depth_ - 1, name, is_constant, cell) != nullptr;
  registers[i.a].set_bool(known);
  return true;
}

}  // namespace rbee::rhai
