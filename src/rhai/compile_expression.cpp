// Expressions without calls and chains.
#include "rhai/compiler.h"

#include <algorithm>
#include <numeric>

namespace rbee::rhai {

namespace {
bool binary_op(Tok op, Op& plain, Op& with_constant) {
  switch (op) {
    case Tok::plus:
      plain = Op::add;
      with_constant = Op::add_k;
      return true;
    case Tok::minus:
      plain = Op::sub;
      with_constant = Op::sub_k;
      return true;
    case Tok::multiply:
      plain = Op::mul;
      with_constant = Op::mul_k;
      return true;
    case Tok::divide:
      plain = Op::div;
      with_constant = Op::div_k;
      return true;
    case Tok::modulo:
      plain = Op::mod;
      with_constant = Op::mod_k;
      return true;
    default: return false;
  }
}

// eq and jump_eq and their constant forms lie in the same order.
bool comparison_index(Tok op, int& index) {
  switch (op) {
    case Tok::equal_to: index = 0; return true;
    case Tok::not_equal: index = 1; return true;
    case Tok::less: index = 2; return true;
    case Tok::less_equal: index = 3; return true;
    case Tok::greater: index = 4; return true;
    case Tok::greater_equal: index = 5; return true;
    default: return false;
  }
}

Op nth(Op first, int index) { return static_cast<Op>(static_cast<int>(first) + index); }

// Its value needs no registers of its own beyond the target, which is written last.
bool writes_target_last(const Node& n) {
  switch (n.kind) {
    case NodeKind::unit:
    case NodeKind::boolean:
    case NodeKind::integer:
    case NodeKind::floating:
    case NodeKind::character:
    case NodeKind::string:
    case NodeKind::variable:
    case NodeKind::this_value:
    case NodeKind::array:
    case NodeKind::map:
    case NodeKind::interpolated:
    case NodeKind::binary:
    case NodeKind::contains:
    case NodeKind::unary:
    case NodeKind::call:
    case NodeKind::closure: return true;
    default: return false;
  }
}
}  // namespace

int Compiler::operand(const Node& n) {
  if (n.kind == NodeKind::variable && n.variable != nullptr && n.space.empty() && is_plain(*n.variable)) {
    return n.variable->reg;
  }
  const int target = allocate();
  expression(n, target);
  return target;
}

// An operand that stays what it is while `later` is evaluated.
int Compiler::operand_before(const Node& n, const Node& later) {
  if (!later.effects) return operand(n);
  const int target = allocate();
  expression(n, target);
  return target;
}

void Compiler::expression(const Node& n, int target) {
  const int saved = state_->next;
  switch (n.kind) {
    case NodeKind::unit:
    case NodeKind::boolean:
    case NodeKind::integer:
    case NodeKind::floating:
    case NodeKind::character:
    case NodeKind::string: literal(n, target); break;
    case NodeKind::interpolated: interpolated(n, target); break;
    case NodeKind::array: array(n, target); break;
    case NodeKind::map: map(n, target); break;
    case NodeKind::variable: variable(n, target); break;
    case NodeKind::this_value: emit(Op::load_this, target, 0, 0, 0, n.position); break;
    case NodeKind::call: call(n, target); break;
    case NodeKind::chain: chain(n, target); break;
    case NodeKind::unary: unary(n, target); break;
    case NodeKind::binary: binary(n, target); break;
    case NodeKind::contains: {
      // `item in container` is contains(container, item): also the order of evaluation.
      const std::int32_t own = base_->find("contains", 2);
      if (own >= 0) {
        const int base = allocate(2);
        expression(*n.kids[1], base);
        expression(*n.kids[0], base + 1);
        emit(Op::call, base, 2, 0, own, n.position);
        emit(Op::move, target, base, 1, 0, n.position);
      } else {
        const int container = operand_before(*n.kids[1], *n.kids[0]);
        const int item = operand(*n.kids[0]);
        emit(Op::contains, target, container, item, 0, n.position);
      }
      if (n.flag) emit(Op::invert, target, target, 0, 0, n.position);
      break;
    }
    case NodeKind::logical_and:
    case NodeKind::logical_or: logical(n, target); break;
    case NodeKind::coalesce: coalesce(n, target); break;
    case NodeKind::closure: closure(n, target); break;
    default: statement(n, target); break;
  }
  release_to(saved);
}

void Compiler::literal(const Node& n, int target) {
  switch (n.kind) {
    case NodeKind::unit: emit(Op::load_unit, target, 0, 0, 0, n.position); break;
    case NodeKind::boolean: emit(Op::load_bool, target, n.integer != 0 ? 1 : 0, 0, 0, n.position); break;
    case NodeKind::integer:
      if (n.integer >= INT32_MIN && n.integer <= INT32_MAX) {
        emit(Op::load_int, target, 0, 0, n.integer, n.position);
        break;
      }
      [[fallthrough]];
    default: {
      int index = 0;
      if (n.kind == NodeKind::string) {
        index = string_constant(n.text);
      } else {
        Value value;
        (void)literal_value(n, value);
        index = constant(std::move(value));
      }
      emit(Op::load_const, target, 0, 0, index, n.position);
    }
  }
}

void Compiler::load_variable(const Variable& v, int target, Position place) {
  if (v.is_by_name || is_dynamic()) {
    // An eval() may have put another variable of that name before this one.
    if (v.is_by_name || v.is_outer) {
      emit(Op::load_dynamic, target, 0, 0, string_constant(v.name), place);
    } else {
      emit(Op::load_var, target, v.reg, 2, string_constant(v.name), place);
    }
  } else if (v.is_outer) {
    emit(Op::load_dynamic, target, 0, 0, string_constant(v.name), place);
  } else if (v.is_captured) {
    emit(Op::load_var, target, v.reg, 0, string_constant(v.name), place);
  } else if (v.reg != target) {
    emit(Op::move, target, v.reg, 0, 0, place);
  }
}

void Compiler::variable(const Node& n, int target) {
  if (n.space == "global") {
    const auto [at, added] = globals_.try_emplace(n.text, static_cast<int>(program_.global_names.size()));
    if (added) program_.global_names.emplace_back(n.text);
    emit(Op::load_global, target, at->second, 0, string_constant(n.text), n.position);
    return;
  }
  if (!n.space.empty()) {
    fail_with(ErrorKind::module_not_found, n.space, n.position);
    return;
  }
  if (n.variable == nullptr) {
    emit(Op::load_dynamic, target, 0, 0, string_constant(n.text), n.position);
    return;
  }
  load_variable(*n.variable, target, n.position);
}

void Compiler::unary(const Node& n, int target) {
  const int value = operand(*n.kids[0]);
  const Op op = n.op == Tok::minus ? Op::negate : n.op == Tok::plus ? Op::plus : Op::invert;
  emit(op, target, value, 0, 0, n.position);
}

void Compiler::binary(const Node& n, int target) {
  if (n.op == Tok::range || n.op == Tok::range_inclusive) {
    range(n, target);
    return;
  }
  int index = 0;
  if (comparison_index(n.op, index)) {
    comparison(nth(Op::eq, index), n, target);
    return;
  }
  const int left = operand_before(*n.kids[0], *n.kids[1]);
  Op plain = Op::add;
  Op with_constant = Op::add_k;
  if (!binary_op(n.op, plain, with_constant)) {
    const int right = operand(*n.kids[1]);
    emit(Op::binary, target, left, right, static_cast<int>(n.op), n.position);
    return;
  }
  if (constant_operand(*n.kids[1], index)) {
    emit(with_constant, target, left, index, 0, n.position);
    return;
  }
  const int right = operand(*n.kids[1]);
  emit(plain, target, left, right, 0, n.position);
}

void Compiler::comparison(Op op, const Node& n, int target) {
  const int left = operand_before(*n.kids[0], *n.kids[1]);
  int index = 0;
  if (constant_operand(*n.kids[1], index)) {
    emit(nth(op, 6), target, left, index, 0, n.position);
    return;
  }
  const int right = operand(*n.kids[1]);
  emit(op, target, left, right, 0, n.position);
}

void Compiler::range(const Node& n, int target) {
  const int left = operand_before(*n.kids[0], *n.kids[1]);
  const int right = operand(*n.kids[1]);
  emit(Op::make_range, target, left, right, n.op == Tok::range_inclusive ? 1 : 0, n.position);
}

bool Compiler::jump_on_comparison(const Node& n, bool sense, Jumps& jumps) {
  int index = 0;
  if (n.kind != NodeKind::binary || !comparison_index(n.op, index)) return false;
  const int saved = state_->next;
  const int left = operand_before(*n.kids[0], *n.kids[1]);
  int right = 0;
  const bool is_constant = constant_operand(*n.kids[1], right);
  if (!is_constant) right = operand(*n.kids[1]);
  const Op op = nth(is_constant ? Op::jump_eq_k : Op::jump_eq, index);
  jumps.push_back(emit(op, sense ? 1 : 0, left, right, 0, n.position));
  if (is_constant && n.kids[0]->kind == NodeKind::chain) fuse_property(1, left, nth(Op::property_eq, index));
  release_to(saved);
  return true;
}

// Where what the jump tests is a property that was read just before, and nobody else wants it, the reading
// becomes one that does not copy. `back` is how many instructions before the jump that is.
void Compiler::fuse_property(std::size_t back, int reg, Op fused) {
  std::vector<Instruction>& code = state_->function->code;
  if (code.size() < back + 1) return;
  Instruction& reads = code[code.size() - 1 - back];
  if (reads.op == Op::get_property && reads.a == reg) reads.op = fused;
}

// Jumps where the condition has that value, and goes on behind where it has the other.
void Compiler::jump_on(const Node& n, bool sense, Jumps& jumps) {
  switch (n.kind) {
    case NodeKind::boolean:
      if ((n.integer != 0) == sense) jumps.push_back(emit(Op::jump, 0, 0, 0, 0, n.position));
      return;
    case NodeKind::logical_and:
    case NodeKind::logical_or: {
      const bool decides = n.kind == NodeKind::logical_or;  // the value that ends it early
      if (sense == decides) {
        for (const Node* kid : n.kids) jump_on(*kid, sense, jumps);
        return;
      }
      Jumps skip;
      for (std::size_t i = 0; i + 1 < n.kids.size(); ++i) jump_on(*n.kids[i], decides, skip);
      jump_on(*n.kids.back(), sense, jumps);
      patch_all(skip);
      return;
    }
    case NodeKind::unary:
      if (n.op == Tok::bang) {
        const NodeKind inner = n.kids[0]->kind;
        int index = 0;
        const bool boolean = inner == NodeKind::logical_and || inner == NodeKind::logical_or ||
                             inner == NodeKind::boolean ||
                             (inner == NodeKind::binary && comparison_index(n.kids[0]->op, index));
        if (boolean) {
          jump_on(*n.kids[0], !sense, jumps);
          return;
        }
      }
      break;
    default: break;
  }
  if (jump_on_comparison(n, sense, jumps)) return;
  const int saved = state_->next;
  const int value = operand(n);
  jumps.push_back(emit(Op::jump_if, value, sense ? 1 : 0, 0, 0, n.position));
  if (n.kind == NodeKind::chain) fuse_property(1, value, Op::property_if);
  if (n.kind == NodeKind::unary && n.op == Tok::bang && n.kids[0]->kind == NodeKind::chain) {
    fuse_property(2, state_->function->code[here() - 2].b, Op::property_unless);
  }
  release_to(saved);
}

void Compiler::logical(const Node& n, int target) {
  Jumps early;
  const bool decides = n.kind == NodeKind::logical_or;
  jump_on(n, decides, early);
  emit(Op::load_bool, target, decides ? 0 : 1, 0, 0, n.position);
  const std::size_t end = emit(Op::jump, 0, 0, 0, 0, n.position);
  patch_all(early);
  emit(Op::load_bool, target, decides ? 1 : 0, 0, 0, n.position);
  patch(end);
}

void Compiler::coalesce(const Node& n, int target) {
  Jumps found;
  for (std::size_t i = 0; i < n.kids.size(); ++i) {
    expression(*n.kids[i], target);
    if (i + 1 < n.kids.size()) found.push_back(emit(Op::jump_if_value, target, 0, 0, 0, n.position));
  }
  patch_all(found);
}

void Compiler::array(const Node& n, int target) {
  // One of literals alone is made once, and copied by whoever writes to it.
  Value whole;
  if (!n.kids.empty() && literal_value(n, whole)) {
    emit(Op::load_const, target, 0, 0, constant(std::move(whole)), n.position);
    return;
  }
  // Long literals are built in parts, so that they do not need a register for each item.
  constexpr std::size_t part = 64;
  const int whole_array = n.kids.size() > part ? allocate() : target;
  for (std::size_t begin = 0; begin == 0 || begin < n.kids.size(); begin += part) {
    const std::size_t count = std::min(part, n.kids.size() - begin);
    const int saved = state_->next;
    const int base = allocate(static_cast<int>(count));
    for (std::size_t i = 0; i < count; ++i) expression(*n.kids[begin + i], base + static_cast<int>(i));
    emit(begin == 0 ? Op::make_array : Op::extend_array, whole_array, base, static_cast<int>(count), 0,
         n.position);
    release_to(saved);
  }
  if (whole_array != target) {
    emit(Op::move, target, whole_array, 0, 0, n.position);
    emit(Op::drop, whole_array, whole_array + 1, 0, 0, n.position);
  }
}

void Compiler::map(const Node& n, int target) {
  MapTemplate form;
  std::vector<std::uint16_t> order(n.keys.size());
  std::iota(order.begin(), order.end(), std::uint16_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::uint16_t a, std::uint16_t b) { return n.keys[a] < n.keys[b]; });
  for (const std::uint16_t i : order) form.keys.push_back(interned(n.keys[i]));
  form.sources = std::move(order);
  std::vector<MapTemplate>& templates = state_->function->templates;
  templates.push_back(std::move(form));
  const std::size_t index = templates.size() - 1;
  const int base = allocate(static_cast<int>(n.kids.size()));
  for (std::size_t i = 0; i < n.kids.size(); ++i) expression(*n.kids[i], base + static_cast<int>(i));
  emit(Op::make_map, target, base, 0, static_cast<std::int64_t>(index), n.position);
}

void Compiler::interpolated(const Node& n, int target) {
  const int count = static_cast<int>(n.kids.size());
  const int base = allocate(count);
  for (int i = 0; i < count; ++i) {
    const Node& part = *n.kids[static_cast<std::size_t>(i)];
    if (part.kind == NodeKind::block && part.kids.empty()) {
      emit(Op::load_unit, base + i, 0, 0, 0, part.position);
    } else {
      expression(part, base + i);
    }
  }
  emit(Op::make_string, target, base, count, 0, n.position);
}

void Compiler::closure(const Node& n, int target) {
  FunctionAst& inner = *n.function;
  std::vector<CaptureSource> sources;
  for (const Capture& capture : inner.captures) {
    CaptureSource source;
    source.name = interned(capture.name);
    source.place = pack(capture.position);
    source.by_name = capture.outer == nullptr || capture.outer->is_outer || capture.outer->is_by_name;
    if (!source.by_name) source.reg = static_cast<std::uint16_t>(capture.outer->reg);
    sources.push_back(std::move(source));
  }
  Function* f = function(inner, false);
  f->program_id = program_.id;
  if (sources.empty()) {
    auto* pointer = new FunctionObject;
    pointer->name = f->name;
    pointer->closure = f;
    emit(Op::load_const, target, 0, 0, constant(Value::adopt(pointer)), n.position);
    return;
  }
  state_->function->closures.push_back(f);
  state_->function->closure_captures.push_back(std::move(sources));
  emit(Op::make_closure, target, 0, 0, static_cast<std::int64_t>(state_->function->closures.size()) - 1,
       n.position);
}

void Compiler::assign_variable(const Node& n, const Node& target) {
  Tok plain = Tok::end;
  const bool combined = assignment_operator(n.op, plain);
  const Node& value = *n.kids[1];
  const Variable* v = target.variable;
  if (v == nullptr || v->is_constant || !is_plain(*v)) {
    const int reg = operand(value);
    Path path = root_path(target);
    if (v != nullptr && v->is_captured && !combined && !v->is_constant && !is_dynamic() && !v->is_outer &&
        !v->is_by_name) {
      emit(Op::store_var, v->reg, reg, 0, string_constant(v->name), n.position);
      return;
    }
    emit(Op::store_path, reg, static_cast<int>(combined ? plain : Tok::equals), 0,
         static_cast<std::int64_t>(add_path(std::move(path))), combined ? n.position : target.position);
    return;
  }
  if (!combined) {
    if (writes_target_last(value)) {
      expression(value, v->reg);
      return;
    }
    const int reg = allocate();
    expression(value, reg);
    emit(Op::move, v->reg, reg, 1, 0, n.position);
    return;
  }
  Op op = Op::add;
  Op with_constant = Op::add_k;
  if (!binary_op(plain, op, with_constant)) {
    emit(Op::assign_op, v->reg, operand(value), 0, static_cast<int>(plain), n.position);
    return;
  }
  int index = 0;
  if (constant_operand(value, index)) {
    emit(with_constant, v->reg, v->reg, index, 1, n.position);
  } else {
    const int reg = operand(value);
    emit(op, v->reg, v->reg, reg, 1, n.position);
  }
}

}  // namespace rbee::rhai
