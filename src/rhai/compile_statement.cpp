// Statements: blocks, loops, branches.
#include "rhai/compiler.h"

#include <algorithm>

namespace rbee::rhai {

void Compiler::statement(const Node& n, int target) {
  const int saved = state_->next;
  switch (n.kind) {
    case NodeKind::block: block(n, target); break;
    case NodeKind::if_else: if_else(n, target); break;
    case NodeKind::switch_case: switch_case(n, target); break;
    case NodeKind::while_loop: while_loop(n, target); break;
    case NodeKind::do_loop: do_loop(n, target); break;
    case NodeKind::for_loop: for_loop(n, target); break;
    case NodeKind::try_catch: try_catch(n, target); break;
    case NodeKind::let:
      let(n);
      if (target >= 0) emit(Op::load_unit, target, 0, 0, 0, n.position);
      // Its register stays taken until the block ends.
      return;
    case NodeKind::assign:
      assign(n);
      if (target >= 0) emit(Op::load_unit, target, 0, 0, 0, n.position);
      break;
    case NodeKind::return_value:
    case NodeKind::throw_value: returns(n); break;
    case NodeKind::break_loop:
    case NodeKind::continue_loop: jump(n); break;
    case NodeKind::import: {
      const int path = operand(*n.kids[0]);
      emit(Op::fail, path, static_cast<int>(ErrorKind::module_not_found), 1, 0, n.position);
      break;
    }
    case NodeKind::export_name:
      if (n.variable == nullptr) emit(Op::check_name, 0, 0, 0, string_constant(n.text), n.position);
      if (target >= 0) emit(Op::load_unit, target, 0, 0, 0, n.position);
      break;
    case NodeKind::unit:
      if (target >= 0) emit(Op::load_unit, target, 0, 0, 0, n.position);
      break;
    default: {
      const int into = target >= 0 ? target : allocate();
      expression(n, into);
      if (target < 0) emit(Op::drop, into, into + 1, 0, 0, n.position);
      break;
    }
  }
  release_to(saved);
}

int Compiler::begin_scope() {
  if (!is_dynamic()) return -1;
  const int mark = allocate();
  emit(Op::dynamic_mark, mark, 0, 0, 0, {});
  return mark;
}

void Compiler::end_scope(int mark, int saved) {
  if (mark >= 0) emit(Op::dynamic_rewind, mark, 0, 0, 0, {});
  if (state_->next > saved + (mark >= 0 ? 1 : 0)) emit(Op::drop, saved, state_->next, 0, 0, {});
  release_to(saved);
}

void Compiler::block(const Node& n, int target) {
  const int saved = state_->next;
  const int mark = begin_scope();
  ++state_->block_depth;
  block_statements(n, target);
  --state_->block_depth;
  end_scope(mark, saved);
}

void Compiler::block_statements(const Node& n, int target) {
  if (n.kids.empty()) {
    if (target >= 0) emit(Op::load_unit, target, 0, 0, 0, n.position);
    return;
  }
  for (std::size_t i = 0; i + 1 < n.kids.size(); ++i) statement(*n.kids[i], -1);
  statement(*n.kids.back(), target);
}

void Compiler::let(const Node& n) {
  Variable& v = *n.variable;
  if (limits_.variables > 0 && v.scope_size > limits_.variables) {
    fail_with(ErrorKind::too_many_variables, {}, n.position);
  }
  const bool eval_top = base_ != &program_ && state_->ast == ast_->main && state_->block_depth == 0;
  if (eval_top) {
    const int reg = allocate();
    if (n.kids.empty()) {
      emit(Op::load_unit, reg, 0, 0, 0, n.position);
    } else {
      expression(*n.kids[0], reg);
    }
    v.is_by_name = true;
    emit(Op::define_dynamic, reg, v.is_constant ? 1 : 0, 0, string_constant(v.name), n.position);
    return;
  }
  const bool reuse =
      v.replaces != nullptr && v.replaces->reg >= 0 && !v.replaces->is_by_name && !v.replaces->is_outer;
  const int reg = reuse ? v.replaces->reg : allocate();
  if (n.kids.empty()) {
    emit(Op::load_unit, reg, 0, 0, 0, n.position);
  } else if (reuse) {
    const int value = allocate();
    expression(*n.kids[0], value);
    emit(Op::move, reg, value, 1, 0, n.position);
    release_to(value);
  } else {
    expression(*n.kids[0], reg);
  }
  v.reg = reg;
  if (!reuse) release_to(reg + 1);
  // What eval() defined under this name is hidden from now on.
  if (is_dynamic()) emit(Op::define_dynamic, reg, 2, 0, string_constant(v.name), n.position);
  if (v.is_constant && n.integer != 0 && !program_.functions.empty() && base_ == &program_) {
    const auto [at, added] = globals_.try_emplace(n.text, static_cast<int>(program_.global_names.size()));
    if (added) program_.global_names.emplace_back(n.text);
    emit(Op::store_global, reg, 0, 0, at->second, n.position);
  }
}

void Compiler::if_else(const Node& n, int target) {
  Jumps otherwise;
  jump_on(*n.kids[0], false, otherwise);
  statement(*n.kids[1], target);
  if (n.kids.size() < 3 && target < 0) {
    patch_all(otherwise);
    return;
  }
  const std::size_t end = emit(Op::jump, 0, 0, 0, 0, n.position);
  patch_all(otherwise);
  if (n.kids.size() > 2) {
    statement(*n.kids[2], target);
  } else {
    emit(Op::load_unit, target, 0, 0, 0, n.position);
  }
  patch(end);
}

void Compiler::begin_loop(int target) {
  Loop loop;
  loop.target = target;
  if (is_dynamic()) {
    loop.dynamic_mark = allocate();
    emit(Op::dynamic_mark, loop.dynamic_mark, 0, 0, 0, {});
  }
  if (target >= 0) emit(Op::load_unit, target, 0, 0, 0, {});
  state_->loops.push_back(std::move(loop));
}

void Compiler::end_loop(std::size_t start, Position place) {
  const std::size_t cost = std::max<std::size_t>(1, std::min<std::size_t>((here() - start) / 2, 0xffff));
  emit(Op::loop, 0, 0, static_cast<int>(cost), static_cast<std::int64_t>(start), place);
}

void Compiler::finish_loop() {
  patch_all(state_->loops.back().breaks);
  state_->loops.pop_back();
}

void Compiler::while_loop(const Node& n, int target) {
  begin_loop(target);
  Jumps out;
  // The condition stands at the end, so that a round costs one jump.
  std::size_t entry = 0;
  const bool endless = n.kids[0] == nullptr;
  if (!endless) entry = emit(Op::jump, 0, 0, 0, 0, n.position);
  const std::size_t start = here();
  statement(*n.kids[1], -1);
  patch_all(state_->loops.back().continues);
  const std::size_t cost = std::max<std::size_t>(1, std::min<std::size_t>((here() - start) / 2, 0xffff));
  if (endless) {
    emit(Op::loop, 0, 0, static_cast<int>(cost), static_cast<std::int64_t>(start), n.position);
  } else {
    patch(entry);
    jump_on(*n.kids[0], false, out);
    emit(Op::loop, 0, 0, static_cast<int>(cost), static_cast<std::int64_t>(start), n.position);
    patch_all(out);
  }
  finish_loop();
}

void Compiler::do_loop(const Node& n, int target) {
  begin_loop(target);
  const std::size_t start = here();
  statement(*n.kids[0], -1);
  patch_all(state_->loops.back().continues);
  Jumps out;
  jump_on(*n.kids[1], n.flag, out);
  end_loop(start, n.position);
  patch_all(out);
  finish_loop();
}

// The register that a round's value goes to: the variable's own, or one from which it is stored.
void Compiler::loop_variable(const Node& n, Variable& v, int& direct) {
  v.reg = allocate();
  emit(Op::load_unit, v.reg, 0, 0, 0, n.position);
  direct = is_plain(v) ? v.reg : allocate();
}

void Compiler::for_loop(const Node& n, int target) {
  const Node& list = *n.kids[0];
  const int saved = state_->next;
  const int mark = begin_scope();
  const bool range =
      list.kind == NodeKind::binary && (list.op == Tok::range || list.op == Tok::range_inclusive);
  if (range) {
    for_range(n, target);
  } else {
    for_items(n, target);
  }
  end_scope(mark, saved);
}

void Compiler::for_range(const Node& n, int target) {
  const Node& list = *n.kids[0];
  const int bounds = allocate(2);
  const int inclusive = list.op == Tok::range_inclusive ? 1 : 0;
  expression(*list.kids[0], bounds);
  expression(*list.kids[1], bounds + 1);
  emit(Op::range_start, bounds, 0, inclusive, 0, list.position);
  for_body(n, target, Op::range_next, bounds, inclusive);
}

void Compiler::for_body(const Node& n, int target, Op advance, int source, int inclusive) {
  int counter = -1;
  if (n.second != nullptr) {
    counter = allocate();
    emit(Op::load_int, counter, 0, 0, -1, n.position);
    n.second->reg = allocate();
    emit(Op::load_unit, n.second->reg, 0, 0, 0, n.position);
  }
  int direct = 0;
  loop_variable(n, *n.variable, direct);
  begin_loop(target);
  const std::size_t entry = emit(Op::jump, 0, 0, 0, 0, n.position);
  const std::size_t start = here();
  if (direct != n.variable->reg) emit(Op::store_loop, n.variable->reg, direct, 0, 0, n.position);
  if (counter >= 0) {
    emit(Op::add_k, counter, counter, constant(Value::integer(1)), 0, n.position);
    emit(Op::store_loop, n.second->reg, counter, 0, 0, n.position);
  }
  statement(*n.kids[1], -1);
  patch_all(state_->loops.back().continues);
  patch(entry);
  const std::size_t next = emit(advance, source, direct, inclusive, 0, n.position);
  end_loop(start, n.position);
  patch(next);
  finish_loop();
}

void Compiler::for_items(const Node& n, int target) {
  const int items = allocate(2);
  expression(*n.kids[0], items);
  emit(Op::iterate, items, 0, 0, 0, n.kids[0]->position);
  for_body(n, target, Op::iterate_next, items, 0);
}

void Compiler::switch_case(const Node& n, int target) {
  const SwitchAst& cases = *n.cases;
  const int item = allocate(2);
  expression(*n.kids[0], item);
  emit(Op::load_int, item + 1, 0, 0, 0, n.position);
  std::vector<SwitchTable>& tables = state_->function->switches;
  const std::size_t index = tables.size();
  tables.emplace_back();
  const std::size_t start = here();
  emit(Op::select_case, item, 0, 0, static_cast<std::int64_t>(index), n.position);
  SwitchTable table;
  std::vector<SwitchTable::Entry> entries(cases.arms.size());
  Jumps ends;
  for (std::size_t i = 0; i < cases.arms.size(); ++i) {
    const SwitchArm& arm = cases.arms[i];
    entries[i].condition = -1;
    if (arm.condition != nullptr) {
      table.has_conditions = true;
      entries[i].condition = static_cast<std::int32_t>(here());
      Jumps no;
      jump_on(*arm.condition, false, no);
      const std::size_t yes = emit(Op::jump, 0, 0, 0, 0, n.position);
      patch_all(no);
      // The switch goes on behind the case that it found.
      emit(Op::jump, 0, 0, 0, static_cast<std::int64_t>(start), n.position);
      patch(yes);
    }
    entries[i].arm = static_cast<std::int32_t>(here());
    const int saved = state_->next;
    const int mark = begin_scope();
    ++state_->block_depth;
    statement(*arm.action, target);
    --state_->block_depth;
    end_scope(mark, saved);
    ends.push_back(emit(Op::jump, 0, 0, 0, 0, n.position));
  }
  table.otherwise = cases.default_arm >= 0 ? entries[static_cast<std::size_t>(cases.default_arm)].arm
                                           : static_cast<std::int32_t>(here());
  if (cases.default_arm < 0 && target >= 0) emit(Op::load_unit, target, 0, 0, 0, n.position);
  patch_all(ends);
  for (const SwitchAst::Case& c : cases.cases) {
    const auto at = static_cast<std::uint32_t>(table.cases.size());
    if (c.value.is_int()) table.integers.try_emplace(c.value.as_int(), at);
    table.cases.push_back({c.value, entries[c.arm]});
    if (c.value.is_string()) {
      const std::string& text = table.cases.back().value.text();
      table.strings.try_emplace(text, at);
      table.longest_text = std::max(table.longest_text, text.size());
    }
  }
  for (const SwitchAst::Range& r : cases.ranges) {
    table.ranges.push_back({r.from, r.to, r.inclusive, entries[r.arm]});
  }
  state_->function->switches[index] = std::move(table);
}

void Compiler::try_catch(const Node& n, int target) {
  TryRegion region;
  const int mark = begin_scope();
  region.dynamic = mark;
  region.begin = static_cast<std::int32_t>(here());
  statement(*n.kids[0], -1);
  region.end = static_cast<std::int32_t>(here());
  const std::size_t end = emit(Op::jump, 0, 0, 0, 0, n.position);
  region.handler = static_cast<std::int32_t>(here());
  const int saved = state_->next;
  if (n.variable != nullptr) {
    n.variable->reg = allocate();
    region.variable = n.variable->reg;
  }
  // Inner regions come first: the machine takes the first that fits.
  state_->function->tries.push_back(region);
  statement(*n.kids[1], -1);
  if (n.variable != nullptr) emit(Op::drop, n.variable->reg, n.variable->reg + 1, 0, 0, n.position);
  release_to(saved);
  patch(end);
  if (target >= 0) emit(Op::load_unit, target, 0, 0, 0, n.position);
}

void Compiler::jump(const Node& n) {
  // The parser allows these only within a loop of the same function.
  const bool leaves = n.kind == NodeKind::break_loop;
  const int target = state_->loops.back().target;
  const int mark = state_->loops.back().dynamic_mark;
  if (leaves && !n.kids.empty()) {
    if (target >= 0) {
      expression(*n.kids[0], target);
    } else {
      statement(*n.kids[0], -1);
    }
  }
  if (mark >= 0) emit(Op::dynamic_rewind, mark, 0, 0, 0, n.position);
  const std::size_t at = emit(Op::jump, 0, 0, 0, 0, n.position);
  (leaves ? state_->loops.back().breaks : state_->loops.back().continues).push_back(at);
}

void Compiler::returns(const Node& n) {
  if (n.kids.empty()) {
    if (n.kind == NodeKind::throw_value) {
      const int unit = allocate();
      emit(Op::load_unit, unit, 0, 0, 0, n.position);
      emit(Op::throw_value, unit, 0, 0, 0, n.position);
    } else {
      emit(Op::return_unit, 0, 0, 0, 0, n.position);
    }
    return;
  }
  const int value = operand(*n.kids[0]);
  emit(n.kind == NodeKind::throw_value ? Op::throw_value : Op::return_value, value, 0, 0, 0, n.position);
}

// The last thing that a function does: its value is what it returns.
void Compiler::tail(const Node& n) {
  switch (n.kind) {
    case NodeKind::block: {
      if (n.kids.empty()) {
        emit(Op::return_unit, 0, 0, 0, 0, n.position);
        return;
      }
      const int saved = state_->next;
      for (std::size_t i = 0; i + 1 < n.kids.size(); ++i) statement(*n.kids[i], -1);
      tail(*n.kids.back());
      release_to(saved);
      return;
    }
    case NodeKind::if_else: {
      Jumps otherwise;
      jump_on(*n.kids[0], false, otherwise);
      tail(*n.kids[1]);
      patch_all(otherwise);
      if (n.kids.size() > 2) {
        tail(*n.kids[2]);
      } else {
        emit(Op::return_unit, 0, 0, 0, 0, n.position);
      }
      return;
    }
    case NodeKind::logical_and:
    case NodeKind::logical_or: {
      Jumps no;
      jump_on(n, false, no);
      emit(Op::return_bool, 0, 1, 0, 0, n.position);
      patch_all(no);
      emit(Op::return_bool, 0, 0, 0, 0, n.position);
      return;
    }
    default: break;
  }
  if (n.kind <= NodeKind::closure) {
    const int saved = state_->next;
    const int value = operand(n);
    emit(Op::return_value, value, 0, 0, 0, n.position);
    release_to(saved);
    return;
  }
  const int value = allocate();
  emit(Op::load_unit, value, 0, 0, 0, n.position);
  statement(n, value);
  emit(Op::return_value, value, 0, 0, 0, n.position);
}

}  // namespace rbee::rhai
