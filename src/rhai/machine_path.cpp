// Reading and writing of properties and indexes, also deep within a variable.
#include "rhai/host.h"
#include "rhai/machine.h"
#include "rhai/machine_loop.h"
#include "rhai/operators.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::rhai {

namespace {
ScriptError mismatch(std::string_view wanted, std::string_view actual, std::uint32_t place) {
  ScriptError error = make_error(ErrorKind::mismatch_data_type, std::string(wanted), unpack(place));
  error.actual = actual;
  return error;
}

// As the official engine calls them where an index has the wrong type.
std::string_view index_type_name(const Value& index) {
  if (index.is(Type::range)) return "core::ops::range::Range<i64>";
  if (index.is(Type::range_inclusive)) return "core::ops::range::RangeInclusive<i64>";
  return type_name(index);
}

// The item that a script's index means; false where there is none.
bool item_at(std::int64_t index, std::size_t length, std::size_t& at) {
  if (index < 0) {
    const std::uint64_t back = 0 - static_cast<std::uint64_t>(index);
    if (back > length) return false;
    at = length - static_cast<std::size_t>(back);
    return true;
  }
  at = static_cast<std::size_t>(index);
  return at < length;
}

bool bit_range(const Value& index, std::size_t& from, std::size_t& count) {
  const RangeObject& range = index.range_object();
  const std::int64_t first = std::max<std::int64_t>(range.from, 0);
  std::int64_t last = index.is(Type::range_inclusive) && range.to < INT64_MAX ? range.to + 1 : range.to;
  last = std::min<std::int64_t>(last, 64);
  from = static_cast<std::size_t>(std::min<std::int64_t>(first, 64));
  count = last > first ? static_cast<std::size_t>(last - first) : 0;
  return true;
}

std::uint64_t bits_mask(std::size_t count) {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}
}  // namespace

bool peek_host_property(const Value& object, const Value& name, std::uint32_t& hint, Value& read,
                        const Value*& found) {
  const HostObject& host = object.host_object();
  const HostProperty* property = host.host_type->find(name.text(), hint);
  if (property == nullptr) return false;
  if (property->place != nullptr) {
    found = &property->place(host.data.get());
  } else {
    read = property->get(host.data.get());
    found = &read;
  }
  return true;
}

bool Machine::array_bounds(std::int64_t index, std::size_t length, std::uint32_t index_place) {
  ScriptError error = make_error(ErrorKind::array_bounds, {}, unpack(index_place));
  error.index = index;
  error.length = length;
  return fail(std::move(error));
}

bool Machine::get_property(const Value& object, const Value& name, std::uint32_t& hint,
                           const NativeSet* getters, Value& out) {
  if (object.is_map()) {
    if (const Value* found = object.map_object().find(name, hint)) {
      out = *found;
      return true;
    }
    if (language_.strict_properties) return fail(ErrorKind::property_not_found, name.text());
    out = Value();
    return true;
  }
  if (object.is(Type::host)) {
    const HostType& type = *object.host_object().host_type;
    if (const HostProperty* property = type.find(name.text(), hint)) {
      out = property->read(object.host_object().data.get());
      return true;
    }
    if (name.text() != "tag") {
      std::vector<std::string> known;
      for (const HostProperty& property : type.properties) known.push_back(property.name);
      const std::string near = did_you_mean(name.text(), known);
      return fail(ErrorKind::dot_expression, cat("Unknown property '", name.text(), "' of ", type.name, ".",
                                                 near.empty() ? "" : " ", near));
    }
  }
  if (getters != nullptr) {
    Value self = object;
    if (const Native* native = choose(*getters, &self, nullptr, 1)) {
      NativeCall call{*this, &self, nullptr, 1};
      if (!native->function(call)) return false;
      out = std::move(call.result);
      return true;
    }
  }
  return fail(ErrorKind::dot_expression,
              cat("Unknown property '", name.text(), "' - a getter is not registered for type '",
                  type_name(object), "'"));
}

bool Machine::string_index(const Value& text, const Value& index, Value& out, std::uint32_t index_place) {
  StringObject& object = text.string_object();
  const std::string& s = object.text;
  // What is not known is found by looking at all bytes.
  if (object.ascii == StringObject::Ascii::unknown && !charge(s.size())) return false;
  const bool ascii = object.is_ascii();
  if (index.is(Type::range) || index.is(Type::range_inclusive)) {
    const RangeObject& range = index.range_object();
    const std::int64_t from = std::max<std::int64_t>(range.from, 0);
    std::int64_t to = std::max(range.to, from);
    if (index.is(Type::range_inclusive) && range.to >= from && to < INT64_MAX) ++to;
    const std::size_t begin = char_offset(s, static_cast<std::size_t>(from));
    const std::size_t count =
        char_offset(std::string_view(s).substr(begin), static_cast<std::size_t>(to - from));
    out = Value::string(std::string_view(s).substr(begin, count));
    return charge(s.size());
  }
  if (!index.is_int()) return fail(mismatch("i64", index_type_name(index), index_place));
  const std::size_t length = ascii ? s.size() : count_chars(s);
  std::size_t at = 0;
  if (!item_at(index.as_int(), length, at)) {
    ScriptError error = make_error(ErrorKind::string_bounds, {}, unpack(index_place));
    error.index = index.as_int();
    error.length = length;
    return fail(std::move(error));
  }
  std::size_t offset = ascii ? at : char_offset(s, at);
  out = Value::character(next_char(s, offset));
  return ascii || charge(s.size() * 2);
}

bool Machine::bit_index(const Value& number, const Value& index, Value& out, std::uint32_t index_place) {
  const auto bits = static_cast<std::uint64_t>(number.as_int());
  if (index.is(Type::range) || index.is(Type::range_inclusive)) {
    std::size_t from = 0;
    std::size_t count = 0;
    (void)bit_range(index, from, count);
    out = Value::integer(static_cast<std::int64_t>(from >= 64 ? 0 : (bits >> from) & bits_mask(count)));
    return true;
  }
  if (!index.is_int()) return fail(mismatch("i64", index_type_name(index), index_place));
  std::size_t at = 0;
  if (!item_at(index.as_int(), 64, at)) {
    ScriptError error = make_error(ErrorKind::bit_field_bounds, {}, unpack(index_place));
    error.index = index.as_int();
    error.length = 64;
    return fail(std::move(error));
  }
  out = Value::boolean(((bits >> at) & 1U) != 0);
  return true;
}

bool Machine::get_index(const Value& object, const Value& index, Value& out, std::uint32_t index_place) {
  std::size_t at = 0;
  switch (object.type()) {
    case Type::array:
      if (!index.is_int()) return fail(mismatch("i64", index_type_name(index), index_place));
      if (!item_at(index.as_int(), object.items().size(), at)) {
        return array_bounds(index.as_int(), object.items().size(), index_place);
      }
      out = object.items()[at];
      return true;
    case Type::blob:
      if (!index.is_int()) return fail(mismatch("i64", index_type_name(index), index_place));
      if (!item_at(index.as_int(), object.bytes().size(), at)) {
        return array_bounds(index.as_int(), object.bytes().size(), index_place);
      }
      out = Value::integer(object.bytes()[at]);
      return true;
    case Type::map:
    case Type::host: {
      if (index.is_string() && !charge(index.text().size() / 16)) return false;
      if (!index.is_string()) return fail(mismatch("string", index_type_name(index), index_place));
      std::uint32_t hint = UINT32_MAX;
      return get_property(object, index, hint, nullptr, out);
    }
    case Type::string: return string_index(object, index, out, index_place);
    case Type::integer: return bit_index(object, index, out, index_place);
    default: return fail(ErrorKind::indexing_type, cat(type_name(object), " [", type_name(index), "]"));
  }
}

bool Machine::read_root(const Path& path, Value* registers, Value*& out, CellObject*& cell,
                        bool& is_constant) {
  is_constant = path.is_constant;
  cell = nullptr;
  switch (path.root) {
    case Path::Root::local:
    case Path::Root::temporary: out = registers + path.reg; return true;
    case Path::Root::this_value:
      out = frames_[depth_ - 1].this_value;
      if (out != nullptr) return true;
      return fail(make_error(ErrorKind::unbound_this, {}, unpack(path.place)));
    case Path::Root::shared: out = registers + path.reg; break;
    case Path::Root::outer:
    case Path::Root::name:
    case Path::Root::global: {
      bool named_constant = false;
      out = nullptr;
      const bool by_register = path.root == Path::Root::outer;
      if (!by_register || frames_[depth_ - 1].names != nullptr) {
        out = find_named(depth_ - 1, path.name, named_constant, cell);
      }
      if (out == nullptr && by_register) {
        out = registers + path.reg;
        break;
      }
      if (out == nullptr)
        return fail(make_error(ErrorKind::variable_not_found, path.name.text(), unpack(path.place)));
      is_constant = named_constant;
      break;
    }
  }
  if (out->is(Type::cell)) {
    cell = &out->cell_object();
    out = &cell->value;
  }
  if (cell != nullptr && cell->locked) {
    ScriptError error = make_error(ErrorKind::data_race, path.name.text());
    error.place = unpack(path.place);
    error.unplaced = true;
    return fail(std::move(error));
  }
  return true;
}

// The place that the path leads to, for reading. What is not stored anywhere goes into `temporary`.
// NOLINTNEXTLINE(readability-function-cognitive-complexity): the kinds of a step, side by side
bool Machine::walk_read(const Path& path, Value* registers, Value*& out, Value& temporary, CellObject*& cell,
                        bool& is_constant) {
  if (path.root == Path::Root::name) {
    bool known = false;
    CellObject* found = nullptr;
    if (find_named(depth_ - 1, path.name, known, found) == nullptr) {
      // A function's name stands for a pointer to it.
      if (!load_dynamic(path.name, temporary)) {
        error_.position = error_.place = unpack(path.place);
        return false;
      }
      cell = nullptr;
      is_constant = false;
      out = &temporary;
      return path.steps.empty() || fail(ErrorKind::dot_expression, "Unknown property of a function");
    }
  }
  if (!read_root(path, registers, out, cell, is_constant)) return false;
  for (const PathStep& step : path.steps) {
    Value* next = nullptr;
    const Value& index = registers[step.index];
    std::size_t at = 0;
    if (out->is_map() && (step.is_property() || index.is_string())) {
      next = out->map_object().find(step.is_property() ? step.key : index, step.hint);
    } else if (out->is_array() && !step.is_property() && index.is_int() &&
               item_at(index.as_int(), out->items().size(), at)) {
      next = &out->array_object().items[at];
    }
    if (next != nullptr) {
      out = next;
      continue;
    }
    Value read;
    const bool ok = step.is_property() ? get_property(*out, step.key, step.hint, step.getter, read)
                                       : get_index(*out, index, read, step.index_place);
    if (!ok) {
      if (!error_.position.known()) error_.position = error_.place = unpack(step.place);
      return false;
    }
    temporary = std::move(read);
    out = &temporary;
  }
  return true;
}

// The place that the first `steps` of the path lead to, for writing: everything on the way is made unshared.
// Null where `?.` ends the way.
// NOLINTNEXTLINE(readability-function-cognitive-complexity): the kinds of a step, side by side
bool Machine::walk_write(const Path& path, Value* registers, std::size_t steps, Value*& out) {
  CellObject* cell = nullptr;
  bool is_constant = false;
  if (!read_root(path, registers, out, cell, is_constant)) return false;
  for (std::size_t s = 0; s < steps; ++s) {
    const PathStep& step = path.steps[s];
    if (step.elvis && out->is_unit()) {
      out = nullptr;
      return true;
    }
    if (!charge_copy(*out)) return false;
    const Value& index = registers[step.index];
    std::size_t at = 0;
    if (out->is(Type::host)) *out = host_to_map(*out);
    if (out->is_map() && (step.is_property() || index.is_string())) {
      const Value& key = step.is_property() ? step.key : index;
      Value* found = out->unique_map().find(key, step.hint);
      if (found == nullptr && language_.strict_properties) {
        return fail(make_error(ErrorKind::property_not_found, key.text(), unpack(step.place)));
      }
      out = found != nullptr ? found : &out->map_object().at_or_insert(key);
    } else if (out->is_array() && !step.is_property() && index.is_int() &&
               item_at(index.as_int(), out->items().size(), at)) {
      out = &out->unique_items()[at];
    } else {
      // Something that is made when it is read: what is written to it is lost, as officially.
      const bool ok = step.is_property() ? get_property(*out, step.key, step.hint, step.getter, scratch_)
                                         : get_index(*out, index, scratch_, step.index_place);
      if (!ok) {
        if (!error_.position.known()) error_.position = error_.place = unpack(step.place);
        return false;
      }
      out = &scratch_;
    }
  }
  return true;
}

bool Machine::apply(Tok op, Value& target, Value& value) {
  if (op == Tok::equals) {
    target = std::move(value);
    return true;
  }
  if (!charge_copy(target) || !charge_operand(value)) return false;
  const std::size_t before = target.is_string() ? target.text().size() : 0;
  if (!assign_operator(op, target, value, error_)) return false;
  // A value that is no text had to be written first.
  if (target.is_string() && !value.is_string() && target.text().size() > before &&
      !charge(target.text().size() - before)) {
    return false;
  }
  return !target.is_object() || check_size(target);
}

bool Machine::store_path(const Path& path, Value* registers, Value& value, Tok op) {
  if (path.is_constant) {
    return fail(make_error(ErrorKind::assignment_to_constant, path.name.text(), unpack(path.place)));
  }
  Value* root = nullptr;
  CellObject* cell = nullptr;
  bool is_constant = false;
  if (!read_root(path, registers, root, cell, is_constant)) return false;
  if (is_constant) {
    return fail(make_error(ErrorKind::assignment_to_constant, path.name.text(), unpack(path.place)));
  }
  if (path.steps.empty()) return apply(op, *root, value);
  Value* container = nullptr;
  if (!walk_write(path, registers, path.steps.size() - 1, container)) return false;
  const PathStep& last = path.steps.back();
  if (container == nullptr || (last.elvis && container->is_unit())) return true;
  if (!store_last(last, registers, *container, value, op)) return false;
  return check_size(*root);
}

bool Machine::store_last(const PathStep& step, Value* registers, Value& container, Value& value, Tok op) {
  if (!charge_copy(container)) return false;
  if (step.is_property()) return store_property(step, container, value, op);
  // The index may be what is written to.
  const Value index = registers[step.index];
  return store_item(step, container, index, value, op);
}

bool Machine::store_property(const PathStep& step, Value& container, Value& value, Tok op) {
  if (container.is(Type::host)) container = host_to_map(container);
  if (container.is_map()) {
    MapObject& map = container.unique_map();
    Value* found = map.find(step.key, step.hint);
    if (found != nullptr) return apply(op, *found, value);
    if (op == Tok::equals) {
      map.at_or_insert(step.key) = std::move(value);
      return true;
    }
    if (language_.strict_properties) return fail(ErrorKind::property_not_found, step.key.text());
    Value fresh;
    if (!apply(op, fresh, value)) return false;
    map.at_or_insert(step.key) = std::move(fresh);
    return true;
  }
  if (op != Tok::equals) {
    Value old;
    std::uint32_t hint = 0;
    if (!get_property(container, step.key, hint, step.getter, old)) {
      error_.position = error_.place = unpack(step.place);
      return false;
    }
    if (!apply(op, old, value)) return false;
    value = std::move(old);
  }
  if (step.key.text() == "tag" && value.is_int()) {
    const std::int64_t tag = value.as_int();
    if (tag < INT32_MIN || tag > INT32_MAX) {
      return fail(ErrorKind::arithmetic,
                  cat(tag, " is too ", tag < 0 ? "small" : "large", " to fit into a tag (must be between ",
                      INT32_MIN, " and ", INT32_MAX, ")"));
    }
    container.set_tag(static_cast<std::int32_t>(tag));
    return true;
  }
  return fail(
      make_error(ErrorKind::dot_expression,
                 cat("No writable property '", step.key.text(), "' - a setter is not registered for type '",
                     type_name(container), "' to handle '", type_name(value), "'"),
                 unpack(step.place)));
}

bool Machine::store_character(const PathStep& step, Value& text, const Value& index, const Value& value) {
  if (index.is_int() && !value.is(Type::character))
    return fail(mismatch("char", type_name(value), step.place));
  Value old;
  if (!index.is_int()) return fail(mismatch("i64", index_type_name(index), step.index_place));
  if (!string_index(text, index, old, step.index_place) || !charge(text.text().size() * 2)) return false;
  std::string& bytes = text.unique_text();
  std::size_t at = 0;
  (void)item_at(index.as_int(), count_chars(bytes), at);
  const std::size_t begin = char_offset(bytes, at);
  std::size_t end = begin;
  (void)next_char(bytes, end);
  std::string fresh;
  append_utf8(fresh, value.as_char());
  bytes.replace(begin, end - begin, fresh);
  return true;
}

bool Machine::store_bits(const PathStep& step, Value& number, const Value& index, const Value& value) {
  const auto bits = static_cast<std::uint64_t>(number.as_int());
  if (index.is(Type::range) || index.is(Type::range_inclusive)) {
    if (!value.is_int()) return fail(mismatch("i64", type_name(value), step.place));
    std::size_t from = 0;
    std::size_t count = 0;
    (void)bit_range(index, from, count);
    if (from >= 64 || count == 0) return true;
    const std::uint64_t field = bits_mask(count) << from;
    const std::uint64_t fresh = (static_cast<std::uint64_t>(value.as_int()) << from) & field;
    number.set_int(static_cast<std::int64_t>((bits & ~field) | fresh));
    return true;
  }
  if (!index.is_int()) return fail(mismatch("i64", index_type_name(index), step.index_place));
  if (!value.is_bool()) return fail(mismatch("bool", type_name(value), step.place));
  Value old;
  if (!bit_index(number, index, old, step.index_place)) return false;
  std::size_t at = 0;
  if (!item_at(index.as_int(), 64, at)) return true;
  const std::uint64_t bit = std::uint64_t{1} << at;
  number.set_int(static_cast<std::int64_t>(value.as_bool() ? bits | bit : bits & ~bit));
  return true;
}

bool Machine::store_item(const PathStep& step, Value& container, const Value& index, Value& value, Tok op) {
  std::size_t at = 0;
  const auto wrong_index = [&](std::string_view wanted) {
    return fail(mismatch(wanted, index_type_name(index), step.index_place));
  };
  if (container.is(Type::host)) container = host_to_map(container);
  switch (container.type()) {
    case Type::array: {
      if (!index.is_int()) return wrong_index("i64");
      std::vector<Value>& items = container.unique_items();
      if (!item_at(index.as_int(), items.size(), at))
        return array_bounds(index.as_int(), items.size(), step.index_place);
      return apply(op, items[at], value);
    }
    case Type::map: {
      if (!index.is_string()) return wrong_index("string");
      PathStep property = step;
      property.key = index;
      property.hint = UINT32_MAX;
      return store_property(property, container, value, op);
    }
    default: break;
  }
  // Bytes, characters and bits have no place of their own: they are read, changed and put back.
  if (op != Tok::equals) {
    Value old;
    if (!get_index(container, index, old, step.index_place) || !apply(op, old, value)) return false;
    value = std::move(old);
  }
  switch (container.type()) {
    case Type::blob: {
      if (!index.is_int()) return wrong_index("i64");
      if (!value.is_int()) return fail(mismatch("i64", type_name(value), step.index_place));
      std::vector<std::uint8_t>& bytes = container.unique_bytes();
      if (!item_at(index.as_int(), bytes.size(), at))
        return array_bounds(index.as_int(), bytes.size(), step.index_place);
      bytes[at] = static_cast<std::uint8_t>(value.as_int());
      return true;
    }
    case Type::string: return store_character(step, container, index, value);
    case Type::integer: return store_bits(step, container, index, value);
    default:
      return fail(ErrorKind::indexing_type,
                  cat(type_name(container), " [", type_name(index), "] = ", type_name(value)));
  }
}

}  // namespace rbee::rhai
