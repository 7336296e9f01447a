#include "rhai/machine.h"

#include "rhai/host.h"
#include "rhai/machine_loop.h"
#include "rhai/operators.h"

#include <algorithm>

// Labels as values: a jump table per instruction predicts better than one for all.
#pragma GCC diagnostic ignored "-Wpedantic"

namespace rbee::rhai {

// One function, because its labels are what an instruction jumps to.
// NOLINTNEXTLINE(readability-function-size)
bool Machine::run_until(std::size_t stop) {
  static const void* const labels[] = {
#define X(name) &&label_##name,
      RBEE_RHAI_OPERATIONS(X)
#undef X
  };
  const Function* function = nullptr;
  Value* R = nullptr;
  const Value* K = nullptr;
  const Instruction* ip = nullptr;
  Frame* frame = nullptr;
  // No other object with a destructor may be alive where NEXT jumps: that does not run destructors.
  Value read;
  LOAD_FRAME;
  AGAIN;

  OPERATION(load_const) : R[ip->a] = K[ip->d];
  NEXT;
  OPERATION(load_int) : R[ip->a].set_int(ip->d);
  NEXT;
  OPERATION(load_unit) : R[ip->a].set_unit();
  NEXT;
  OPERATION(load_bool) : R[ip->a].set_bool(ip->b != 0);
  NEXT;
  OPERATION(move) : {
    if (ip->c != 0) {
      R[ip->a] = std::move(R[ip->b]);
    } else {
      R[ip->a] = R[ip->b];
    }
    NEXT;
  }
  OPERATION(drop) : {
    for (std::size_t r = ip->a; r < ip->b; ++r) R[r].drop();
    NEXT;
  }
  OPERATION(load_var) : {
    if (ip->c == 2 && frame->names != nullptr) {
      SAVE;
      bool is_named = false;
      if (!load_newer(K[ip->d], R[ip->a], is_named)) goto failed;
      if (is_named) NEXT;
    }
    const Value& from = R[ip->b];
    if (from.is(Type::cell)) {
      SAVE;
      if (!read_cell(from.cell_object(), K[ip->d], R[ip->a])) goto failed;
    } else {
      R[ip->a] = from;
    }
    NEXT;
  }
  OPERATION(store_var) : {
    Value& into = R[ip->a];
    if (into.is(Type::cell)) {
      if (into.cell_object().locked) {
        SAVE;
        (void)read_cell(into.cell_object(), K[ip->d], scratch_);
        goto failed;
      }
      into.cell_object().value = R[ip->b];
    } else {
      into = R[ip->b];
    }
    NEXT;
  }
  OPERATION(store_loop) : {
    Value& into = R[ip->a];
    if (into.is(Type::cell)) {
      into.cell_object().value = R[ip->b];
    } else {
      into = R[ip->b];
    }
    NEXT;
  }
  STEP(load_dynamic, load_dynamic(K[ip->d], R[ip->a]))
  OPERATION(define_dynamic) : {
    SAVE;
    define_named(K[ip->d], R[ip->a], ip->b);
    NEXT;
  }
  OPERATION(dynamic_mark) : {
    const std::vector<NamedValue>* names = frame->names;
    R[ip->a].set_int(names == nullptr ? 0 : static_cast<std::int64_t>(names->size()));
    NEXT;
  }
  OPERATION(dynamic_rewind) : {
    std::vector<NamedValue>* names = frame->names;
    const auto most = static_cast<std::size_t>(R[ip->a].as_int());
    if (names != nullptr && names->size() > most) names->resize(most);
    NEXT;
  }
  OPERATION(load_this) : {
    const Value* from = frame->this_value;
    if (from == nullptr) {
      SAVE;
      (void)fail_unbound();
      goto failed;
    }
    R[ip->a] = *from;
    NEXT;
  }
  OPERATION(load_global) : {
    const std::size_t index = ip->b;
    if (index >= globals_.size() || !global_known_[index]) {
      SAVE;
      (void)fail_global(K[ip->d]);
      goto failed;
    }
    R[ip->a] = globals_[index];
    NEXT;
  }
  OPERATION(store_global) : {
    const auto index = static_cast<std::size_t>(ip->d);
    const Value& from = R[ip->a];
    globals_[index] = from.is(Type::cell) ? from.cell_object().value : from;
    global_known_[index] = true;
    NEXT;
  }
  ARITHMETIC(add, R[ip->c], __builtin_add_overflow, +, Tok::plus)
  ARITHMETIC(sub, R[ip->c], __builtin_sub_overflow, -, Tok::minus)
  ARITHMETIC(mul, R[ip->c], __builtin_mul_overflow, *, Tok::multiply)
  ARITHMETIC(add_k, K[ip->c], __builtin_add_overflow, +, Tok::plus)
  ARITHMETIC(sub_k, K[ip->c], __builtin_sub_overflow, -, Tok::minus)
  ARITHMETIC(mul_k, K[ip->c], __builtin_mul_overflow, *, Tok::multiply)
  DIVISION(div, R[ip->c], /, Tok::divide)
  DIVISION(mod, R[ip->c], %, Tok::modulo)
  DIVISION(div_k, K[ip->c], /, Tok::divide)
  DIVISION(mod_k, K[ip->c], %, Tok::modulo)
  STEP(binary, binary_step(*ip, static_cast<Tok>(ip->d), R, R[ip->c]))
  COMPARISON(eq, R[ip->c], ==, Tok::equal_to)
  COMPARISON(ne, R[ip->c], !=, Tok::not_equal)
  COMPARISON(lt, R[ip->c], <, Tok::less)
  COMPARISON(le, R[ip->c], <=, Tok::less_equal)
  COMPARISON(gt, R[ip->c], >, Tok::greater)
  COMPARISON(ge, R[ip->c], >=, Tok::greater_equal)
  COMPARISON(eq_k, K[ip->c], ==, Tok::equal_to)
  COMPARISON(ne_k, K[ip->c], !=, Tok::not_equal)
  COMPARISON(lt_k, K[ip->c], <, Tok::less)
  COMPARISON(le_k, K[ip->c], <=, Tok::less_equal)
  COMPARISON(gt_k, K[ip->c], >, Tok::greater)
  COMPARISON(ge_k, K[ip->c], >=, Tok::greater_equal)
  COMPARE_JUMP(jump_eq, R[ip->c], ==, Tok::equal_to)
  COMPARE_JUMP(jump_ne, R[ip->c], !=, Tok::not_equal)
  COMPARE_JUMP(jump_lt, R[ip->c], <, Tok::less)
  COMPARE_JUMP(jump_le, R[ip->c], <=, Tok::less_equal)
  COMPARE_JUMP(jump_gt, R[ip->c], >, Tok::greater)
  COMPARE_JUMP(jump_ge, R[ip->c], >=, Tok::greater_equal)
  COMPARE_JUMP(jump_eq_k, K[ip->c], ==, Tok::equal_to)
  COMPARE_JUMP(jump_ne_k, K[ip->c], !=, Tok::not_equal)
  COMPARE_JUMP(jump_lt_k, K[ip->c], <, Tok::less)
  COMPARE_JUMP(jump_le_k, K[ip->c], <=, Tok::less_equal)
  COMPARE_JUMP(jump_gt_k, K[ip->c], >, Tok::greater)
  COMPARE_JUMP(jump_ge_k, K[ip->c], >=, Tok::greater_equal)
  STEP(assign_op, apply(static_cast<Tok>(ip->d), R[ip->a], R[ip->b]))
  STEP(negate, rhai::negate(R[ip->b], R[ip->a], error_))
  STEP(plus, rhai::unary_plus(R[ip->b], R[ip->a], error_))
  OPERATION(invert) : {
    if (!R[ip->b].is_bool()) {
      SAVE;
      (void)fail_not(R[ip->b]);
      goto failed;
    }
    R[ip->a].set_bool(!R[ip->b].as_bool());
    NEXT;
  }
  OPERATION(jump) : ip = function->code.data() + ip->d;
  AGAIN;
  OPERATION(jump_if) : {
    if (!R[ip->a].is_bool()) goto not_boolean;
    if (R[ip->a].as_bool() != (ip->b != 0)) NEXT;
    ip = function->code.data() + ip->d;
    AGAIN;
  }
  OPERATION(jump_if_unit) : {
    if (!R[ip->a].is_unit()) NEXT;
    ip = function->code.data() + ip->d;
    AGAIN;
  }
  OPERATION(jump_if_value) : {
    if (R[ip->a].is_unit()) NEXT;
    ip = function->code.data() + ip->d;
    AGAIN;
  }
  OPERATION(loop) : {
    budget_ -= ip->c;
    if (budget_ < 0) {
      SAVE;
      (void)fail_spent();
      goto failed;
    }
    ip = function->code.data() + ip->d;
    AGAIN;
  }
  OPERATION(range_start) : {
    Value& from = R[ip->a];
    Value& to = R[ip->a + 1];
    if (from.is_int() && to.is_unit()) to.set_int(INT64_MAX);
    if (!from.is_int() || !to.is_int()) {
      SAVE;
      (void)fail_range(from, to, ip->c != 0);
      goto failed;
    }
    NEXT;
  }
  OPERATION(range_next) : {
    Value& from = R[ip->a];
    const std::int64_t at = from.as_int();
    const std::int64_t to = R[ip->a + 1].as_int();
    if (from.is_unit() || at > to || (at == to && ip->c == 0)) {
      ip = function->code.data() + ip->d;
      AGAIN;
    }
    R[ip->b].set_int(at);
    if (at == INT64_MAX) {
      from.set_unit();
    } else {
      from.set_int(at + 1);
    }
    NEXT;
  }
  STEP(iterate, iterate(R + ip->a))
  OPERATION(iterate_next) : {
    Value& items = R[ip->a];
    if (items.is_array()) {
      const auto at = static_cast<std::size_t>(R[ip->a + 1].as_int());
      const std::vector<Value>& list = items.items();
      if (at < list.size()) {
        R[ip->b] = list[at];
        R[ip->a + 1].set_int(static_cast<std::int64_t>(at) + 1);
        NEXT;
      }
      ip = function->code.data() + ip->d;
      AGAIN;
    }
    SAVE;
    bool more = false;
    if (!iterate_next(R + ip->a, R[ip->b], more)) goto failed;
    if (more) NEXT;
    ip = function->code.data() + ip->d;
    AGAIN;
  }
  STEP(make_array, make_array(*ip, R))
  STEP(extend_array, extend_array(*ip, R))
  STEP(make_map, make_map(*ip, R, *function))
  STEP(make_string, make_string(*ip, R))
  OPERATION(make_range) : {
    const Value& from = R[ip->b];
    const Value& to = R[ip->c];
    if (!from.is_int() || !(to.is_int() || to.is_unit())) {
      SAVE;
      (void)fail_range(from, to, ip->d != 0);
      goto failed;
    }
    R[ip->a] = Value::range(from.as_int(), to.is_int() ? to.as_int() : INT64_MAX, ip->d != 0);
    NEXT;
  }
  STEP(contains, contains_step(*ip, R))
  OPERATION(get_property) : {
    const Value& object = R[ip->b];
    if (object.is_map()) {
      if (const Value* found = object.map_object().find(K[ip->d], function->hints[ip->c])) {
        R[ip->a] = *found;
        NEXT;
      }
    } else if (object.is(Type::host)) {
      const HostObject& host = object.host_object();
      if (const HostProperty* property = host.host_type->find(K[ip->d].text(), function->hints[ip->c])) {
        if (property->place != nullptr) {
          R[ip->a] = property->place(host.data.get());
        } else {
          R[ip->a] = property->get(host.data.get());
        }
        NEXT;
      }
    }
    goto property;
  }
  PROPERTY_JUMP(property_eq, ==, Tok::equal_to)
  PROPERTY_JUMP(property_ne, !=, Tok::not_equal)
  PROPERTY_JUMP(property_lt, <, Tok::less)
  PROPERTY_JUMP(property_le, <=, Tok::less_equal)
  PROPERTY_JUMP(property_gt, >, Tok::greater)
  PROPERTY_JUMP(property_ge, >=, Tok::greater_equal)
  OPERATION(property_if) : {
    const Value* found = nullptr;
    if (!peek_property(R[ip->b], K[ip->d], function->hints[ip->c], read, found)) goto property;
    if (!found->is_bool()) goto property;
    ++ip;
    if (found->as_bool() != (ip->b != 0)) NEXT;
    ip = function->code.data() + ip->d;
    AGAIN;
  }
  OPERATION(property_unless) : {
    const Value* found = nullptr;
    if (!peek_property(R[ip->b], K[ip->d], function->hints[ip->c], read, found)) goto property;
    if (!found->is_bool()) goto property;
    ip += 2;
    if (found->as_bool() == (ip->b != 0)) NEXT;
    ip = function->code.data() + ip->d;
    AGAIN;
  }
  OPERATION(get_index) : {
    const Value& object = R[ip->b];
    const Value& index = R[ip->c];
    if (object.is_array() && index.is_int()) {
      const std::vector<Value>& items = object.items();
      if (static_cast<std::uint64_t>(index.as_int()) < items.size()) {
        R[ip->a] = items[static_cast<std::size_t>(index.as_int())];
        NEXT;
      }
    }
    SAVE;
    if (!get_index_step(*ip, R)) goto failed;
    NEXT;
  }
  OPERATION(set_property) : {
    Value& object = R[ip->a];
    if (object.is_map() && object.object()->refs == 1 && !R[ip->b].is_object()) {
      if (Value* found = object.map_object().find(K[ip->d], function->hints[ip->c])) {
        *found = R[ip->b];
        NEXT;
      }
    }
    SAVE;
    if (!set_property_step(*ip, R, *function)) goto failed;
    NEXT;
  }
  OPERATION(set_index) : {
    Value& object = R[ip->a];
    const Value& index = R[ip->b];
    if (object.is_array() && index.is_int() && object.object()->refs == 1 && !R[ip->c].is_object()) {
      std::vector<Value>& items = object.array_object().items;
      if (static_cast<std::uint64_t>(index.as_int()) < items.size()) {
        items[static_cast<std::size_t>(index.as_int())] = R[ip->c];
        NEXT;
      }
    }
    SAVE;
    if (!set_index_step(*ip, R)) goto failed;
    NEXT;
  }
  STEP(store_path, store_step(*ip, R, *function))
  OPERATION(call) : {
    const Function* callee = program_->functions[static_cast<std::size_t>(ip->d)];
    Value* base = R + ip->a;
    SAVE;
    if (!push(*callee, base, base, nullptr, 0)) goto failed;
    ++frame;
    function = callee;
    R = base;
    K = function->constants.data();
    ip = function->code.data();
    AGAIN;
  }
  STEP(call_native, native_step(*ip, R, *function))
  CALL_STEP(call_method, method_step(*ip, R, *function))
  OPERATION(push_item) : {
    Value& list = R[function->sites[static_cast<std::size_t>(ip->d)].target.reg];
    if (list.is_array() && list.object()->refs == 1 && list.items().size() < array_room_) {
      list.array_object().items.push_back(std::move(R[ip->a + 2]));
      R[ip->a].set_unit();
      NEXT;
    }
    SAVE;
    if (!method_step(*ip, R, *function)) goto failed;
    NEXT;
  }
  OPERATION(call_value) : {
    SAVE;
    const Path& target = function->sites[static_cast<std::size_t>(ip->d)].target;
    const bool held =
        target.steps.empty() && (target.root == Path::Root::local || target.root == Path::Root::temporary);
    if (held && R[target.reg].is(Type::function)) {
      // The register keeps the function alive: nothing can write it while its frame waits.
      const FunctionObject& pointer = R[target.reg].function_object();
      const Function* callee = pointer.closure;
      Value* const above = R + function->registers;
      if (callee != nullptr && pointer.curry.empty() && callee->parameters == ip->b &&
          callee->program_id == program_->id && room_for(*callee, above)) {
        for (std::size_t n = 0; n < ip->b; ++n) above[n] = std::move(R[ip->a + 2 + n]);
        if (!push(*callee, above, R + ip->a, nullptr, 0)) goto failed;
        LOAD_FRAME;
        AGAIN;
      }
    }
    const std::size_t before = depth_;
    if (!value_step(*ip, R, *function)) goto failed;
    if (depth_ != before) {
      LOAD_FRAME;
      AGAIN;
    }
    NEXT;
  }
  CALL_STEP(call_in_scope, call_in_scope(*ip, R, *function))
  CALL_STEP(curry, curry_step(*ip, R, *function))
  STEP(evaluate, evaluate(*ip, R, *function))
  STEP(make_closure, make_closure(*ip, R, *function))
  STEP(make_pointer, make_pointer(R[ip->a]))
  OPERATION(is_shared) : R[ip->a].set_bool(R[ip->b].is(Type::cell));
  NEXT;
  STEP(is_defined, is_defined(*ip, R, *function))
  STEP(check_name, name_exists(K[ip->d]))
  OPERATION(select_case) : {
    const SwitchTable& table = function->switches[static_cast<std::size_t>(ip->d)];
    ip = function->code.data() + find_case(table, R[ip->a], R[ip->a + 1]);
    AGAIN;
  }
  OPERATION(return_bool) : {
    R[0].set_bool(ip->b != 0);
    if (frame->flags != 0) goto slow_return;
    Value* const into = frame->result;
    for (std::size_t r = 1; r < function->registers; ++r) R[r].drop();
    into->set_bool(ip->b != 0);
    goto returned;
  }
  OPERATION(return_unit) : {
    if (frame->flags != 0) goto slow_return;
    Value* const into = frame->result;
    for (std::size_t r = 0; r < function->registers; ++r) R[r].drop();
    into->set_unit();
    goto returned;
  }
  OPERATION(return_value) : {
    if (frame->flags != 0) goto slow_return;
    Value* const into = frame->result;
    {
      // The place it goes to may be a register of this frame.
      Value value = std::move(R[ip->a]);
      for (std::size_t r = 0; r < function->registers; ++r) R[r].drop();
      *into = std::move(value);
    }
  }
returned:
  if (--depth_ == stop) return true;
  LOAD_FRAME;
  NEXT;
slow_return:
  SAVE;
  if (!slow_return(*frame, ip->op == Op::return_unit ? nullptr : R + ip->a)) {
    LOAD_FRAME;
    goto failed;
  }
  if (depth_ == stop) return true;
  LOAD_FRAME;
  NEXT;
  OPERATION(throw_value) : {
    SAVE;
    (void)fail_thrown(R[ip->a]);
    goto failed;
  }
  OPERATION(fail) : {
    SAVE;
    (void)fail_step(*ip, R, *function);
    goto failed;
  }

property:
  SAVE;
  if (!get_property_step(*ip, R, *function)) goto failed;
  NEXT;
not_boolean:
  SAVE;
  (void)fail_condition(R[ip->a]);
failed:
  SAVE;
  note_place(*ip);
  if (!unwind(stop)) return false;
  LOAD_FRAME;
  NEXT;
}

}  // namespace rbee::rhai
