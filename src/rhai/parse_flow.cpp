// Branches, loops, switch and try.
#include "rhai/parser.h"

#include "base/text.h"

namespace rbee::rhai {

Node* Parser::if_statement(Context context) {
  if (!up_at(context, lexer_.next().position)) return nullptr;
  Node* n = node(NodeKind::if_else, context.position);
  Node* test = condition(context);
  if (test == nullptr) return nullptr;
  Node* then = block(context);
  if (then == nullptr) return nullptr;
  n->kids = {test, then};
  n->effects = true;
  if (accept(Tok::kw_else)) {
    Node* other = lexer_.peek().kind == Tok::kw_if ? if_statement(context) : block(context);
    if (other == nullptr) return nullptr;
    n->kids.push_back(other);
  }
  return n;
}

Node* Parser::while_statement(Context context) {
  if (!up(context)) return nullptr;
  const Token word = lexer_.next();
  Node* n = node(NodeKind::while_loop, word.position);
  Node* test = nullptr;
  if (word.kind == Tok::kw_while) {
    test = condition(context);
    if (test == nullptr) return nullptr;
  }
  context.position = word.position;
  context.in_loop = true;
  Node* body = block(context);
  if (body == nullptr) return nullptr;
  n->kids = {test, body};
  n->effects = true;
  return n;
}

Node* Parser::do_statement(Context context) {
  if (!up_at(context, lexer_.next().position)) return nullptr;
  Node* n = node(NodeKind::do_loop, context.position);
  Context inner = context;
  inner.in_loop = true;
  Node* body = block(inner);
  if (body == nullptr) return nullptr;
  const Token word = lexer_.next();
  if (word.kind != Tok::kw_while && word.kind != Tok::kw_until) {
    return missing("while", "for the do statement", word.position);
  }
  n->flag = word.kind == Tok::kw_until;
  Node* test = condition(context);
  if (test == nullptr) return nullptr;
  n->kids = {body, test};
  n->effects = true;
  return n;
}

bool Parser::for_variables(std::string_view& name, std::string_view& counter) {
  Position at;
  if (!accept(Tok::left_paren)) return variable_name(name, at);
  if (!variable_name(name, at)) return false;
  if (!accept(Tok::comma, &at)) return missing(",", "after the iteration variable name", at) != nullptr;
  if (!variable_name(counter, at)) return false;
  if (counter == name) return fail("DuplicatedVariable", cat("Duplicated variable name: ", counter), at);
  if (!accept(Tok::right_paren, &at)) return missing(")", "to close the iteration variable", at) != nullptr;
  return true;
}

namespace {
std::string_view not_iterable(const Node& n) {
  switch (n.kind) {
    case NodeKind::boolean:
    case NodeKind::logical_and:
    case NodeKind::logical_or: return "a boolean";
    case NodeKind::integer: return "a number";
    case NodeKind::floating: return "a floating-point number";
    case NodeKind::character: return "a character";
    case NodeKind::map: return "an object map";
    default: return {};
  }
}
}  // namespace

Node* Parser::for_statement(Context context) {
  if (!up_at(context, lexer_.next().position)) return nullptr;
  Node* n = node(NodeKind::for_loop, context.position);
  std::string_view name;
  std::string_view counter;
  if (!for_variables(name, counter)) return nullptr;
  const Token word = lexer_.next();
  if (word.kind == Tok::error) return token_error(word);
  if (word.kind != Tok::kw_in) return missing("in", "after the iteration variable", word.position);
  if (lexer_.peek().kind == Tok::left_brace) {
    return error_at("ExprExpected", "Expecting a boolean expression", lexer_.peek().position);
  }
  Node* list = expression(context);
  if (list == nullptr) return nullptr;
  if (const std::string_view found = not_iterable(*list); !found.empty()) {
    return error_at("MismatchedType", cat("Expecting an iterable value, not ", found), start_of(*list));
  }
  const std::size_t scope_size = function_->scope.size();
  const std::size_t block_start = function_->block_start;
  function_->block_start = scope_size;
  if (!counter.empty()) n->second = declare(counter, false);
  n->variable = declare(name, false);
  context.in_loop = true;
  Node* body = block(context);
  function_->scope.resize(scope_size);
  function_->block_start = block_start;
  if (body == nullptr) return nullptr;
  n->kids = {list, body};
  n->effects = true;
  return n;
}

bool Parser::switch_patterns(Context context, std::vector<Node*>& patterns, Node*& guard) {
  for (;;) {
    const bool before = no_pipe_;
    no_pipe_ = true;
    Node* pattern = expression(context);
    no_pipe_ = before;
    if (pattern == nullptr) {
      error_.parse_kind = "ExprExpected";
      error_.subject = "Expecting literal expression";
      return false;
    }
    patterns.push_back(pattern);
    if (!accept(Tok::pipe)) break;
  }
  if (!accept(Tok::kw_if)) return true;
  guard = condition(context);
  return guard != nullptr;
}

bool Parser::add_case(SwitchAst& cases, const Node& pattern, std::size_t arm) {
  Value value;
  if (!literal_value(pattern, value)) {
    return fail("ExprExpected", "Expecting a literal expression", start_of(pattern));
  }
  if (value.is(Type::range) || value.is(Type::range_inclusive)) {
    const RangeObject& range = value.range_object();
    const bool inclusive = value.is(Type::range_inclusive);
    if (inclusive ? range.from <= range.to : range.from < range.to) {
      cases.ranges.push_back({range.from, range.to, inclusive, arm});
    }
    return true;
  }
  if (!cases.ranges.empty() && (value.is_int() || value.is_float())) {
    return fail("WrongSwitchIntegerCase", "Numeric switch case cannot follow a range case",
                start_of(pattern));
  }
  cases.cases.push_back({std::move(value), arm});
  return true;
}

// NOLINTNEXTLINE(readability-function-cognitive-complexity): one production of the grammar
Node* Parser::switch_statement(Context context) {
  if (!up_at(context, lexer_.next().position)) return nullptr;
  Node* n = node(NodeKind::switch_case, context.position);
  Node* item = expression(context);
  if (item == nullptr) return nullptr;
  n->kids.push_back(item);
  n->cases = std::make_unique<SwitchAst>();
  const Token open = lexer_.next();
  if (open.kind == Tok::error) return token_error(open);
  if (open.kind != Tok::left_brace) return missing("{", "to start a switch block", open.position);
  Position default_at;
  for (;;) {
    if (accept(Tok::right_brace)) break;
    const Token first = lexer_.peek();
    if (first.kind == Tok::end) return missing("}", "to end this switch block", first.position);
    std::vector<Node*> patterns;
    SwitchArm arm;
    if (n->cases->default_arm >= 0) {
      return error_at("WrongSwitchDefaultCase", "Default switch case must be the last", default_at);
    }
    if (first.kind == Tok::underscore) {
      default_at = lexer_.next().position;
      Position guard_at;
      if (accept(Tok::kw_if, &guard_at)) {
        return error_at("WrongSwitchCaseCondition", "This switch case cannot have a condition", guard_at);
      }
    } else if (!switch_patterns(context, patterns, arm.condition)) {
      return nullptr;
    }
    const Token arrow = lexer_.next();
    if (arrow.kind == Tok::error) return token_error(arrow);
    if (arrow.kind != Tok::double_arrow) return missing("=>", "in this switch case", arrow.position);
    bool self_terminated = false;
    Context inner = context;
    inner.global = false;
    const std::size_t scope_size = function_->scope.size();
    arm.action = statement(inner, self_terminated);
    if (arm.action == nullptr) return nullptr;
    function_->scope.resize(std::min(scope_size, function_->scope.size()));
    const std::size_t index = n->cases->arms.size();
    n->cases->arms.push_back(arm);
    if (patterns.empty()) n->cases->default_arm = static_cast<std::ptrdiff_t>(index);
    for (const Node* pattern : patterns) {
      if (!add_case(*n->cases, *pattern, index)) return nullptr;
    }
    const Token after = lexer_.peek();
    if (after.kind == Tok::comma) {
      (void)lexer_.next();
    } else if (after.kind == Tok::end) {
      return missing(")", "to end this switch block", after.position);
    } else if (after.kind == Tok::error) {
      return token_error(after);
    } else if (after.kind != Tok::right_brace && !self_terminated) {
      return missing(",", "to separate the items in this switch block", after.position);
    }
  }
  n->effects = true;
  return n;
}

Node* Parser::try_statement(Context context) {
  if (!up_at(context, lexer_.next().position)) return nullptr;
  Node* n = node(NodeKind::try_catch, context.position);
  n->effects = true;
  Node* body = block(context);
  if (body == nullptr) return nullptr;
  Position at;
  if (!accept(Tok::kw_catch, &at)) return missing("catch", "for the 'try' statement", at);
  const std::size_t scope_size = function_->scope.size();
  const std::size_t block_start = function_->block_start;
  function_->block_start = scope_size;
  if (accept(Tok::left_paren)) {
    std::string_view name;
    if (!variable_name(name, at)) return nullptr;
    if (!accept(Tok::right_paren, &at)) return missing(")", "to enclose the catch variable", at);
    n->variable = declare(name, false);
  }
  Node* handler = block(context);
  function_->scope.resize(scope_size);
  function_->block_start = block_start;
  if (handler == nullptr) return nullptr;
  n->kids = {body, handler};
  return n;
}

}  // namespace rbee::rhai
