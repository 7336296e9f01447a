// From the tree to instructions: variables become registers, names of functions become indexes.
#pragma once

#include "rhai/ast.h"
#include "rhai/bytecode.h"
#include "rhai/limits.h"
#include "rhai/registry.h"

#include <unordered_map>

namespace rbee::rhai {

class Compiler {
 public:
  // For eval() `base` is the program that runs: its functions are the ones to call.
  Compiler(Program& program, const Registry& registry, const Limits& limits, const Program* base);
  // Whether it fits the instructions; what does not is far beyond what a person writes.
  [[nodiscard]] bool compile(Ast& ast);

 private:
  struct Loop {
    int target = -1;
    int dynamic_mark = -1;
    std::vector<std::size_t> breaks;
    std::vector<std::size_t> continues;
  };
  struct State {
    Function* function = nullptr;
    FunctionAst* ast = nullptr;
    int next = 0;
    int block_depth = 0;
    std::vector<Loop> loops;
    std::unordered_map<std::int64_t, int> integers;
  };
  // The place where a chain has come to: a register, or a path from a variable that is not read yet.
  struct Place {
    bool is_path = false;
    Path path;
    int reg = -1;
  };
  using Jumps = std::vector<std::size_t>;

  // compiler.cpp
  Function* function(FunctionAst& ast, bool is_main);
  void parameters(FunctionAst& ast);
  std::size_t emit(Op op, int a, int b, int c, std::int64_t d, Position place);
  [[nodiscard]] std::size_t here() const { return state_->function->code.size(); }
  void patch(std::size_t at) { state_->function->code[at].d = static_cast<std::int32_t>(here()); }
  void patch_all(const Jumps& jumps) {
    for (const std::size_t at : jumps) patch(at);
  }
  int allocate(int count = 1);
  void release_to(int next) { state_->next = next; }
  int constant(Value value);
  int string_constant(std::string_view text);
  bool constant_operand(const Node& n, int& index);
  // A text of the program: one value for all its uses, and where the function compiled last has it.
  struct Text {
    Value value;
    const Function* function = nullptr;
    int constant = -1;
    // What reads a property of that name, once it was looked for.
    const NativeSet* getter = nullptr;
    bool getter_known = false;
  };
  Text& text(std::string_view text);
  const Value& interned(std::string_view name) { return text(name).value; }
  int hint(std::string_view property);
  const NativeSet* getter(std::string_view property);
  [[nodiscard]] bool is_dynamic() const { return state_->ast->is_dynamic; }
  [[nodiscard]] bool is_plain(const Variable& v) const;

  // compile_expression.cpp
  int operand(const Node& n);
  int operand_before(const Node& n, const Node& later);
  void expression(const Node& n, int target);
  void literal(const Node& n, int target);
  void variable(const Node& n, int target);
  void load_variable(const Variable& v, int target, Position place);
  void unary(const Node& n, int target);
  void binary(const Node& n, int target);
  void comparison(Op op, const Node& n, int target);
  void range(const Node& n, int target);
  void logical(const Node& n, int target);
  void coalesce(const Node& n, int target);
  void array(const Node& n, int target);
  void map(const Node& n, int target);
  void interpolated(const Node& n, int target);
  void closure(const Node& n, int target);
  void jump_on(const Node& n, bool sense, Jumps& jumps);
  void fuse_property(std::size_t back, int reg, Op fused);
  bool jump_on_comparison(const Node& n, bool sense, Jumps& jumps);

  // compile_chain.cpp
  void chain(const Node& n, int target);
  void chain_arguments(const Node& n, std::vector<int>& bases, int target);
  Path root_path(const Node& root);
  void add_step(Path& path, const Step& step, int index);
  int read_path(const Path& path, int target);
  void method(const Step& step, Place& place, int base);
  void read_step(const Step& step, Place& place, int index, int target);
  void call(const Node& n, int target);
  bool special_call(const Node& n, int target);
  void native_call(const Node& n, int base);
  std::size_t add_site(CallSite site);
  void add_visible(CallSite& site, const List<Variable*>& visible);
  std::size_t add_path(Path path);
  void assign(const Node& n);
  void assign_variable(const Node& n, const Node& target);
  void assign_chain(const Node& n, const Node& target);

  // compile_statement.cpp
  void statement(const Node& n, int target);
  void block(const Node& n, int target);
  void block_statements(const Node& n, int target);
  void let(const Node& n);
  void if_else(const Node& n, int target);
  void while_loop(const Node& n, int target);
  void do_loop(const Node& n, int target);
  void for_loop(const Node& n, int target);
  void for_range(const Node& n, int target);
  void for_items(const Node& n, int target);
  // The loop behind what `source` was set up for; `advance` takes its next item.
  void for_body(const Node& n, int target, Op advance, int source, int inclusive);
  void loop_variable(const Node& n, Variable& v, int& direct);
  void begin_loop(int target);
  void end_loop(std::size_t start, Position place);
  void finish_loop();
  void switch_case(const Node& n, int target);
  void try_catch(const Node& n, int target);
  void jump(const Node& n);
  void returns(const Node& n);
  void tail(const Node& n);
  int begin_scope();
  void end_scope(int mark, int saved);
  void fail_with(ErrorKind kind, std::string_view subject, Position place);

  Program& program_;
  const Registry& registry_;
  const Limits& limits_;
  const Program* base_;
  Ast* ast_ = nullptr;
  State* state_ = nullptr;
  std::unordered_map<std::string_view, Text> texts_;  // by the text of the value itself
  std::unordered_map<std::string_view, int> globals_;
  bool too_large_ = false;
};

// The machine's number for an operator; shared with its table of operators.
[[nodiscard]] bool assignment_operator(Tok op, Tok& plain);

}  // namespace rbee::rhai
