// Calls, and chains of properties, indexes and methods.
//
// As in the official engine all arguments of a chain are evaluated first, from left to right, and only then
// the chain is walked. A chain that begins with a variable is kept as a path until its value or its place is
// needed: a method is called on the element where it lies, not on a copy.
#include "rhai/compiler.h"
#include "rhai/parser.h"

#include <algorithm>

namespace rbee::rhai {

std::size_t Compiler::add_path(Path path) {
  path.is_field = path.root == Path::Root::local && !path.is_constant && path.steps.size() == 1 &&
                  path.steps[0].is_property();
  std::vector<Path>& paths = state_->function->paths;
  paths.push_back(std::move(path));
  return paths.size() - 1;
}

std::size_t Compiler::add_site(CallSite site) {
  std::vector<CallSite>& sites = state_->function->sites;
  sites.push_back(std::move(site));
  return sites.size() - 1;
}

void Compiler::add_visible(CallSite& site, const List<Variable*>& visible) {
  for (const Variable* v : visible) {
    if (v->reg < 0 || v->is_by_name) continue;
    site.visible.push_back(
        {interned(v->name), static_cast<std::uint16_t>(v->reg), v->is_constant, v->is_outer});
  }
}

Path Compiler::root_path(const Node& root) {
  Path path;
  path.place = pack(root.position);
  if (root.kind == NodeKind::this_value) {
    path.root = Path::Root::this_value;
    return path;
  }
  path.name = interned(root.text);
  const Variable* v = root.variable;
  if (v == nullptr || v->is_by_name || v->is_outer) {
    path.root = Path::Root::name;
    return path;
  }
  path.is_constant = v->is_constant;
  path.reg = static_cast<std::uint16_t>(v->reg);
  path.root = is_dynamic() ? Path::Root::outer : v->is_captured ? Path::Root::shared : Path::Root::local;
  return path;
}

void Compiler::add_step(Path& path, const Step& step, int index) {
  PathStep added;
  added.elvis = step.elvis;
  added.place = pack(step.position);
  added.index_place = pack(step.argument_position);
  if (step.kind == Step::Kind::property) {
    added.key = interned(step.name);
    added.getter = getter(step.name);
  } else {
    added.index = static_cast<std::uint16_t>(index);
  }
  path.steps.push_back(std::move(added));
}

// Reads what the path leads to, into the target or where it lies already.
int Compiler::read_path(const Path& path, int target) {
  int from = target;
  const Position place = unpack(path.place);
  switch (path.root) {
    case Path::Root::local: from = path.reg; break;
    case Path::Root::shared:
      emit(Op::load_var, target, path.reg, 0, string_constant(path.name.text()), place);
      break;
    case Path::Root::outer:
      emit(Op::load_var, target, path.reg, 2, string_constant(path.name.text()), place);
      break;
    case Path::Root::this_value: emit(Op::load_this, target, 0, 0, 0, place); break;
    default: emit(Op::load_dynamic, target, 0, 0, string_constant(path.name.text()), place); break;
  }
  for (const PathStep& step : path.steps) {
    if (step.is_property()) {
      emit(Op::get_property, target, from, hint(step.key.text()), string_constant(step.key.text()),
           unpack(step.place));
    } else {
      emit(Op::get_index, target, from, step.index, step.index_place, unpack(step.place));
    }
    from = target;
  }
  return from;
}

void Compiler::chain_arguments(const Node& n, std::vector<int>& bases, int target) {
  for (std::size_t s = 0; s < n.steps.size(); ++s) {
    const Step& step = n.steps[s];
    if (step.kind == Step::Kind::property) {
      bases.push_back(-1);
      continue;
    }
    if (step.kind == Step::Kind::index) {
      const Node& index = *step.arguments[0];
      // Arguments that come later may change a variable that is read here.
      const bool later =
          std::any_of(n.steps.begin() + static_cast<std::ptrdiff_t>(s), n.steps.end(), [](const Step& o) {
            return std::any_of(o.arguments.begin(), o.arguments.end(),
                               [](const Node* a) { return a->effects; });
          });
      int reg = later ? -1 : operand(index);
      if (reg < 0 || reg == target) {
        const int copy = allocate();
        if (reg < 0) {
          expression(index, copy);
        } else {
          emit(Op::move, copy, reg, 0, 0, index.position);
        }
        reg = copy;
      }
      bases.push_back(reg);
      continue;
    }
    const int base = allocate(2 + static_cast<int>(step.arguments.size()));
    bases.push_back(base);
    int at = base + 2;
    for (const Node* argument : step.arguments) expression(*argument, at++);
  }
}

void Compiler::read_step(const Step& step, Place& place, int index, int target) {
  if (place.is_path) {
    add_step(place.path, step, index);
    return;
  }
  if (step.kind == Step::Kind::property) {
    emit(Op::get_property, target, place.reg, hint(step.name), string_constant(step.name), step.position);
  } else {
    emit(Op::get_index, target, place.reg, index, pack(step.argument_position), step.position);
  }
  place.reg = target;
}

void Compiler::method(const Step& step, Place& place, int base) {
  const std::size_t count = step.arguments.size();
  if (step.name == "is_shared" && count == 0) {
    const bool may_be = place.is_path && place.path.steps.empty() &&
                        (place.path.root == Path::Root::shared || place.path.root == Path::Root::outer);
    if (may_be) {
      emit(Op::is_shared, base, place.path.reg, 0, 0, step.position);
    } else {
      emit(Op::load_bool, base, 0, 0, 0, step.position);
    }
    place = Place{};
    place.reg = base;
    return;
  }
  CallSite site;
  site.name = interned(step.name);
  site.has_target = true;
  if (place.is_path) {
    site.target = std::move(place.path);
  } else {
    site.target.root = Path::Root::temporary;
    site.target.reg = static_cast<std::uint16_t>(place.reg);
  }
  const bool value_call = step.name == "call";
  if (!value_call) {
    site.function = base_->find(step.name, count);
    for (std::size_t i = 0; i < base_->functions.size(); ++i) {
      const Function& f = *base_->functions[i];
      if (!f.this_type.empty() && f.parameters == count && f.name.text() == step.name) {
        site.typed.push_back(static_cast<std::int32_t>(i));
      }
    }
    site.natives = registry_.find(step.name, count + 1);
  }
  const bool pushes = step.name == "push" && count == 1 && site.function < 0 && site.typed.empty() &&
                      site.target.root == Path::Root::local && site.target.steps.empty() &&
                      !site.target.is_constant;
  const auto index = static_cast<std::int64_t>(add_site(std::move(site)));
  const Op op = value_call             ? Op::call_value
                : step.name == "curry" ? Op::curry
                : pushes               ? Op::push_item
                                       : Op::call_method;
  const Position at = value_call && count > 0 ? start_of(*step.arguments[0]) : step.position;
  emit(op, base, static_cast<int>(count), 1, index, at);
  place = Place{};
  place.reg = base;
}

void Compiler::chain(const Node& n, int target) {
  std::vector<int> bases;
  const Node& root = *n.kids[0];
  const int work = target;
  chain_arguments(n, bases, work);
  Place place;
  const bool variable =
      root.kind == NodeKind::this_value || (root.kind == NodeKind::variable && root.space.empty());
  if (variable) {
    place.is_path = true;
    place.path = root_path(root);
  } else {
    place.reg = allocate();
    expression(root, place.reg);
  }
  Jumps ends;
  for (std::size_t s = 0; s < n.steps.size(); ++s) {
    const Step& step = n.steps[s];
    if (step.elvis) {
      const int value = place.is_path ? read_path(place.path, work) : place.reg;
      if (value != work) emit(Op::move, work, value, 0, 0, step.position);
      ends.push_back(emit(Op::jump_if_unit, work, 0, 0, 0, step.position));
    }
    if (step.kind == Step::Kind::method) {
      method(step, place, bases[s]);
    } else {
      read_step(step, place, bases[s], work);
    }
  }
  const int value = place.is_path ? read_path(place.path, work) : place.reg;
  if (value != target) emit(Op::move, target, value, 1, 0, n.position);
  patch_all(ends);
}

void Compiler::call(const Node& n, int target) {
  if (!n.space.empty() && n.space != "global") {
    fail_with(ErrorKind::module_not_found, n.space, n.position);
    return;
  }
  if (n.space.empty() && special_call(n, target)) return;
  const int base = allocate(static_cast<int>(std::max<std::size_t>(n.kids.size(), 1)));
  const std::int32_t index = base_->find(n.text, n.kids.size());
  if (n.flag || (index >= 0 && !n.flag)) {
    for (std::size_t i = 0; i < n.kids.size(); ++i) expression(*n.kids[i], base + static_cast<int>(i));
  }
  if (n.flag && index >= 0) {
    CallSite site;
    site.name = interned(n.text);
    site.function = index;
    add_visible(site, n.visible);
    emit(Op::call_in_scope, base, static_cast<int>(n.kids.size()), 0,
         static_cast<std::int64_t>(add_site(std::move(site))), n.position);
  } else if (index >= 0) {
    emit(Op::call, base, static_cast<int>(n.kids.size()), 0, index, n.position);
  } else {
    native_call(n, base);
  }
  if (target != base) emit(Op::move, target, base, 1, 0, n.position);
}

void Compiler::native_call(const Node& n, int base) {
  CallSite site;
  const std::string full =
      n.space.empty() ? std::string(n.text) : std::string(n.space) + "::" + std::string(n.text);
  site.name = interned(full);
  site.natives = n.space.empty() ? registry_.find(n.text, n.kids.size()) : nullptr;
  for (std::size_t i = 0; i < n.kids.size(); ++i) {
    const Node& argument = *n.kids[i];
    // The first argument is a reference where it is a variable: push(a, 1) changes a.
    const bool is_place = argument.kind == NodeKind::this_value ||
                          (argument.kind == NodeKind::variable && argument.space.empty() &&
                           argument.variable != nullptr && !argument.variable->is_by_name);
    if (i == 0 && is_place) {
      site.has_target = true;
      site.target = root_path(argument);
    } else {
      expression(argument, base + static_cast<int>(i));
    }
  }
  const auto index = static_cast<std::int64_t>(add_site(std::move(site)));
  emit(Op::call_native, base, static_cast<int>(n.kids.size()), 0, index, n.position);
}

// The functions that the language itself has to know.
bool Compiler::special_call(const Node& n, int target) {
  const std::size_t count = n.kids.size();
  const auto with_arguments = [&](int extra) {
    const int base = allocate(static_cast<int>(count) + extra);
    for (std::size_t i = 0; i < count; ++i) {
      // call(f, ...) lies as f.call(...) does: the function, a place for `this`, the arguments.
      expression(*n.kids[i], base + static_cast<int>(i) + (i > 0 ? extra : 0));
    }
    return base;
  };
  const auto finish = [&](int base) {
    if (target != base) emit(Op::move, target, base, 1, 0, n.position);
    return true;
  };
  if (n.text == "Fn" && count == 1) {
    const int base = with_arguments(0);
    emit(Op::make_pointer, base, 0, 0, 0, n.kids[0]->position);
    return finish(base);
  }
  if (n.text == "call" && count >= 1) {
    const int base = with_arguments(1);
    CallSite site;
    site.name = interned("call");
    site.target.root = Path::Root::temporary;
    site.target.reg = static_cast<std::uint16_t>(base);
    const auto index = static_cast<std::int64_t>(add_site(std::move(site)));
    emit(Op::call_value, base, static_cast<int>(count) - 1, 0, index, n.position);
    return finish(base);
  }
  if (n.text == "curry" && count >= 2) {
    const int base = with_arguments(1);
    CallSite site;
    site.name = interned("curry");
    site.target.root = Path::Root::temporary;
    site.target.reg = static_cast<std::uint16_t>(base);
    const auto index = static_cast<std::int64_t>(add_site(std::move(site)));
    emit(Op::curry, base, static_cast<int>(count) - 1, 0, index, n.position);
    return finish(base);
  }
  if (n.text == "eval" && count == 1) {
    const int base = with_arguments(0);
    CallSite site;
    site.name = interned("eval");
    add_visible(site, n.visible);
    const auto index = static_cast<std::int64_t>(add_site(std::move(site)));
    emit(Op::evaluate, base, 0, 0, index, n.kids[0]->position);
    return finish(base);
  }
  if (n.text == "is_def_var" && count == 1) {
    const int base = with_arguments(0);
    CallSite site;
    site.name = interned("is_def_var");
    add_visible(site, n.visible);
    const auto index = static_cast<std::int64_t>(add_site(std::move(site)));
    emit(Op::is_defined, base, 0, 0, index, n.position);
    return finish(base);
  }
  if (n.text == "is_shared" && count == 1) {
    const Node& argument = *n.kids[0];
    if (argument.kind == NodeKind::variable && argument.variable != nullptr &&
        !is_plain(*argument.variable) && argument.variable->reg >= 0 && !argument.variable->is_outer) {
      emit(Op::is_shared, target, argument.variable->reg, 0, 0, n.position);
      return true;
    }
    expression(argument, target);
    emit(Op::load_bool, target, 0, 0, 0, n.position);
    return true;
  }
  return false;
}

void Compiler::assign(const Node& n) {
  const Node& target = *n.kids[0];
  if (target.kind == NodeKind::chain) {
    assign_chain(n, target);
  } else if (target.kind == NodeKind::variable) {
    assign_variable(n, target);
  } else {
    Tok plain = Tok::equals;
    (void)assignment_operator(n.op, plain);
    const int reg = operand(*n.kids[1]);
    emit(Op::store_path, reg, static_cast<int>(plain), 0,
         static_cast<std::int64_t>(add_path(root_path(target))), n.position);
  }
}

void Compiler::assign_chain(const Node& n, const Node& target) {
  Tok plain = Tok::equals;
  const bool combined = assignment_operator(n.op, plain);
  const bool later = std::any_of(target.steps.begin(), target.steps.end(), [](const Step& s) {
    return std::any_of(s.arguments.begin(), s.arguments.end(), [](const Node* a) { return a->effects; });
  });
  int value = -1;
  if (later) {
    value = allocate();
    expression(*n.kids[1], value);
  } else {
    value = operand(*n.kids[1]);
  }
  std::vector<int> bases;
  chain_arguments(target, bases, -1);
  Path path = root_path(*target.kids[0]);
  const Step& first = target.steps[0];
  const bool simple = target.steps.size() == 1 && !combined && !path.is_constant && !first.elvis &&
                      path.root == Path::Root::local;
  if (simple && first.kind == Step::Kind::index) {
    emit(Op::set_index, path.reg, bases[0], value, pack(first.argument_position), n.position);
    return;
  }
  if (simple) {
    emit(Op::set_property, path.reg, value, hint(first.name), string_constant(first.name), first.position);
    return;
  }
  for (std::size_t i = 0; i < target.steps.size(); ++i) add_step(path, target.steps[i], bases[i]);
  emit(Op::store_path, value, static_cast<int>(plain), 0,
       static_cast<std::int64_t>(add_path(std::move(path))), n.position);
}

}  // namespace rbee::rhai
