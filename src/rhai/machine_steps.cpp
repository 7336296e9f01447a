// Instructions that are too long for the machine's loop.
#include "rhai/host.h"
#include "rhai/machine.h"
#include "rhai/operators.h"

#include <algorithm>

namespace rbee::rhai {

Position Machine::native_place() const {
  return depth_ == 0 ? Position{} : unpack(frames_[depth_ - 1].pc->place);
}

bool Machine::binary_step(const Instruction& i, Tok op, Value* registers, const Value& right) {
  if (i.op != Op::binary && i.d == 1) {
    Value value = right;
    return apply(op, registers[i.a], value);
  }
  Value out;
  if (!charge_operand(registers[i.b]) || !charge_operand(right)) return false;
  if (op == Tok::minus && registers[i.b].is_string() &&
      !charge(search_steps(registers[i.b].text().size(), right.is_string() ? right.text().size() : 1))) {
    return false;
  }
  if (!binary_operator(op, registers[i.b], right, out, error_)) {
    // The official engine does not say where an operator failed; people are told.
    error_.unplaced = error_.kind == ErrorKind::arithmetic;
    error_.place = unpack(i.place);
    return false;
  }
  const bool made = out.is_object();
  registers[i.a] = std::move(out);
  if (!made) return true;
  const Value& result = registers[i.a];
  const std::size_t size = result.is_string()  ? result.text().size()
                           : result.is_array() ? result.items().size()
                                               : 0;
  return charge(size) && check_size(result);
}

bool Machine::compare_slow(Tok op, const Value& a, const Value& b, bool& out, std::uint32_t place) {
  (void)place;
  std::size_t steps = 0;
  return compare(op, a, b, out, error_, &steps) && (steps < 64 || charge(steps));
}

bool Machine::iterate(Value* items) {
  Value& list = items[0];
  IteratorObject* iterator = nullptr;
  switch (list.type()) {
    case Type::array:
    case Type::blob: break;
    case Type::string:
      iterator = new IteratorObject(IteratorObject::Kind::chars);
      iterator->to = INT64_MAX;
      iterator->source = list;
      break;
    case Type::range:
    case Type::range_inclusive:
      iterator = new IteratorObject(IteratorObject::Kind::integers);
      iterator->from = list.range_object().from;
      iterator->to = list.range_object().to;
      if (list.is(Type::range_inclusive)) {
        if (iterator->to == INT64_MAX) break;
        ++iterator->to;
      }
      break;
    // The place in it is the loop's own.
    case Type::iterator: iterator = new IteratorObject(list.iterator_object()); break;
    default: return fail(ErrorKind::not_iterable, {});
  }
  if (iterator != nullptr) {
    iterator->refs = 1;
    list = Value::adopt(iterator);
  }
  items[1].set_int(0);
  return true;
}

bool Machine::iterate_next(Value* items, Value& out, bool& more) {
  Value& list = items[0];
  if (list.is(Type::blob)) {
    const auto at = static_cast<std::size_t>(items[1].as_int());
    more = at < list.bytes().size();
    if (!more) return true;
    out = Value::integer(list.bytes()[at]);
    items[1].set_int(static_cast<std::int64_t>(at) + 1);
    return true;
  }
  IteratorObject& iterator = list.iterator_object();
  switch (iterator.kind) {
    case IteratorObject::Kind::integers:
      more = iterator.step > 0 ? iterator.from < iterator.to : iterator.from > iterator.to;
      if (!more) return true;
      out = Value::integer(iterator.from);
      // As officially a number from which no step leads on is not reached.
      more = !__builtin_add_overflow(iterator.from, iterator.step, &iterator.from);
      return true;
    case IteratorObject::Kind::floats:
      more = iterator.float_step > 0 ? iterator.float_from < iterator.float_to
                                     : iterator.float_from > iterator.float_to;
      if (!more) return true;
      out = Value::floating(iterator.float_from);
      iterator.float_from += iterator.float_step;
      return true;
    case IteratorObject::Kind::chars: {
      const std::string& text = iterator.source.text();
      // `step` counts characters for the end, `from` is the byte.
      auto offset = static_cast<std::size_t>(iterator.from);
      more = offset < text.size() && iterator.to > 0;
      if (!more) return true;
      out = Value::character(next_char(text, offset));
      iterator.from = static_cast<std::int64_t>(offset);
      --iterator.to;
      return true;
    }
    case IteratorObject::Kind::bits:
      more = iterator.from < iterator.to;
      if (!more) return true;
      out =
          Value::boolean(((static_cast<std::uint64_t>(iterator.source.as_int()) >> iterator.from) & 1U) != 0);
      ++iterator.from;
      return true;
  }
  return true;
}

bool Machine::make_array(const Instruction& i, Value* registers) {
  auto* array = new ArrayObject;
  array->items.reserve(i.c);
  for (std::size_t n = 0; n < i.c; ++n) array->items.push_back(std::move(registers[i.b + n]));
  registers[i.a] = Value::adopt(array);
  return limits_.array_items == 0 || check_size(registers[i.a]);
}

bool Machine::extend_array(const Instruction& i, Value* registers) {
  std::vector<Value>& items = registers[i.a].unique_items();
  for (std::size_t n = 0; n < i.c; ++n) items.push_back(std::move(registers[i.b + n]));
  return limits_.array_items == 0 || check_size(registers[i.a]);
}

bool Machine::contains_step(const Instruction& i, Value* registers) {
  bool answer = false;
  std::size_t steps = 0;
  if (!contains(registers[i.b], registers[i.c], answer, error_, &steps)) return false;
  if (steps > 64 && !charge(steps)) return false;
  registers[i.a].set_bool(answer);
  return true;
}

bool Machine::make_map(const Instruction& i, Value* registers, const Function& function) {
  const MapTemplate& form = function.templates[static_cast<std::size_t>(i.d)];
  auto* map = new MapObject;
  map->entries.reserve(form.keys.size());
  for (std::size_t n = 0; n < form.keys.size(); ++n) {
    map->entries.push_back({form.keys[n], std::move(registers[i.b + form.sources[n]])});
  }
  registers[i.a] = Value::adopt(map);
  return check_size(registers[i.a]);
}

bool Machine::make_string(const Instruction& i, Value* registers) {
  Value made = Value::string({});
  std::string& text = made.string_object().text;
  for (std::size_t n = 0; n < i.c; ++n) {
    Value& part = registers[i.b + n];
    if (part.is_string()) {
      text += part.text();
    } else {
      append_text(text, part);
    }
    part.drop();
    if (!check_string(text.size())) return false;
  }
  if (!charge(text.size())) return false;
  registers[i.a] = std::move(made);
  return true;
}

namespace {
bool in_range(const SwitchTable::Range& range, const Value& item) {
  if (item.is_int()) {
    return item.as_int() >= range.from &&
           (range.inclusive ? item.as_int() <= range.to : item.as_int() < range.to);
  }
  if (!item.is_float()) return false;
  const double x = item.as_float();
  return x >= static_cast<double>(range.from) &&
         (range.inclusive ? x <= static_cast<double>(range.to) : x < static_cast<double>(range.to));
}

std::int32_t target_of(const SwitchTable::Entry& entry) {
  return entry.condition >= 0 ? entry.condition : entry.arm;
}
}  // namespace

// Where the code goes on for this item. `resume` is the case that was tried last and whose condition failed.
std::int32_t Machine::find_case(const SwitchTable& table, const Value& item, Value& resume) {
  auto at = static_cast<std::size_t>(resume.as_int());
  if (!table.has_conditions) {
    if (item.is_int()) {
      const auto found = table.integers.find(item.as_int());
      if (found != table.integers.end()) return table.cases[found->second].entry.arm;
      at = table.cases.size();
    } else if (item.is_string()) {
      // Hashing would look at all of it.
      if (item.text().size() > table.longest_text) return table.otherwise;
      const auto found = table.strings.find(item.text());
      return found != table.strings.end() ? table.cases[found->second].entry.arm : table.otherwise;
    }
  }
  const std::size_t cases = table.cases.size();
  for (; at < cases + table.ranges.size(); ++at) {
    const bool exact = at < cases;
    const bool fits =
        exact ? same_literal(table.cases[at].value, item) : in_range(table.ranges[at - cases], item);
    if (!fits) continue;
    resume.set_int(static_cast<std::int64_t>(at) + 1);
    return target_of(exact ? table.cases[at].entry : table.ranges[at - cases].entry);
  }
  return table.otherwise;
}

bool Machine::get_property_step(const Instruction& i, Value* registers, const Function& function) {
  Value out;
  const Value& name = function.constants[static_cast<std::size_t>(i.d)];
  if (!get_property(registers[i.b], name, function.hints[i.c], function.getters[i.c], out)) return false;
  registers[i.a] = std::move(out);
  return true;
}

bool Machine::get_index_step(const Instruction& i, Value* registers) {
  Value out;
  if (!get_index(registers[i.b], registers[i.c], out, static_cast<std::uint32_t>(i.d))) return false;
  registers[i.a] = std::move(out);
  return true;
}

bool Machine::set_property_step(const Instruction& i, Value* registers, const Function& function) {
  PathStep step;
  step.key = function.constants[static_cast<std::size_t>(i.d)];
  step.place = i.place;
  step.getter = function.getters[i.c];
  step.hint = function.hints[i.c];
  Value value = registers[i.b];
  Value& object = registers[i.a];
  if (!charge_copy(object) || !store_property(step, object, value, Tok::equals)) return false;
  function.hints[i.c] = step.hint;
  return check_size(object);
}

bool Machine::set_index_step(const Instruction& i, Value* registers) {
  PathStep step;
  step.place = i.place;
  step.index_place = static_cast<std::uint32_t>(i.d);
  Value value = registers[i.c];
  const Value index = registers[i.b];
  Value& object = registers[i.a];
  const bool grows = value.is_object() || object.is_map();
  if (!charge_copy(object) || !store_item(step, object, index, value, Tok::equals)) return false;
  return !grows || check_size(object);
}

namespace {
// map.n += 1 and the like, where both are integers and the map is the variable's own.
bool change_field(const Path& path, Tok op, const Value& object, const Value& by) {
  if (!by.is_int() || !object.is_map() || object.object()->refs != 1) return false;
  Value* field = object.map_object().find(path.steps[0].key, path.steps[0].hint);
  if (field == nullptr || !field->is_int()) return false;
  std::int64_t r = 0;
  const bool overflow = op == Tok::plus    ? __builtin_add_overflow(field->as_int(), by.as_int(), &r)
                        : op == Tok::minus ? __builtin_sub_overflow(field->as_int(), by.as_int(), &r)
                                           : true;
  if (!overflow) field->set_int(r);
  return !overflow;
}
}  // namespace

bool Machine::store_step(const Instruction& i, Value* registers, const Function& function) {
  const Path& path = function.paths[static_cast<std::size_t>(i.d)];
  if (path.is_field && change_field(path, static_cast<Tok>(i.b), registers[path.reg], registers[i.a])) {
    return true;
  }
  Value value = registers[i.a];
  return store_path(path, registers, value, static_cast<Tok>(i.b));
}

bool Machine::fail_step(const Instruction& i, Value* registers, const Function& function) {
  const auto kind = static_cast<ErrorKind>(i.b);
  if (i.c == 0) return fail(kind, function.constants[static_cast<std::size_t>(i.d)].text());
  const Value& subject = registers[i.a];
  if (subject.is_string()) return fail(kind, subject.text());
  ScriptError error = make_error(ErrorKind::mismatch_data_type, "string");
  error.actual = type_name(subject);
  return fail(std::move(error));
}

}  // namespace rbee::rhai
