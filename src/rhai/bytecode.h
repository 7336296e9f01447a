// What the compiler makes and the machine runs: functions of fixed-size instructions over registers.
//
// A register is a Value on the machine's stack. Operands a, b and c are registers unless the list of
// operations says otherwise; `d` is a jump target, a constant or an index into one of the function's tables.
#pragma once

#include "rhai/errors.h"
#include "rhai/lexer.h"
#include "rhai/value.h"

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace rbee::rhai {

struct NativeSet;

// clang-format off
#define RBEE_RHAI_OPERATIONS(X)                                                                         \
  X(load_const)      /* a = constant d */                                                               \
  X(load_int)        /* a = d */                                                                        \
  X(load_unit)       /* a = () */                                                                       \
  X(load_bool)       /* a = (b != 0) */                                                                 \
  X(move)            /* a = b */                                                                        \
  X(drop)            /* registers a to b - 1 let go of what they hold */                                \
  X(load_var)        /* a = variable b, which may be shared */                                          \
  X(store_var)       /* variable a, which may be shared, = b; d: name */                                \
  X(load_dynamic)    /* a = the variable named constant d, wherever it is */                            \
  X(define_dynamic)  /* new variable named constant d = a; b: constant */                               \
  X(dynamic_mark)    /* a = how many such variables there are */                                        \
  X(dynamic_rewind)  /* forgets all but the first a */                                                  \
  X(load_this)       /* a = this */                                                                     \
  X(load_global)     /* a = global constant b, whose name is constant d */                              \
  X(store_global)    /* global constant d = a */                                                        \
  X(add) X(sub) X(mul) X(div) X(mod)                /* a = b op c; d: 1 for an op-assignment */         \
  X(add_k) X(sub_k) X(mul_k) X(div_k) X(mod_k)      /* the same with constant c */                      \
  X(binary)          /* a = b op c, for the rarer ones; op in d */                                      \
  X(eq) X(ne) X(lt) X(le) X(gt) X(ge)               /* a = b op c */                                    \
  X(eq_k) X(ne_k) X(lt_k) X(le_k) X(gt_k) X(ge_k)                                                       \
  X(jump_eq) X(jump_ne) X(jump_lt) X(jump_le) X(jump_gt) X(jump_ge)  /* to d if (b op c) == (a != 0) */ \
  X(jump_eq_k) X(jump_ne_k) X(jump_lt_k) X(jump_le_k) X(jump_gt_k) X(jump_ge_k)                         \
  X(assign_op)       /* a op= b; op in d */                                                             \
  X(negate) X(plus) X(invert)  /* a = op b */                                                             \
  X(jump)            /* to d */                                                                         \
  X(jump_if)         /* to d if a, which must be a boolean, is b */                                     \
  X(jump_if_unit)    /* to d if a is () */                                                              \
  X(jump_if_value)   /* to d if a is not () */                                                          \
  X(loop)            /* to d, backwards; c: what one round costs */                                     \
  X(range_start)     /* a, a + 1 must be integers; c: inclusive */                                      \
  X(range_next)      /* b = the next of a to a + 1, or to d where there is none; c: inclusive */        \
  X(iterate)         /* a is to be looped over, with a + 1 as place */                                  \
  X(iterate_next)    /* b = the next item of a, or to d where there is none; c: variable b is shared */ \
  X(store_loop)      /* loop variable a, which may be shared, = b */                                    \
  X(make_array)      /* a = the c registers from b */                                                   \
  X(extend_array)    /* appends them to a */                                                            \
  X(make_map)        /* a = the registers from b under the keys of template d */                        \
  X(make_string)     /* a = the c registers from b as text */                                           \
  X(make_range)      /* a = b .. c; d: inclusive */                                                     \
  X(contains)        /* a = c in b */                                                                   \
  X(get_property)    /* a = b.constant d; c: place of the hint */                                       \
  /* get_property whose value only the jump behind it wants, which compares it with a constant */       \
  X(property_eq) X(property_ne) X(property_lt) X(property_le) X(property_gt) X(property_ge)             \
  X(property_if)     /* the same for a jump_if */                                                       \
  X(property_unless) /* the same for a jump_if behind an invert */                                      \
  X(get_index)       /* a = b[c] */                                                                     \
  X(set_property)    /* a.constant d = b; c: place of the hint */                                       \
  X(set_index)       /* a[b] = c */                                                                     \
  X(store_path)      /* path d op= a; op in b */                                                        \
  X(call)            /* a = function d of the b registers from a */                                     \
  X(call_native)     /* a = site d with the b registers from a */                                       \
  X(call_method)     /* a = site d on its target with the b registers from a + 2; a + 1: for `this` */  \
  X(push_item)       /* the same for `variable.push(item)` where nothing else can be meant */           \
  X(call_value)      /* the same for f.call(...) and call(f, ...) */                                    \
  X(call_in_scope)   /* a = f!(...) */                                                                  \
  X(curry)           /* a = a with the b registers from a + 1 bound */                                  \
  X(evaluate)        /* a = eval(a) in the scope of site d */                                           \
  X(make_closure)    /* a = closure d */                                                                \
  X(make_pointer)    /* a = Fn(a) */                                                                    \
  X(is_shared)       /* a = whether variable b is shared */                                             \
  X(is_defined)      /* a = is_def_var(a) with the scope of site d */                                   \
  X(check_name)      /* fails where no variable is named constant d */                                  \
  X(select_case)     /* to the arm of table d for a */                                                  \
  X(return_value)    /* a */                                                                            \
  X(return_bool)     /* b != 0 */                                                                       \
  X(return_unit)                                                                                        \
  X(throw_value)     /* a */                                                                            \
  X(fail)            /* error kind b about constant d */
// clang-format on

enum class Op : std::uint16_t {
#define X(name) name,
  RBEE_RHAI_OPERATIONS(X)
#undef X
};

struct Instruction {
  Op op;
  std::uint16_t a;
  std::uint16_t b;
  std::uint16_t c;
  std::int32_t d;
  std::uint32_t place;  // line and column
};
static_assert(sizeof(Instruction) == 16);

// 20 bits of line, 12 of column; what is beyond is at the border.
[[nodiscard]] std::uint32_t pack(Position position);
[[nodiscard]] Position unpack(std::uint32_t place);

struct PathStep {
  Value key;                // a string for a property, () for an index
  std::uint16_t index = 0;  // the register of the index
  bool elvis = false;
  mutable std::uint32_t hint = 0;
  const NativeSet* getter = nullptr;
  std::uint32_t place = 0;  // of the property or of the bracket
  std::uint32_t index_place = 0;
  [[nodiscard]] bool is_property() const { return key.is_string(); }
};

// A place that can be written: a variable and the way into it.
struct Path {
  enum class Root : std::uint8_t { local, shared, this_value, outer, name, global, temporary };
  Root root = Root::local;
  bool is_constant = false;
  bool is_field = false;  // one property of a local variable
  std::uint16_t reg = 0;
  Value name;
  std::uint32_t place = 0;
  std::vector<PathStep> steps;
};

struct VisibleVariable {
  Value name;
  std::uint16_t reg = 0;
  bool is_constant = false;
  bool is_outer = false;
};

struct CallSite {
  Value name;
  std::int32_t function = -1;            // the script's function of that name and number of arguments
  std::vector<std::int32_t> typed = {};  // those that are bound to a type of `this`
  const NativeSet* natives = nullptr;    // null: none of that name and number of arguments
  Path target = {};                      // methods and calls whose first argument is a variable
  bool has_target = false;
  std::vector<VisibleVariable> visible = {};
};

struct SwitchTable {
  struct Entry {
    std::int32_t arm = 0;        // where its code is
    std::int32_t condition = 0;  // where the code of its condition is; -1: none
  };
  struct Case {
    Value value;
    Entry entry;
  };
  struct Range {
    std::int64_t from;
    std::int64_t to;
    bool inclusive;
    Entry entry;
  };
  std::vector<Case> cases;
  std::vector<Range> ranges;
  std::unordered_map<std::int64_t, std::uint32_t> integers;     // first case of that value
  std::unordered_map<std::string_view, std::uint32_t> strings;  // the same
  std::size_t longest_text = 0;                                 // of `strings`, in bytes
  std::int32_t otherwise = 0;
  bool has_conditions = false;
};

struct TryRegion {
  std::int32_t begin = 0;
  std::int32_t end = 0;
  std::int32_t handler = 0;
  std::int32_t variable = -1;  // register for what was caught
  std::int32_t dynamic = -1;   // register with the number of variables met by name
};

struct MapTemplate {
  std::vector<Value> keys;             // sorted
  std::vector<std::uint16_t> sources;  // the register, relative, of each
};

struct CaptureSource {
  Value name;
  std::uint16_t reg = 0;
  bool by_name = false;
  std::uint32_t place = 0;
};

struct Function {
  std::uint32_t refs = 1;
  std::uint64_t program_id = 0;
  Value name;  // a string
  std::string this_type;
  bool is_private = false;
  bool is_closure = false;
  std::uint16_t captured = 0;    // leading parameters that are shared variables
  std::uint16_t parameters = 0;  // with the captured ones
  std::uint16_t registers = 0;
  std::uint32_t cost = 1;  // operations that a call counts for
  Position position;
  std::vector<Value> parameter_names;
  std::vector<Instruction> code;
  std::vector<Value> constants;
  // Where each place in the code found its property last time, and what reads it from other types.
  mutable std::vector<std::uint32_t> hints;
  std::vector<const NativeSet*> getters;
  std::vector<Path> paths;
  std::vector<CallSite> sites;
  std::vector<MapTemplate> templates;
  std::vector<SwitchTable> switches;
  std::vector<TryRegion> tries;
  std::vector<Function*> closures;  // counted
  std::vector<std::vector<CaptureSource>> closure_captures;
  // Registers of variables that are in scope when the script ends, for a host that keeps the scope.
  std::vector<VisibleVariable> at_end;

  Function() = default;
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;
  ~Function();
};

void ref(Function* function);
void unref(Function* function);

// A compiled script. Belongs to the thread of its engine; the source is kept for messages.
struct Program {
  std::uint64_t id = 0;
  std::string source;
  std::string file_name;
  Function* main = nullptr;
  std::vector<Function*> functions;       // defined by name, in order
  std::vector<std::string> global_names;  // constants that functions may read as global::NAME
  std::vector<std::string> scope_names;   // variables that the script expects from its host

  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();
  // Index of the function of that name with so many parameters and no type of `this`; -1: none.
  [[nodiscard]] std::int32_t find(std::string_view name, std::size_t parameters) const;
};

}  // namespace rbee::rhai
