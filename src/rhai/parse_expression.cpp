// Expressions: binary operators by precedence and postfix chains.
#include "rhai/parser.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::rhai {

namespace {
// As the official table has it; 0 is no operator.
int precedence_of(Tok op) {
  switch (op) {
    case Tok::logical_or:
    case Tok::caret:
    case Tok::pipe: return 30;
    case Tok::logical_and:
    case Tok::ampersand: return 60;
    case Tok::equal_to:
    case Tok::not_equal: return 90;
    case Tok::kw_in:
    case Tok::not_in: return 110;
    case Tok::less:
    case Tok::less_equal:
    case Tok::greater:
    case Tok::greater_equal: return 130;
    case Tok::double_question: return 135;
    case Tok::range:
    case Tok::range_inclusive: return 140;
    case Tok::plus:
    case Tok::minus:
    case Tok::unary_plus:
    case Tok::unary_minus: return op == Tok::plus || op == Tok::minus ? 150 : 0;
    case Tok::divide:
    case Tok::multiply:
    case Tok::modulo: return 180;
    case Tok::power: return 190;
    case Tok::shift_left:
    case Tok::shift_right: return 210;
    default: return 0;
  }
}

bool ends_open_range(Tok kind) {
  return kind == Tok::right_bracket || kind == Tok::right_paren || kind == Tok::right_brace ||
         kind == Tok::comma || kind == Tok::semicolon || kind == Tok::double_arrow;
}

// What a literal is called where a boolean is wanted; empty where it may be one.
std::string_view not_boolean(const Node& n) {
  switch (n.kind) {
    case NodeKind::integer: return "a number";
    case NodeKind::floating: return "a floating-point number";
    case NodeKind::character: return "a character";
    case NodeKind::string:
    case NodeKind::interpolated: return "a string";
    case NodeKind::array: return "an array";
    case NodeKind::map: return "an object map";
    default: return {};
  }
}

std::string_view wrong_index(const Node& container, const Node& index) {
  const bool map = container.kind == NodeKind::map;
  switch (container.kind) {
    case NodeKind::map:
    case NodeKind::integer:
    case NodeKind::array:
    case NodeKind::string:
    case NodeKind::interpolated: break;
    default: return {};
  }
  switch (index.kind) {
    case NodeKind::integer: return map ? "a number" : std::string_view();
    case NodeKind::string:
    case NodeKind::interpolated: return map ? std::string_view() : "a string";
    case NodeKind::floating: return "a float";
    case NodeKind::character: return "a character";
    case NodeKind::unit: return "()";
    case NodeKind::boolean:
    case NodeKind::logical_and:
    case NodeKind::logical_or: return "a boolean";
    default: return {};
  }
}
}  // namespace

Node* Parser::condition(Context context) {
  const Token& first = lexer_.peek();
  if (first.kind == Tok::left_brace) {
    return error_at("ExprExpected", "Expecting a boolean expression", first.position);
  }
  Node* value = expression(context);
  if (value == nullptr) return nullptr;
  if (const std::string_view found = not_boolean(*value); !found.empty()) {
    return error_at("MismatchedType", cat("Expecting a boolean expression, not ", found), start_of(*value));
  }
  const Token& after = lexer_.peek();
  if (after.kind == Tok::equals) {
    return error_at("BadInput/ImproperSymbol", "Possibly a typo of '=='?", after.position);
  }
  if (after.kind >= Tok::plus_assign && after.kind <= Tok::xor_assign) {
    return error_at("BadInput/ImproperSymbol", "Expecting a boolean expression, not an assignment",
                    after.position);
  }
  return value;
}

Node* Parser::expression(Context context) {
  context.position = lexer_.peek().position;
  if (!up(context)) return nullptr;
  Node* left = unary(context);
  return left == nullptr ? nullptr : binary(context, 1, left);
}

Node* Parser::unary(Context context) {
  const Token token = lexer_.peek();
  if (no_pipe_ && token.kind == Tok::pipe) return unexpected(token);
  context.position = token.position;
  const bool minus = token.kind == Tok::minus || token.kind == Tok::unary_minus;
  const bool plus = token.kind == Tok::plus || token.kind == Tok::unary_plus;
  if (token.kind == Tok::end) return error_at("UnexpectedEOF", "Script is incomplete", token.position);
  if (!minus && !plus && token.kind != Tok::bang) return primary(context, false);
  (void)lexer_.next();
  if (!up(context)) return nullptr;
  Node* operand = unary(context);
  if (operand == nullptr) return nullptr;
  const bool number = operand->kind == NodeKind::integer || operand->kind == NodeKind::floating;
  if (plus && number) return operand;
  if (minus && operand->kind == NodeKind::floating) {
    operand->floating = -operand->floating;
    operand->position = token.position;
    return operand;
  }
  if (minus && operand->kind == NodeKind::integer) {
    operand->position = token.position;
    if (operand->integer == INT64_MIN) {
      operand->kind = NodeKind::floating;
      operand->floating = -static_cast<double>(operand->integer);
    } else {
      operand->integer = -operand->integer;
    }
    return operand;
  }
  Node* n = node(NodeKind::unary, token.position);
  n->op = minus ? Tok::minus : plus ? Tok::plus : Tok::bang;
  n->kids.push_back(operand);
  note_effects(*n);
  return n;
}

// NOLINTNEXTLINE(readability-function-cognitive-complexity): one production of the grammar
Node* Parser::binary(Context context, int parent_precedence, Node* left) {
  for (;;) {
    const Token& current = lexer_.peek();
    if (no_pipe_ && current.kind == Tok::pipe) return left;
    if (current.kind == Tok::reserved && !is_valid_identifier(current.text)) {
      return error_at("UnknownOperator", cat("Unknown operator: '", current.text, "'"), current.position);
    }
    const int precedence = precedence_of(current.kind);
    const bool right_first = current.kind == Tok::power;
    if (precedence < parent_precedence || (precedence == parent_precedence && !right_first)) return left;
    const Token op = lexer_.next();
    const bool is_range = op.kind == Tok::range || op.kind == Tok::range_inclusive;
    Node* right = nullptr;
    const Token& next = lexer_.peek();
    if (op.kind == Tok::double_question && (next.kind == Tok::kw_break || next.kind == Tok::kw_continue ||
                                            next.kind == Tok::kw_return || next.kind == Tok::kw_throw)) {
      bool self_terminated = false;
      right = node(NodeKind::block, next.position);
      Node* inner = statement(context, self_terminated);
      if (inner == nullptr) return nullptr;
      right->kids.push_back(inner);
      right->effects = true;
    } else if (is_range && ends_open_range(next.kind)) {
      right = node(NodeKind::unit, next.position);
    } else {
      right = unary(context);
    }
    if (right == nullptr) return nullptr;
    const Token& after = lexer_.peek();
    if (after.kind == Tok::reserved && !is_valid_identifier(after.text)) {
      return error_at("UnknownOperator", cat("Unknown operator: '", after.text, "'"), after.position);
    }
    const int next_precedence = no_pipe_ && after.kind == Tok::pipe ? 0 : precedence_of(after.kind);
    if (precedence < next_precedence || (precedence == next_precedence && right_first)) {
      Context deeper = context;
      if (!up(deeper)) return nullptr;
      right = binary(deeper, precedence, right);
      if (right == nullptr) return nullptr;
    }
    if (!up(context)) return nullptr;
    context.position = op.position;
    left = combine(op, left, right);
    if (left == nullptr) return nullptr;
  }
}

Node* Parser::combine(const Token& op, Node* left, Node* right) {
  NodeKind kind = NodeKind::binary;
  switch (op.kind) {
    case Tok::logical_and: kind = NodeKind::logical_and; break;
    case Tok::logical_or: kind = NodeKind::logical_or; break;
    case Tok::double_question: kind = NodeKind::coalesce; break;
    case Tok::kw_in:
    case Tok::not_in: kind = NodeKind::contains; break;
    default: break;
  }
  if (kind == NodeKind::logical_and || kind == NodeKind::logical_or) {
    for (const Node* side : {left, right}) {
      if (const std::string_view found = not_boolean(*side); !found.empty()) {
        return error_at("MismatchedType", cat("Expecting a boolean expression, not ", found),
                        start_of(*side));
      }
    }
  }
  Node* n = nullptr;
  const bool list = kind != NodeKind::binary && kind != NodeKind::contains;
  if (list && left->kind == kind) {
    n = left;
    n->kids.push_back(right);
  } else {
    n = node(kind, op.position);
    n->op = op.kind;
    n->flag = op.kind == Tok::not_in;
    n->kids = {left, right};
  }
  note_effects(*n);
  return n;
}

Node* Parser::literal(const Token& token) {
  Node* n = nullptr;
  switch (token.kind) {
    case Tok::unit: n = node(NodeKind::unit, token.position); break;
    case Tok::integer: n = node(NodeKind::integer, token.position); break;
    case Tok::floating: n = node(NodeKind::floating, token.position); break;
    case Tok::character: n = node(NodeKind::character, token.position); break;
    case Tok::string: n = node(NodeKind::string, token.position); break;
    case Tok::kw_true:
    case Tok::kw_false: n = node(NodeKind::boolean, token.position); break;
    default: return nullptr;
  }
  n->integer = token.kind == Tok::kw_true ? 1 : token.integer;
  n->floating = token.floating;
  n->text = token.text;
  (void)lexer_.next();
  return n;
}

// if, loops, switch and blocks where a value is wanted.
Node* Parser::statement_expression(Context context, const Token& token, bool& handled) {
  const Language& language = options_.language;
  const bool loops = language.looping && language.loop_expressions;
  Node* (Parser::*reader)(Context) = nullptr;
  switch (token.kind) {
    case Tok::left_brace: reader = language.statement_expressions ? &Parser::block : nullptr; break;
    case Tok::kw_if: reader = language.if_expressions ? &Parser::if_statement : nullptr; break;
    case Tok::kw_switch: reader = language.switch_expressions ? &Parser::switch_statement : nullptr; break;
    case Tok::kw_while:
    case Tok::kw_loop: reader = loops ? &Parser::while_statement : nullptr; break;
    case Tok::kw_do: reader = loops ? &Parser::do_statement : nullptr; break;
    case Tok::kw_for: reader = loops ? &Parser::for_statement : nullptr; break;
    default: break;
  }
  handled = reader != nullptr;
  if (!handled || !up(context)) return nullptr;
  Node* n = (this->*reader)(context);
  if (n != nullptr) n->effects = true;
  return n;
}

// NOLINTNEXTLINE(readability-function-cognitive-complexity): one production of the grammar
Node* Parser::primary(Context context, bool as_property) {
  const Token token = lexer_.peek();
  context.position = token.position;
  if (no_pipe_ && token.kind == Tok::pipe) return unexpected(token);
  Node* root = literal(token);
  if (root == nullptr) {
    bool handled = false;
    root = statement_expression(context, token, handled);
    if (handled && root == nullptr) return nullptr;
  }
  if (root == nullptr) {
    switch (token.kind) {
      case Tok::end: return error_at("UnexpectedEOF", "Script is incomplete", token.position);
      case Tok::range:
      case Tok::range_inclusive: root = node(NodeKind::integer, token.position); break;
      case Tok::left_paren: {
        (void)lexer_.next();
        if (!up(context)) return nullptr;
        root = expression(context);
        if (root == nullptr) return nullptr;
        const Token close = lexer_.next();
        if (close.kind == Tok::error) return token_error(close);
        if (close.kind != Tok::right_paren) {
          return missing(")", "for a matching ( in this expression", close.position);
        }
        break;
      }
      case Tok::pipe:
      case Tok::logical_or:
        if (!options_.language.closures) return unexpected(token);
        root = closure(context);
        break;
      case Tok::interpolated: root = up(context) ? interpolated(context) : nullptr; break;
      case Tok::left_bracket: root = up(context) ? array(context) : nullptr; break;
      case Tok::map_start: root = up(context) ? map(context) : nullptr; break;
      case Tok::identifier: root = identifier(context, as_property); break;
      case Tok::reserved: root = reserved_word(context); break;
      case Tok::error: return token_error(token);
      default: return unexpected(token);
    }
  }
  if (root == nullptr) return nullptr;
  if (no_pipe_ && lexer_.peek().kind == Tok::pipe) return root;
  return postfix(context, root);
}

Node* Parser::identifier(Context context, bool as_property) {
  const Token name = lexer_.next();
  Node* n = node(NodeKind::variable, name.position);
  n->text = name.text;
  const Token& next = lexer_.peek();
  switch (next.kind) {
    case Tok::left_paren:
    case Tok::unit:
    case Tok::bang: n->flag = true; return n;
    case Tok::double_colon:
      if (as_property) {
        return error_at("BadInput/ImproperSymbol", "Invalid symbol encountered: '::'", next.position);
      }
      return n;
    default: break;
  }
  if (as_property) return n;
  n->variable = find_variable(*function_, name.text, name.position);
  if (n->variable == nullptr && options_.language.strict_variables && !context.in_closure) {
    const bool known = std::any_of(ast_.named.begin(), ast_.named.end(),
                                   [&](const FunctionAst* f) { return f->name == name.text; });
    if (!known && !(options_.is_function && options_.is_function(name.text))) {
      return error_at("VariableUndefined", cat("Undefined variable: ", name.text), name.position);
    }
  }
  return n;
}

Node* Parser::reserved_word(Context context) {
  const Token word = lexer_.next();
  const Tok next = lexer_.peek().kind;
  if ((next == Tok::left_paren || next == Tok::unit || next == Tok::bang) &&
      is_callable_reserved(word.text)) {
    Node* n = node(NodeKind::variable, word.position);
    n->text = word.text;
    n->flag = true;
    return n;
  }
  if (word.text == "this") {
    if (context.in_function) return node(NodeKind::this_value, word.position);
    return error_at("BadInput/ImproperSymbol", "'this' can only be used in functions", word.position);
  }
  return error_at(
      "Reserved",
      cat("'", word.text, "' is a reserved ", is_valid_identifier(word.text) ? "keyword" : "symbol"),
      word.position);
}

// NOLINTNEXTLINE(readability-function-cognitive-complexity): one production of the grammar
Node* Parser::postfix(Context context, Node* left) {
  for (;;) {
    const Token token = lexer_.peek();
    context.position = token.position;
    const bool name = left->kind == NodeKind::variable;
    switch (token.kind) {
      case Tok::bang: {
        if (!name || !left->flag) return left;
        (void)lexer_.next();
        const Token open = lexer_.peek();
        if (!left->space.empty()) return unexpected(token);
        if (open.kind != Tok::left_paren && open.kind != Tok::unit) {
          return missing("(", "to start arguments list of function call", open.position);
        }
        (void)lexer_.next();
        context.position = left->position;
        left = call(context, left, open.kind == Tok::unit, true);
        break;
      }
      case Tok::left_paren:
      case Tok::unit:
        if (!name) return left;
        (void)lexer_.next();
        context.position = left->position;
        left = call(context, left, token.kind == Tok::unit, false);
        break;
      case Tok::double_colon: {
        if (!name) return left;
        (void)lexer_.next();
        std::string_view member;
        Position at;
        if (!variable_name(member, at)) return nullptr;
        Node* n = node(NodeKind::variable, left->position);
        n->space = left->space.empty()
                       ? left->text
                       : std::string_view(ast_.texts.emplace_back(cat(left->space, "::", left->text)));
        n->text = member;
        n->integer = (static_cast<std::int64_t>(at.line) << 32) | at.column;
        left = n;
        break;
      }
      case Tok::left_bracket:
      case Tok::question_bracket:
        (void)lexer_.next();
        left = index_step(context, left, token.kind == Tok::question_bracket);
        break;
      case Tok::period:
      case Tok::elvis:
        (void)lexer_.next();
        left = dot_step(context, left, token.kind == Tok::elvis, token.position);
        // What follows a dot binds to its right side, one level deeper.
        if (left != nullptr && !up(context)) return nullptr;
        break;
      default: return left;
    }
    if (left == nullptr) return nullptr;
  }
}

Node* Parser::call(Context context, Node* name, bool no_arguments, bool in_scope) {
  Node* n = node(NodeKind::call, name->position);
  n->text = name->text;
  n->space = name->space;
  n->flag = in_scope;
  n->effects = true;
  if (!no_arguments && !arguments(context, name->text, n->kids)) return nullptr;
  if (in_scope || (n->space.empty() && n->text == "eval")) {
    function_->is_dynamic = true;
    n->visible.assign(function_->scope.begin(), function_->scope.end());
    for (const Capture& capture : function_->captures) n->visible.insert(n->visible.begin(), capture.inner);
  }
  if (n->space.empty() && (n->text == "is_def_var"))
    n->visible.assign(function_->scope.begin(), function_->scope.end());
  return n;
}

bool Parser::arguments(Context context, std::string_view name, List<Node*>& out) {
  if (accept(Tok::right_paren)) return true;
  if (lexer_.peek().kind == Tok::end) {
    return missing(")", cat("to close the arguments list of this function call '", name, "'"),
                   lexer_.peek().position) != nullptr;
  }
  if (!up(context)) return false;
  for (;;) {
    if (lexer_.peek().kind != Tok::right_paren) {
      Node* argument = expression(context);
      if (argument == nullptr) return false;
      out.push_back(argument);
    }
    const Token token = lexer_.peek();
    switch (token.kind) {
      case Tok::right_paren: (void)lexer_.next(); return true;
      case Tok::comma: (void)lexer_.next(); break;
      case Tok::end:
        return missing(")", cat("to close the arguments list of this function call '", name, "'"),
                       token.position) != nullptr;
      case Tok::error: return token_error(token) != nullptr;
      default:
        return missing(",", cat("to separate the arguments to function call '", name, "'"), token.position) !=
               nullptr;
    }
  }
}

namespace {
Node* chain_of(Node* left, Node* fresh) {
  // (a.b).c is one chain with a.b.c only where no parentheses stand between; a group was a node before.
  if (left->kind == NodeKind::chain) return left;
  fresh->kids.push_back(left);
  return fresh;
}
}  // namespace

Node* Parser::index_step(Context context, Node* left, bool elvis) {
  const Position at = context.position;
  if (!up(context) || !up(context)) return nullptr;
  Node* index = expression(context);
  if (index == nullptr) return nullptr;
  if (const std::string_view found = wrong_index(*left, *index); !found.empty()) {
    return error_at("MalformedIndexExpr",
                    left->kind == NodeKind::map
                        ? cat("Object map expects string index, not ", found)
                        : cat("Array, string or bit-field expects numeric index, not ", found),
                    start_of(*index));
  }
  const Token close = lexer_.peek();
  if (close.kind == Tok::error) return token_error(close);
  if (close.kind != Tok::right_bracket) {
    return missing("]", "for a matching [ in this index expression", close.position);
  }
  (void)lexer_.next();
  Node* n = chain_of(left, node(NodeKind::chain, at));
  Step& step = n->steps.emplace_back(&ast_.memory);
  step.kind = Step::Kind::index;
  step.elvis = elvis;
  step.position = at;
  step.argument_position = start_of(*index);
  step.arguments.push_back(index);
  n->effects = n->effects || left->effects || index->effects;
  return n;
}

Node* Parser::dot_step(Context context, Node* left, bool elvis, Position at) {
  const Token name = lexer_.peek();
  const bool word =
      name.kind == Tok::identifier || (name.kind == Tok::reserved && is_method_reserved(name.text));
  if (!word) {
    if (name.kind == Tok::reserved) {
      return error_at(
          "Reserved",
          cat("'", name.text, "' is a reserved ", is_valid_identifier(name.text) ? "keyword" : "symbol"),
          name.position);
    }
    if (name.kind == Tok::error) return token_error(name);
    return error_at("PropertyExpected", "Expecting name of a property", name.position);
  }
  (void)lexer_.next();
  Step step(&ast_.memory);
  step.elvis = elvis;
  step.position = name.position;
  step.argument_position = at;
  step.name = name.text;
  if (!up(context)) return nullptr;
  context.position = name.position;
  const Token open = lexer_.peek();
  if (open.kind == Tok::bang) {
    return error_at("MalformedCapture",
                    "method-call style does not support running within the caller's scope", name.position);
  }
  if (open.kind == Tok::double_colon) {
    return error_at("BadInput/ImproperSymbol", "Invalid symbol encountered: '::'", open.position);
  }
  bool effects = left->effects;
  if (open.kind == Tok::unit || open.kind == Tok::left_paren) {
    (void)lexer_.next();
    step.kind = Step::Kind::method;
    effects = true;
    if (open.kind == Tok::left_paren && !arguments(context, name.text, step.arguments)) return nullptr;
  } else if (name.kind == Tok::reserved) {
    return error_at("Reserved", cat("'", name.text, "' is a reserved keyword"), name.position);
  }
  Node* n = chain_of(left, node(NodeKind::chain, at));
  n->steps.push_back(std::move(step));
  n->effects = n->effects || effects;
  return n;
}

}  // namespace rbee::rhai
