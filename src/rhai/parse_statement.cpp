// Statements: definitions, blocks, assignments.
#include "rhai/parser.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::rhai {

namespace {
bool is_assignment(Tok kind) {
  return kind == Tok::equals || (kind >= Tok::plus_assign && kind <= Tok::xor_assign);
}

// `Node` that stands for a statement which leaves nothing: `;` and definitions.
bool is_nothing(const Node& n) { return n.kind == NodeKind::unit && n.flag; }
}  // namespace

bool Parser::global_statements() {
  Context context;
  const auto cap = [](std::size_t n) {
    return n == 0 ? expression_depth_cap : std::min(n, expression_depth_cap);
  };
  context.level_max = cap(options_.limits.expression_depth);
  context.global = !options_.is_eval;
  context.position = {1, 1};
  Node* body = node(NodeKind::block, context.position);
  ast_.main->body = body;
  while (lexer_.peek().kind != Tok::end) {
    bool self_terminated = false;
    Node* n = statement(context, self_terminated);
    if (n == nullptr) return false;
    if (is_nothing(*n)) continue;
    body->kids.push_back(n);
    const Token token = lexer_.peek();
    if (token.kind == Tok::end) break;
    if (token.kind == Tok::semicolon) {
      if (!self_terminated) (void)lexer_.next();
      continue;
    }
    if (self_terminated) continue;
    if (token.kind == Tok::error) return token_error(token) != nullptr;
    return missing(";", "to terminate this statement", token.position) != nullptr;
  }
  return true;
}

Node* Parser::block(Context context) {
  const Token open = lexer_.next();
  if (open.kind == Tok::error) return token_error(open);
  if (open.kind != Tok::left_brace) return missing("{", "to start a statement block", open.position);
  if (!up_at(context, open.position)) return nullptr;
  Node* n = node(NodeKind::block, open.position);
  const std::size_t scope_size = function_->scope.size();
  const std::size_t block_start = function_->block_start;
  function_->block_start = scope_size;
  context.global = false;
  for (;;) {
    if (accept(Tok::right_brace)) break;
    if (lexer_.peek().kind == Tok::end) {
      return missing("}", "to terminate this block", lexer_.peek().position);
    }
    bool self_terminated = false;
    Node* inner = statement(context, self_terminated);
    if (inner == nullptr) return nullptr;
    if (is_nothing(*inner)) continue;
    n->kids.push_back(inner);
    const Token token = lexer_.peek();
    if (token.kind == Tok::right_brace) {
      (void)lexer_.next();
      break;
    }
    if (token.kind == Tok::semicolon) {
      (void)lexer_.next();
    } else if (!self_terminated) {
      if (token.kind == Tok::error) return token_error(token);
      return missing(";", "to terminate this statement", token.position);
    }
  }
  function_->scope.resize(scope_size);
  function_->block_start = block_start;
  n->effects = true;
  return n;
}

// NOLINTNEXTLINE(readability-function-cognitive-complexity): one production of the grammar
Node* Parser::statement(Context context, bool& self_terminated) {
  const Token token = lexer_.peek();
  context.position = token.position;
  self_terminated = false;
  const bool looping = options_.language.looping;
  const auto deeper = [&](Node* (Parser::*reader)(Context)) {
    return up(context) ? (this->*reader)(context) : nullptr;
  };
  const auto terminated = [&](Node* (Parser::*reader)(Context)) {
    self_terminated = true;
    return deeper(reader);
  };
  switch (token.kind) {
    case Tok::end:
    case Tok::semicolon: {
      if (token.kind == Tok::semicolon) (void)lexer_.next();
      Node* n = node(NodeKind::unit, token.position);
      n->flag = true;
      return n;
    }
    case Tok::left_brace: return terminated(&Parser::block);
    case Tok::kw_fn:
    case Tok::kw_private: {
      (void)lexer_.next();
      if (token.kind == Tok::kw_private) {
        const Token fn = lexer_.next();
        if (fn.kind != Tok::kw_fn) return missing("fn", "following 'private'", fn.position);
      }
      if (!function_definition(context, token.kind == Tok::kw_private, token.position)) return nullptr;
      Node* n = node(NodeKind::unit, token.position);
      n->flag = true;
      return n;
    }
    case Tok::kw_if: return terminated(&Parser::if_statement);
    case Tok::kw_switch: return terminated(&Parser::switch_statement);
    case Tok::kw_try: return terminated(&Parser::try_statement);
    case Tok::kw_while:
    case Tok::kw_loop:
      if (!looping) break;
      return terminated(&Parser::while_statement);
    case Tok::kw_for:
      if (!looping) break;
      return terminated(&Parser::for_statement);
    case Tok::kw_do:
      if (!looping) break;
      return deeper(&Parser::do_statement);
    case Tok::kw_break:
    case Tok::kw_continue:
      if (!looping) break;
      if (!context.in_loop) {
        return error_at("LoopBreak", "Break statement should only be used inside a loop", token.position);
      }
      return jump_statement(context,
                            token.kind == Tok::kw_break ? NodeKind::break_loop : NodeKind::continue_loop);
    case Tok::kw_return: return jump_statement(context, NodeKind::return_value);
    case Tok::kw_throw: return jump_statement(context, NodeKind::throw_value);
    case Tok::kw_let:
    case Tok::kw_const: return up(context) ? let_statement(context, token.kind == Tok::kw_const) : nullptr;
    case Tok::kw_import: return deeper(&Parser::import_statement);
    case Tok::kw_export:
      if (!context.global) {
        return error_at("WrongExport", "Export statement can only appear at global level", token.position);
      }
      return export_statement(context);
    default: break;
  }
  return deeper(&Parser::expression_statement);
}

// break, continue, return and throw, with the value that may follow.
Node* Parser::jump_statement(Context context, NodeKind kind) {
  Node* n = node(kind, lexer_.next().position);
  n->effects = true;
  if (kind == NodeKind::continue_loop) return n;
  const Token next = lexer_.peek();
  switch (next.kind) {
    case Tok::semicolon:
    case Tok::right_brace:
    case Tok::right_paren:
    case Tok::right_bracket:
    case Tok::comma:
    case Tok::end: return n;
    default: break;
  }
  const Position begin = next.position;
  Node* value = up(context) ? expression(context) : nullptr;
  if (value == nullptr) {
    // What cannot begin an expression ends the statement, as in the official parser.
    const Position now = lexer_.peek().position;
    const bool untouched = now.line == begin.line && now.column == begin.column;
    if (!untouched || error_.parse_kind != "BadInput/UnexpectedInput") return nullptr;
    failed_ = false;
    return n;
  }
  n->kids.push_back(value);
  return n;
}

Node* Parser::expression_statement(Context context) {
  context.position = lexer_.peek().position;
  Node* target = expression(context);
  if (target == nullptr) return nullptr;
  const Token op = lexer_.peek();
  if (!is_assignment(op.kind)) return target;
  (void)lexer_.next();
  context.position = op.position;
  Node* value = expression(context);
  if (value == nullptr) return nullptr;
  return assignment(target, op.kind, value, op.position);
}

Node* Parser::assignment(Node* target, Tok op, Node* value, Position at) {
  const auto invalid = [&](Position where) {
    return error_at("AssignmentToInvalidLHS", "Expression cannot be assigned to", where);
  };
  switch (target->kind) {
    case NodeKind::this_value: break;
    case NodeKind::variable:
      if (!target->space.empty()) return invalid(target->position);
      if (target->variable != nullptr && target->variable->is_constant && !target->variable->is_outer &&
          (!function_->is_closure || !target->variable->is_captured)) {
        return error_at("AssignmentToConstant", cat("Cannot assign to constant ", target->text),
                        target->position);
      }
      break;
    case NodeKind::chain:
      for (const Step& step : target->steps) {
        if (step.kind == Step::Kind::method) return invalid(step.position);
      }
      if (target->kids[0]->kind != NodeKind::variable && target->kids[0]->kind != NodeKind::this_value) {
        return invalid(target->kids[0]->position);
      }
      break;
    case NodeKind::logical_and:
    case NodeKind::logical_or:
    case NodeKind::coalesce:
      if (op == Tok::equals) return error_at("BadInput/ImproperSymbol", "Possibly a typo of '=='?", at);
      return invalid(target->position);
    default: {
      Value ignored;
      if (literal_value(*target, ignored)) {
        return error_at("AssignmentToConstant", "Cannot assign to a constant value", start_of(*target));
      }
      return invalid(target->position);
    }
  }
  Node* n = node(NodeKind::assign, at);
  n->op = op;
  n->kids = {target, value};
  n->effects = true;
  return n;
}

Node* Parser::let_statement(Context context, bool is_constant) {
  context.position = lexer_.next().position;
  std::string_view name;
  Position at;
  if (!variable_name(name, at)) return nullptr;
  if (!options_.language.shadowing &&
      std::any_of(function_->scope.begin(), function_->scope.end(),
                  [&](const Variable* known) { return known->name == name; })) {
    return error_at("VariableExists", cat("Variable already defined: ", name), at);
  }
  Node* n = node(NodeKind::let, context.position);
  n->text = name;
  n->effects = true;
  n->flag = is_constant;
  if (accept(Tok::equals)) {
    Node* value = up(context) ? expression(context) : nullptr;
    if (value == nullptr) return nullptr;
    n->kids.push_back(value);
  }
  n->integer = context.global ? 1 : 0;
  n->variable = declare(name, is_constant);
  return n;
}

bool Parser::function_definition(Context context, bool is_private, Position at) {
  if (!context.global) {
    return fail(
        "WrongFnDefinition",
        "Function definitions must be at global level and cannot be inside a block or another function", at);
  }
  if (options_.limits.functions > 0 && ast_.functions.size() > options_.limits.functions) {
    return fail("TooManyFunctions", "Number of functions defined exceeds maximum limit", at);
  }
  FunctionAst& function = ast_.functions.emplace_back();
  function.is_private = is_private;
  function.position = at;
  Context body;
  const std::size_t depth = options_.limits.function_expression_depth;
  body.level_max = depth == 0 ? expression_depth_cap : std::min(depth, expression_depth_cap);
  body.in_function = true;
  body.position = at;
  if (!up(body)) return false;
  Token name;
  if (!function_head(function, name) || !function_parameters(function)) return false;
  if (lexer_.peek().kind != Tok::left_brace) {
    return fail("FnMissingBody", cat("Expecting body statement block for function ", name.text),
                lexer_.peek().position);
  }
  FunctionAst* outer = function_;
  function_ = &function;
  function.block_start = function.scope.size();
  function.body = block(body);
  function_ = outer;
  if (function.body == nullptr) return false;
  for (const FunctionAst* known : ast_.named) {
    if (known->name == function.name && known->this_type == function.this_type &&
        known->parameters.size() == function.parameters.size()) {
      const std::size_t count = function.parameters.size();
      return fail("FnDuplicatedDefinition",
                  count == 0 ? cat("Function ", function.name, " with no parameters already exists")
                             : cat("Function ", function.name, " with ", count, " parameter",
                                   count == 1 ? "" : "s", " already exists"),
                  at);
    }
  }
  ast_.named.push_back(&function);
  return true;
}

bool Parser::function_head(FunctionAst& function, Token& name) {
  name = lexer_.next();
  if (name.kind == Tok::string || (name.kind == Tok::identifier && lexer_.peek().kind == Tok::period)) {
    if (lexer_.peek().kind != Tok::period) {
      return missing(".", "after the type name for 'this'", lexer_.peek().position) != nullptr;
    }
    (void)lexer_.next();
    function.this_type = name.text == "int" ? "i64" : name.text == "float" ? "f64" : name.text;
    name = lexer_.next();
  }
  if (name.kind == Tok::reserved) {
    return fail(
        "Reserved",
        cat("'", name.text, "' is a reserved ", is_valid_identifier(name.text) ? "keyword" : "symbol"),
        name.position);
  }
  if (name.kind == Tok::error) return token_error(name) != nullptr;
  if (name.kind != Tok::identifier) {
    return fail("FnMissingName", "Expecting function name in function declaration", name.position);
  }
  function.name = name.text;
  return true;
}

bool Parser::function_parameters(FunctionAst& function) {
  if (accept(Tok::unit)) return true;
  if (lexer_.peek().kind != Tok::left_paren) {
    return fail("FnMissingParams", cat("Expecting parameters for function ", function.name),
                lexer_.peek().position);
  }
  (void)lexer_.next();
  if (accept(Tok::right_paren)) return true;
  const std::string title = cat("function '", function.name, "'");
  return parameter_list(function, Tok::right_paren, title, title);
}

// The names up to `close`, which may follow a comma. The titles are how
// the messages about a list that does not end and about its commas call the function.
bool Parser::parameter_list(FunctionAst& function, Tok close, std::string_view closing_title,
                            std::string_view comma_title) {
  for (;;) {
    const Token token = lexer_.next();
    if (token.kind == close) return true;
    if (token.kind == Tok::error) return token_error(token) != nullptr;
    if (token.kind == Tok::reserved) {
      return fail("Reserved", cat("'", token.text, "' is a reserved keyword"), token.position);
    }
    if (token.kind >= Tok::kw_true) {
      return fail("VariableExpected", "Expecting name of a variable", token.position);
    }
    if (token.kind != Tok::identifier) {
      return missing(close == Tok::pipe ? "|" : ")", cat("to close the parameters list of ", closing_title),
                     token.position) != nullptr;
    }
    const auto is_it = [&](const Variable* known) { return known->name == token.text; };
    if (std::any_of(function.parameters.begin(), function.parameters.end(), is_it)) {
      return fail("FnDuplicatedParam",
                  cat("Duplicated parameter ", token.text, " for function ", function.name), token.position);
    }
    Variable& parameter = ast_.variables.emplace_back();
    parameter.name = token.text;
    function.parameters.push_back(&parameter);
    function.scope.push_back(&parameter);
    const Token after = lexer_.next();
    if (after.kind == close) return true;
    if (after.kind == Tok::error) return token_error(after) != nullptr;
    if (after.kind != Tok::comma) {
      return missing(",", cat("to separate the parameters of ", comma_title), after.position) != nullptr;
    }
  }
}

Node* Parser::import_statement(Context context) {
  if (!up_at(context, lexer_.next().position)) return nullptr;
  Node* path = expression(context);
  if (path == nullptr) return nullptr;
  if (accept(Tok::kw_as)) {
    std::string_view name;
    Position at;
    if (!variable_name(name, at)) return nullptr;
  }
  Node* n = node(NodeKind::import, path->position);
  n->kids.push_back(path);
  n->effects = true;
  return n;
}

Node* Parser::export_statement(Context context) {
  context.position = lexer_.next().position;
  const Tok next = lexer_.peek().kind;
  if (next == Tok::kw_let || next == Tok::kw_const) {
    return up(context) ? let_statement(context, next == Tok::kw_const) : nullptr;
  }
  Node* n = node(NodeKind::export_name, context.position);
  n->effects = true;
  Position at;
  if (!variable_name(n->text, at)) return nullptr;
  n->position = at;
  n->variable = find_variable(*function_, n->text, at);
  if (accept(Tok::kw_as)) {
    std::string_view alias;
    if (!variable_name(alias, at)) return nullptr;
  }
  return n;
}

}  // namespace rbee::rhai
