// From source text to the tree. The first error ends it.
#pragma once

#include "rhai/ast.h"
#include "rhai/limits.h"

#include <functional>
#include <span>

namespace rbee::rhai {

struct ParseOptions {
  Limits limits;
  Language language;
  // Variables that the script will find in its scope.
  std::vector<Variable> scope = {};
  bool is_eval = false;  // functions cannot be defined
  bool json = false;     // one map or other literal, as parse_json() takes it
  // Names of functions that the text may use though it does not define them.
  std::function<bool(std::string_view name)> is_function = {};
};

class Parser {
 public:
  Parser(std::string_view source, const ParseOptions& options, Ast& ast);
  // Whether it worked; otherwise error() says why not.
  [[nodiscard]] bool parse();
  [[nodiscard]] const ScriptError& error() const { return error_; }

 private:
  // What grows inwards: passed by value so that leaving a construct needs no undoing.
  struct Context {
    std::size_t level = 0;
    std::size_t level_max = 0;
    Position position;
    bool in_loop = false;
    bool global = false;
    bool in_function = false;
    bool in_closure = false;
  };

  // parser.cpp
  bool fail(std::string_view kind, std::string message, Position at);
  std::nullptr_t error_at(std::string_view kind, std::string message, Position at);
  std::nullptr_t missing(std::string_view token, std::string_view reason, Position at);
  std::nullptr_t unexpected(const Token& token);
  std::nullptr_t token_error(const Token& token);
  bool up(Context& context);
  bool up_at(Context& context, Position at);
  bool accept(Tok kind, Position* at = nullptr);
  Node* node(NodeKind kind, Position at);
  Variable* declare(std::string_view name, bool is_constant);
  Variable* find_variable(FunctionAst& function, std::string_view name, Position at);
  bool variable_name(std::string_view& name, Position& at);
  void note_effects(Node& n);
  bool parse_json_text();

  // parse_statement.cpp
  bool global_statements();
  Node* statement(Context context, bool& self_terminated);
  bool function_definition(Context context, bool is_private, Position at);
  bool function_head(FunctionAst& function, Token& name);
  bool function_parameters(FunctionAst& function);
  bool parameter_list(FunctionAst& function, Tok close, std::string_view closing_title,
                      std::string_view comma_title);
  Node* block(Context context);
  Node* expression_statement(Context context);
  Node* assignment(Node* target, Tok op, Node* value, Position at);
  Node* let_statement(Context context, bool is_constant);
  Node* import_statement(Context context);
  Node* export_statement(Context context);
  Node* jump_statement(Context context, NodeKind kind);

  // parse_flow.cpp
  Node* if_statement(Context context);
  Node* while_statement(Context context);
  Node* do_statement(Context context);
  Node* for_statement(Context context);
  bool for_variables(std::string_view& name, std::string_view& counter);
  Node* switch_statement(Context context);
  bool switch_patterns(Context context, std::vector<Node*>& patterns, Node*& condition);
  bool add_case(SwitchAst& cases, const Node& pattern, std::size_t arm);
  Node* try_statement(Context context);

  // parse_expression.cpp
  Node* condition(Context context);
  Node* expression(Context context);
  Node* unary(Context context);
  Node* binary(Context context, int parent_precedence, Node* left);
  Node* combine(const Token& op, Node* left, Node* right);
  Node* primary(Context context, bool as_property);
  Node* literal(const Token& token);
  Node* statement_expression(Context context, const Token& token, bool& handled);
  Node* identifier(Context context, bool as_property);
  Node* reserved_word(Context context);
  Node* postfix(Context context, Node* left);
  Node* call(Context context, Node* name, bool no_arguments, bool in_scope);
  bool arguments(Context context, std::string_view name, List<Node*>& out);
  Node* index_step(Context context, Node* left, bool elvis);
  Node* dot_step(Context context, Node* left, bool elvis, Position at);

  // parse_literal.cpp
  Node* interpolated(Context context);
  Node* array(Context context);
  Node* map(Context context);
  bool map_key(const Node& map, std::string_view& key);
  Node* closure(Context context);
  bool closure_parameters(FunctionAst& function);
  bool finish_closure(FunctionAst& inner);

  std::string_view source_;
  const ParseOptions& options_;
  LexOptions lex_options_;
  Lexer lexer_;
  Ast& ast_;
  FunctionAst* function_ = nullptr;
  ScriptError error_;
  bool failed_ = false;
  bool no_pipe_ = false;  // within the patterns of a switch `|` separates
};

// The place of a problem with an expression, as the official engine has it: chains and boolean operators
// begin with their left side, other operators are where they stand.
[[nodiscard]] Position start_of(const Node& node);

}  // namespace rbee::rhai
