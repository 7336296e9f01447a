// Literals that have expressions within: strings, arrays, maps, closures.
#include "rhai/parser.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::rhai {

Node* Parser::interpolated(Context context) {
  Node* n = node(NodeKind::interpolated, context.position);
  const Token first = lexer_.next();
  const auto add_text = [&](const Token& token) {
    if (token.text.empty()) return;
    Node* text = node(NodeKind::string, token.position);
    text->text = token.text;
    n->kids.push_back(text);
  };
  add_text(first);
  for (;;) {
    Node* part = block(context);
    if (part == nullptr) return nullptr;
    // A single expression needs no block around it.
    const bool simple = part->kids.size() == 1 && part->kids[0]->kind <= NodeKind::closure;
    n->kids.push_back(simple ? part->kids[0] : part);
    if (!simple && !part->kids.empty()) n->effects = true;
    lexer_.resume_text();
    const Token token = lexer_.next();
    if (token.kind == Tok::error) return token_error(token);
    add_text(token);
    if (token.kind == Tok::string) break;
  }
  note_effects(*n);
  return n;
}

Node* Parser::array(Context context) {
  context.position = lexer_.next().position;
  Node* n = node(NodeKind::array, context.position);
  const std::size_t most = options_.limits.array_items;
  for (;;) {
    if (most > 0 && n->kids.size() >= most) {
      return error_at("LiteralTooLarge", cat("Size of array literal exceeds the maximum limit (", most, ")"),
                      lexer_.peek().position);
    }
    if (accept(Tok::right_bracket)) break;
    if (lexer_.peek().kind == Tok::end) {
      return missing("]", "to end this array literal", lexer_.peek().position);
    }
    Context inner = context;
    Node* item = up(inner) ? expression(inner) : nullptr;
    if (item == nullptr) return nullptr;
    n->kids.push_back(item);
    const Token token = lexer_.peek();
    if (token.kind == Tok::comma) {
      (void)lexer_.next();
    } else if (token.kind == Tok::end) {
      return missing("]", "to end this array literal", token.position);
    } else if (token.kind == Tok::error) {
      return token_error(token);
    } else if (token.kind != Tok::right_bracket) {
      return missing(",", "to separate the items of this array literal", token.position);
    }
  }
  note_effects(*n);
  return n;
}

bool Parser::map_key(const Node& map, std::string_view& key) {
  const Token token = lexer_.next();
  key = token.text;
  switch (token.kind) {
    case Tok::identifier:
      if (options_.json) return fail("PropertyExpected", "Expecting name of a property", token.position);
      break;
    case Tok::string: break;
    case Tok::error: return token_error(token) != nullptr;
    case Tok::reserved:
      if (is_valid_identifier(token.text)) {
        return fail("Reserved", cat("'", token.text, "' is a reserved keyword"), token.position);
      }
      [[fallthrough]];
    default:
      if (token.kind == Tok::end || (map.kids.empty() && token.kind != Tok::interpolated)) {
        return missing("}", "to end this object map literal", token.position) != nullptr;
      }
      return fail("PropertyExpected", "Expecting name of a property", token.position);
  }
  if (std::find(map.keys.begin(), map.keys.end(), key) != map.keys.end()) {
    return fail("DuplicatedProperty", cat("Duplicated property for object map literal: ", key),
                token.position);
  }
  const Token colon = lexer_.next();
  if (colon.kind == Tok::error) return token_error(colon) != nullptr;
  if (colon.kind != Tok::colon) {
    return missing(":", cat("to follow the property '", key, "' in this object map literal"),
                   colon.position) != nullptr;
  }
  return true;
}

Node* Parser::map(Context context) {
  context.position = lexer_.next().position;
  Node* n = node(NodeKind::map, context.position);
  const std::size_t most = options_.limits.map_items;
  for (;;) {
    if (accept(Tok::right_brace)) break;
    std::string_view key;
    if (!map_key(*n, key)) return nullptr;
    if (most > 0 && n->kids.size() >= most) {
      return error_at(
          "LiteralTooLarge",
          cat("Number of properties in object map literal exceeds the maximum limit (", most, ")"),
          lexer_.peek().position);
    }
    Context inner = context;
    Node* value = up(inner) ? expression(inner) : nullptr;
    if (value == nullptr) return nullptr;
    n->keys.push_back(key);
    n->kids.push_back(value);
    const Token token = lexer_.peek();
    if (token.kind == Tok::comma) {
      (void)lexer_.next();
    } else if (token.kind == Tok::identifier) {
      return missing(",", "to separate the items of this object map literal", token.position);
    } else if (token.kind == Tok::error) {
      return token_error(token);
    } else if (token.kind != Tok::right_brace) {
      return missing("}", "to end this object map literal", token.position);
    }
  }
  note_effects(*n);
  return n;
}

bool Parser::closure_parameters(FunctionAst& function) {
  if (lexer_.next().kind == Tok::logical_or || accept(Tok::pipe)) return true;
  return parameter_list(function, Tok::pipe, "anonymous function or closure", "anonymous function");
}

Node* Parser::closure(Context context) {
  FunctionAst& inner = ast_.functions.emplace_back();
  inner.is_closure = true;
  inner.position = context.position;
  inner.parent = function_;
  if (options_.limits.functions > 0 && ast_.functions.size() > options_.limits.functions + 1) {
    return error_at("TooManyFunctions", "Number of functions defined exceeds maximum limit",
                    context.position);
  }
  if (!closure_parameters(inner)) return nullptr;
  inner.block_start = inner.scope.size();
  FunctionAst* outer = function_;
  function_ = &inner;
  const bool no_pipe = no_pipe_;
  no_pipe_ = false;
  Context body = context;
  body.in_loop = false;
  body.global = false;
  body.in_function = true;
  body.in_closure = true;
  bool self_terminated = false;
  inner.body = up(body) ? statement(body, self_terminated) : nullptr;
  function_ = outer;
  no_pipe_ = no_pipe;
  if (inner.body == nullptr) {
    if (!failed_) fail("ExprExpected", "Expecting the body of a closure", lexer_.peek().position);
    return nullptr;
  }
  if (!finish_closure(inner)) return nullptr;
  Node* n = node(NodeKind::closure, context.position);
  n->function = &inner;
  n->effects = !inner.captures.empty();
  return n;
}

// With strict variables a closure that is in no other may use only what exists.
bool Parser::finish_closure(FunctionAst& inner) {
  if (!options_.language.strict_variables || inner.parent->is_closure) return true;
  for (const Capture& capture : inner.captures) {
    if (capture.outer == nullptr) {
      return fail("VariableUndefined", cat("Undefined variable: ", capture.name), capture.position);
    }
  }
  return true;
}

}  // namespace rbee::rhai
