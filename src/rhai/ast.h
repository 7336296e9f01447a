// The tree that the parser makes and the compiler reads.
//
// Nodes live in the Ast and point at each other freely: nothing recurses to free them. Variables are found
// while parsing, so a name in the tree is already a Variable, or unknown until run time.
#pragma once

#include "rhai/lexer.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::rhai {

struct FunctionAst;
struct Node;

// In the memory of the Ast that it belongs to.
template <class T>
using List = std::pmr::vector<T>;

struct Variable {
  std::string_view name;
  bool is_constant = false;
  // A closure shares it: its register may hold a cell, so every access has to look.
  bool is_captured = false;
  // A `let` of the same name in the same block takes the register of the one before.
  Variable* replaces = nullptr;
  // A variable of the frame in which eval() or `f!()` was called; `reg` is a register of that frame.
  bool is_outer = false;
  // Defined at the top of an eval(): found by name from then on.
  bool is_by_name = false;
  int reg = -1;
  std::size_t scope_size = 0;  // how many variables are visible with it
};

enum class NodeKind : std::uint8_t {
  // clang-format off
  unit, boolean, integer, floating, character, string, interpolated, array, map, variable, this_value,
  qualified, call, chain, unary, binary, contains, logical_and, logical_or, coalesce, closure,
  block, if_else, switch_case, while_loop, do_loop, for_loop,
  let, assign, return_value, throw_value, break_loop, continue_loop, try_catch, import, export_name,
  // clang-format on
};

// One link of a.b[c].d(e).
struct Step {
  explicit Step(std::pmr::memory_resource* memory) : arguments(memory) {}
  enum class Kind : std::uint8_t { property, index, method };
  Kind kind = Kind::property;
  bool elvis = false;  // `?.` or `?[`: ends the chain where the value is ()
  Position position;
  Position argument_position;
  std::string_view name;
  List<Node*> arguments;  // of a method, or the one index
};

struct SwitchArm {
  Node* condition = nullptr;  // none: always
  Node* action = nullptr;
};

struct SwitchAst {
  struct Case {
    Value value;
    std::size_t arm;
  };
  struct Range {
    std::int64_t from;
    std::int64_t to;
    bool inclusive;
    std::size_t arm;
  };
  std::vector<SwitchArm> arms;
  std::vector<Case> cases;
  std::vector<Range> ranges;
  std::ptrdiff_t default_arm = -1;
};

struct Node {
  // Containers hand theirs on to what they hold.
  using allocator_type = std::pmr::polymorphic_allocator<>;
  explicit Node(const allocator_type& memory) : kids(memory), steps(memory), keys(memory), visible(memory) {}

  NodeKind kind = NodeKind::unit;
  Tok op = Tok::end;
  bool flag = false;     // call: `!`; contains: `!in`; do_loop: until
  bool effects = false;  // evaluating it may change a variable
  Position position;
  std::string_view text;   // name, or the text of a string
  std::string_view space;  // qualified names and calls: what stands before `::`
  std::int64_t integer = 0;
  double floating = 0;
  Variable* variable = nullptr;
  Variable* second = nullptr;  // for_loop: the counter
  List<Node*> kids;
  List<Step> steps;             // chain: kids[0] is the root
  List<std::string_view> keys;  // map
  List<Variable*> visible;      // eval and `f!()`: what the code may see
  FunctionAst* function = nullptr;
  std::unique_ptr<SwitchAst> cases;
};

struct Capture {
  Variable* inner = nullptr;
  Variable* outer = nullptr;  // null: found by name when the closure is made
  std::string_view name;
  Position position;
};

struct FunctionAst {
  std::string_view name;       // empty for closures and the script itself
  std::string_view this_type;  // empty: any
  bool is_private = false;
  bool is_closure = false;
  // It calls eval() or runs a function in its own scope: variables can be met by name.
  bool is_dynamic = false;
  Position position;
  FunctionAst* parent = nullptr;  // of a closure
  std::vector<Variable*> parameters;
  std::vector<Capture> captures;
  Node* body = nullptr;

  // While parsing: the variables in sight, and where the innermost block begins.
  std::vector<Variable*> scope;
  std::size_t block_start = 0;
};

struct Ast {
  // `first` is memory to begin with, for a host that compiles often.
  explicit Ast(std::span<std::byte> first = {}) : memory(first.data(), first.size()) {}

  std::pmr::monotonic_buffer_resource memory;
  std::pmr::deque<Node> nodes{&memory};
  std::pmr::deque<Variable> variables{&memory};
  std::pmr::deque<FunctionAst> functions{&memory};  // all, closures too
  std::deque<std::string> texts;                    // made by the parser
  std::deque<std::string> token_texts;              // made by the lexer
  FunctionAst* main = nullptr;
  std::vector<FunctionAst*> named;
};

// The value of a literal, with arrays, maps and ranges of literals.
[[nodiscard]] bool literal_value(const Node& node, Value& out);

}  // namespace rbee::rhai
