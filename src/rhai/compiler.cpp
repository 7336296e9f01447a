#include "rhai/compiler.h"

#include <algorithm>

namespace rbee::rhai {

namespace {
constexpr int register_max = 0xffff - 8;
// Most functions are shorter.
constexpr std::size_t code_reserve = 32;
}  // namespace

Compiler::Compiler(Program& program, const Registry& registry, const Limits& limits, const Program* base)
    : program_(program), registry_(registry), limits_(limits), base_(base) {
  texts_.reserve(64);
  for (std::size_t i = 0; i < program.global_names.size(); ++i) {
    globals_.emplace(program.global_names[i], static_cast<int>(i));
  }
}

bool Compiler::compile(Ast& ast) {
  ast_ = &ast;
  if (base_ == nullptr) {
    for (const FunctionAst* named : ast.named) {
      auto* f = new Function;
      f->program_id = program_.id;
      f->name = interned(named->name);
      f->this_type = named->this_type;
      f->is_private = named->is_private;
      f->position = named->position;
      f->parameters = static_cast<std::uint16_t>(named->parameters.size());
      program_.functions.push_back(f);
    }
    base_ = &program_;
  }
  for (std::size_t i = 0; i < ast.named.size(); ++i) {
    State state;
    state.function = program_.functions[i];
    state.function->code.reserve(code_reserve);
    state.ast = ast.named[i];
    state_ = &state;
    parameters(*ast.named[i]);
    tail(*ast.named[i]->body);
    state.function->cost = 1 + static_cast<std::uint32_t>(state.function->code.size() / 4);
  }
  program_.main = function(*ast.main, true);
  return !too_large_;
}

Function* Compiler::function(FunctionAst& ast, bool is_main) {
  State* outer = state_;
  State state;
  state.function = new Function;
  state.function->code.reserve(code_reserve);
  state.ast = &ast;
  state_ = &state;
  Function* f = state.function;
  f->is_closure = ast.is_closure;
  f->position = ast.position;
  f->name = interned(ast.is_closure ? "anon$" : "");
  f->captured = static_cast<std::uint16_t>(ast.captures.size());
  for (const Capture& capture : ast.captures) capture.inner->reg = allocate();
  parameters(ast);
  if (is_main) {
    const int result = allocate();
    block_statements(*ast.body, result);
    for (const Variable* v : ast.scope) {
      if (v->reg < 0 || v->is_outer || v->is_by_name) continue;
      f->at_end.push_back({interned(v->name), static_cast<std::uint16_t>(v->reg), v->is_constant, false});
    }
    emit(Op::return_value, result, 0, 0, 0, ast.body->position);
  } else {
    tail(*ast.body);
  }
  f->parameters = static_cast<std::uint16_t>(ast.captures.size() + ast.parameters.size());
  f->cost = 1 + static_cast<std::uint32_t>(f->code.size() / 4);
  state_ = outer;
  return f;
}

void Compiler::parameters(FunctionAst& ast) {
  for (Variable* parameter : ast.parameters) {
    parameter->reg = allocate();
    state_->function->parameter_names.push_back(interned(parameter->name));
  }
}

std::size_t Compiler::emit(Op op, int a, int b, int c, std::int64_t d, Position place) {
  const auto small = [](int n) { return static_cast<std::uint16_t>(n); };
  state_->function->code.push_back(
      {op, small(a), small(b), small(c), static_cast<std::int32_t>(d), pack(place)});
  return here() - 1;
}

int Compiler::allocate(int count) {
  const int first = state_->next;
  state_->next += count;
  if (state_->next > register_max) {
    too_large_ = true;
    state_->next = first;
    return 0;
  }
  std::uint16_t& most = state_->function->registers;
  most = std::max(most, static_cast<std::uint16_t>(state_->next));
  return first;
}

Compiler::Text& Compiler::text(std::string_view text) {
  const auto found = texts_.find(text);
  if (found != texts_.end()) return found->second;
  Value value = Value::string(text);
  (void)value.string_object().is_ascii();
  const std::string_view own = value.text();
  return texts_.emplace(own, Text{.value = std::move(value)}).first->second;
}

int Compiler::constant(Value value) {
  std::vector<Value>& constants = state_->function->constants;
  if (value.is_int()) {
    const auto [at, added] = state_->integers.try_emplace(value.as_int(), static_cast<int>(constants.size()));
    if (!added) return at->second;
  }
  constants.push_back(std::move(value));
  return static_cast<int>(constants.size()) - 1;
}

int Compiler::string_constant(std::string_view text) {
  Text& known = this->text(text);
  if (known.function == state_->function) return known.constant;
  known.constant = constant(known.value);
  known.function = state_->function;
  return known.constant;
}

// Whether the node is a literal that an operator can take as its right side.
bool Compiler::constant_operand(const Node& n, int& index) {
  switch (n.kind) {
    case NodeKind::string: index = string_constant(n.text); break;
    case NodeKind::unit:
    case NodeKind::boolean:
    case NodeKind::integer:
    case NodeKind::floating:
    case NodeKind::character: {
      Value value;
      (void)literal_value(n, value);
      index = constant(std::move(value));
      break;
    }
    default: return false;
  }
  return index <= 0xffff;
}

const NativeSet* Compiler::getter(std::string_view property) {
  Text& known = text(property);
  if (!known.getter_known) known.getter = registry_.find_getter(property);
  known.getter_known = true;
  return known.getter;
}

int Compiler::hint(std::string_view property) {
  std::vector<std::uint32_t>& hints = state_->function->hints;
  std::vector<const NativeSet*>& getters = state_->function->getters;
  if (hints.size() == 0xffff) {
    too_large_ = true;
    return 0;
  }
  hints.push_back(0);
  getters.push_back(getter(property));
  return static_cast<int>(hints.size()) - 1;
}

bool Compiler::is_plain(const Variable& v) const {
  return !v.is_captured && !v.is_outer && !v.is_by_name && !is_dynamic();
}

void Compiler::fail_with(ErrorKind kind, std::string_view subject, Position place) {
  emit(Op::fail, 0, static_cast<int>(kind), 0, string_constant(subject), place);
}

bool assignment_operator(Tok op, Tok& plain) {
  switch (op) {
    case Tok::plus_assign: plain = Tok::plus; return true;
    case Tok::minus_assign: plain = Tok::minus; return true;
    case Tok::multiply_assign: plain = Tok::multiply; return true;
    case Tok::divide_assign: plain = Tok::divide; return true;
    case Tok::modulo_assign: plain = Tok::modulo; return true;
    case Tok::power_assign: plain = Tok::power; return true;
    case Tok::shift_left_assign: plain = Tok::shift_left; return true;
    case Tok::shift_right_assign: plain = Tok::shift_right; return true;
    case Tok::and_assign: plain = Tok::ampersand; return true;
    case Tok::or_assign: plain = Tok::pipe; return true;
    case Tok::xor_assign: plain = Tok::caret; return true;
    default: return false;
  }
}

}  // namespace rbee::rhai
