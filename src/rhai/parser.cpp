#include "rhai/parser.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::rhai {

namespace {
LexOptions lex_options(const ParseOptions& options) {
  return LexOptions{.string_bytes_max = options.limits.string_bytes,
                    .disabled_symbols = options.language.disabled_symbols,
                    .json = options.json};
}

std::size_t capped_depth(std::size_t wanted) {
  return wanted == 0 ? expression_depth_cap : std::min(wanted, expression_depth_cap);
}
}  // namespace

Parser::Parser(std::string_view source, const ParseOptions& options, Ast& ast)
    : source_(source),
      options_(options),
      lex_options_(lex_options(options)),
      lexer_(source, lex_options_),
      ast_(ast) {}

bool Parser::parse() {
  ast_.main = &ast_.functions.emplace_back();
  function_ = ast_.main;
  for (const Variable& variable : options_.scope) {
    Variable& own = ast_.variables.emplace_back(variable);
    own.scope_size = function_->scope.size() + 1;
    function_->scope.push_back(&own);
    if (!own.is_outer) function_->parameters.push_back(&own);
  }
  // What eval() defines is new to the block around it, never the same variable again.
  function_->block_start = options_.is_eval ? function_->scope.size() : 0;
  const bool ok = options_.json ? parse_json_text() : global_statements();
  ast_.token_texts = lexer_.take_texts();
  return ok && !failed_;
}

bool Parser::parse_json_text() {
  Context context;
  context.level_max = capped_depth(options_.limits.expression_depth);
  Node* value = expression(context);
  if (value == nullptr) return false;
  const Token& rest = lexer_.peek();
  if (rest.kind == Tok::error) return token_error(rest) != nullptr;
  if (rest.kind != Tok::end) return unexpected(rest) != nullptr;
  ast_.main->body = node(NodeKind::block, value->position);
  ast_.main->body->kids.push_back(value);
  return true;
}

bool Parser::fail(std::string_view kind, std::string message, Position at) {
  if (!failed_) {
    failed_ = true;
    error_ = make_error(ErrorKind::parsing, std::move(message), at);
    error_.parse_kind = kind;
  }
  return false;
}

std::nullptr_t Parser::error_at(std::string_view kind, std::string message, Position at) {
  fail(kind, std::move(message), at);
  return nullptr;
}

std::nullptr_t Parser::missing(std::string_view token, std::string_view reason, Position at) {
  return error_at("MissingToken", cat("Expecting '", token, "' ", reason), at);
}

std::nullptr_t Parser::unexpected(const Token& token) {
  return error_at("BadInput/UnexpectedInput", cat("Unexpected '", token_text(token), "'"), token.position);
}

std::nullptr_t Parser::token_error(const Token& token) {
  return error_at(token.error_kind, std::string(token.text), token.position);
}

bool Parser::up(Context& context) { return up_at(context, context.position); }

bool Parser::up_at(Context& context, Position at) {
  context.position = at;
  if (context.level + 1 > context.level_max) {
    return fail("ExprTooDeep", "Expression exceeds maximum complexity", at);
  }
  ++context.level;
  return true;
}

bool Parser::accept(Tok kind, Position* at) {
  const Token& token = lexer_.peek();
  if (at != nullptr) *at = token.position;
  if (token.kind != kind) return false;
  (void)lexer_.next();
  return true;
}

Node* Parser::node(NodeKind kind, Position at) {
  Node& n = ast_.nodes.emplace_back();
  n.kind = kind;
  n.position = at;
  return &n;
}

Variable* Parser::declare(std::string_view name, bool is_constant) {
  Variable& variable = ast_.variables.emplace_back();
  variable.name = name;
  variable.is_constant = is_constant;
  std::vector<Variable*>& scope = function_->scope;
  for (std::size_t i = scope.size(); i > function_->block_start; --i) {
    if (scope[i - 1]->name != name) continue;
    variable.replaces = scope[i - 1];
    variable.scope_size = scope.size();
    scope[i - 1] = &variable;
    return &variable;
  }
  scope.push_back(&variable);
  variable.scope_size = scope.size();
  return &variable;
}

// The variable that the name means here; a closure takes it into itself. Null: unknown.
Variable* Parser::find_variable(FunctionAst& function, std::string_view name, Position at) {
  for (std::size_t i = function.scope.size(); i > 0; --i) {
    if (function.scope[i - 1]->name == name) return function.scope[i - 1];
  }
  if (!function.is_closure) return nullptr;
  for (const Capture& capture : function.captures) {
    if (capture.name == name) return capture.inner;
  }
  Variable* outer = find_variable(*function.parent, name, at);
  if (outer == nullptr) {
    if (options_.is_function && options_.is_function(name)) return nullptr;
    for (const FunctionAst* known : ast_.named) {
      if (known->name == name) return nullptr;
    }
  } else {
    outer->is_captured = true;
  }
  Variable& inner = ast_.variables.emplace_back();
  inner.name = name;
  inner.is_captured = true;
  inner.is_constant = outer != nullptr && outer->is_constant;
  function.captures.push_back({&inner, outer, name, at});
  return &inner;
}

bool Parser::variable_name(std::string_view& name, Position& at) {
  const Token token = lexer_.next();
  name = token.text;
  at = token.position;
  switch (token.kind) {
    case Tok::identifier: return true;
    case Tok::reserved:
      return fail(
          "Reserved",
          cat("'", token.text, "' is a reserved ", is_valid_identifier(token.text) ? "keyword" : "symbol"),
          at);
    case Tok::error: return token_error(token) != nullptr;
    default: return fail("VariableExpected", "Expecting name of a variable", at);
  }
}

void Parser::note_effects(Node& n) {
  for (const Node* kid : n.kids) n.effects = n.effects || (kid != nullptr && kid->effects);
}

Position start_of(const Node& n) {
  switch (n.kind) {
    case NodeKind::logical_and:
    case NodeKind::logical_or:
    case NodeKind::coalesce:
    case NodeKind::chain: return start_of(*n.kids[0]);
    default: return n.position;
  }
}

namespace {
bool literal_range(const Node& n, Value& out) {
  Value from;
  Value to;
  if (!literal_value(*n.kids[0], from) || !literal_value(*n.kids[1], to) || !from.is_int()) return false;
  if (!to.is_int() && !to.is_unit()) return false;
  out = Value::range(from.as_int(), to.is_int() ? to.as_int() : INT64_MAX, n.op == Tok::range_inclusive);
  return true;
}
}  // namespace

bool literal_value(const Node& n, Value& out) {
  switch (n.kind) {
    case NodeKind::unit: out = Value(); return true;
    case NodeKind::boolean: out = Value::boolean(n.integer != 0); return true;
    case NodeKind::integer: out = Value::integer(n.integer); return true;
    case NodeKind::floating: out = Value::floating(n.floating); return true;
    case NodeKind::character: out = Value::character(static_cast<char32_t>(n.integer)); return true;
    case NodeKind::string: out = Value::string(n.text); return true;
    case NodeKind::array: {
      std::vector<Value> items(n.kids.size());
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (!literal_value(*n.kids[i], items[i])) return false;
      }
      out = Value::array(std::move(items));
      return true;
    }
    case NodeKind::map: {
      Value map = Value::map();
      for (std::size_t i = 0; i < n.kids.size(); ++i) {
        Value item;
        if (!literal_value(*n.kids[i], item)) return false;
        map.map_object().set(n.keys[i], std::move(item));
      }
      out = std::move(map);
      return true;
    }
    case NodeKind::binary:
      if (n.op != Tok::range && n.op != Tok::range_inclusive) return false;
      return literal_range(n, out);
    default: return false;
  }
}

}  // namespace rbee::rhai
