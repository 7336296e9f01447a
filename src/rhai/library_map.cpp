// Object maps.
#include "rhai/host.h"
#include "rhai/library.h"

namespace rbee::rhai {

namespace {
const TypeMask t_host = mask(Type::host);

std::int64_t size_of(const Value& map) { return static_cast<std::int64_t>(map.map_object().entries.size()); }
bool is_true(const Value& v) { return v.is_bool() && v.as_bool(); }

bool length(NativeCall& c) { return c.give(Value::integer(size_of(c[0]))); }
bool is_empty(NativeCall& c) { return c.give(Value::boolean(size_of(c[0]) == 0)); }

// Keys are compared as far as they are alike.
bool charge_key(NativeCall& c) { return c.machine.charge(c[1].text().size() / 16); }

bool get(NativeCall& c) {
  if (!charge_key(c)) return false;
  const Value* found = c[0].map_object().find(c[1].text());
  return found == nullptr || c.give(*found);
}

bool set(NativeCall& c) {
  if (!charge_key(c)) return false;
  Value value = c[2];
  c[0].unique_map().at_or_insert(c[1]) = std::move(value);
  return c.machine.charge(c[0].map_object().entries.size());
}

bool contains(NativeCall& c) {
  return charge_key(c) && c.give(Value::boolean(c[0].map_object().find(c[1].text()) != nullptr));
}

bool remove(NativeCall& c) {
  if (!charge_key(c)) return false;
  if (c[0].map_object().find(c[1].text()) == nullptr) return true;
  (void)c[0].unique_map().remove(c[1].text(), c.result);
  return c.machine.charge(c[0].map_object().entries.size());
}

bool clear(NativeCall& c) {
  c[0] = Value::map();
  return true;
}

bool keys(NativeCall& c) {
  std::vector<Value> list;
  for (const MapObject::Entry& entry : c[0].map_object().entries) list.push_back(entry.key);
  return c.machine.charge(list.size()) && c.give(Value::array(std::move(list)));
}

bool values(NativeCall& c) {
  std::vector<Value> list;
  for (const MapObject::Entry& entry : c[0].map_object().entries) list.push_back(entry.value);
  return c.machine.charge(list.size()) && c.give(Value::array(std::move(list)));
}

bool mixin(NativeCall& c) {
  const Value more = c[1];
  MapObject& map = c[0].unique_map();
  for (const MapObject::Entry& entry : more.map_object().entries) map.at_or_insert(entry.key) = entry.value;
  return c.machine.charge(map.entries.size() + more.map_object().entries.size());
}

bool fill_with(NativeCall& c) {
  const Value more = c[1];
  MapObject& map = c[0].unique_map();
  for (const MapObject::Entry& entry : more.map_object().entries) {
    if (map.find(entry.key.text()) == nullptr) map.at_or_insert(entry.key) = entry.value;
  }
  return c.machine.charge(map.entries.size() + more.map_object().entries.size());
}

// Calls f(name, value) with `this` bound to the value. What `each` does with the answer may fail.
template <class Each>
bool walk(NativeCall& c, Each each) {
  const Value map = c[0];
  Callback callback(c, c[1], {.least = 0, .this_below = 3});
  Value arguments[2];
  for (const MapObject::Entry& entry : map.map_object().entries) {
    arguments[0] = entry.key;
    arguments[1] = entry.value;
    Value bound = entry.value;
    Value out;
    if (!callback(&bound, arguments, out) || !each(entry, out)) return false;
  }
  return true;
}

bool filter(NativeCall& c) {
  Value kept = Value::map();
  std::vector<MapObject::Entry>& entries = kept.map_object().entries;
  return walk(c,
              [&](const MapObject::Entry& entry, const Value& out) {
                if (is_true(out)) entries.push_back(entry);
                return true;
              }) &&
         c.give(std::move(kept));
}

bool map_values(NativeCall& c) {
  Value made = Value::map();
  std::vector<MapObject::Entry>& entries = made.map_object().entries;
  Weight held;
  return walk(c,
              [&](const MapObject::Entry& entry, Value& out) {
                if (!c.machine.check_more(out, held)) return false;
                entries.push_back({entry.key, std::move(out)});
                return true;
              }) &&
         c.give(std::move(made));
}

template <bool keep>
bool take_matching(NativeCall& c) {
  Value matching = Value::map();
  Value others = Value::map();
  const bool ok = walk(c, [&](const MapObject::Entry& entry, const Value& out) {
    (is_true(out) ? matching : others).map_object().entries.push_back(entry);
    return true;
  });
  if (!ok) return false;
  if (keep) std::swap(matching, others);
  c[0] = std::move(others);
  return c.give(std::move(matching));
}
}  // namespace

void add_map_library(Registry& r) {
  r.add("len", {t_map}, length);
  r.add("is_empty", {t_map}, is_empty);
  r.add("get", {t_map, t_string}, get);
  r.add("set", {t_map, t_string, any_type}, set, true);
  r.add("contains", {t_map, t_string}, contains);
  r.add("remove", {t_map, t_string}, remove, true);
  r.add("clear", {t_map}, clear, true);
  r.add("keys", {t_map}, keys);
  r.add("values", {t_map}, values);
  r.add("mixin", {t_map, t_map}, mixin, true);
  r.add("fill_with", {t_map, t_map}, fill_with, true);
  r.add("to_json", {t_map | t_host}, [](NativeCall& c) {
    const std::string text = to_json(c[0]);
    return c.machine.charge(text.size() * written_cost) && c.give(Value::string(text));
  });
  r.add("filter", {t_map, t_callback}, filter);
  r.add("map", {t_map, t_callback}, map_values);
  r.add("drain", {t_map, t_callback}, take_matching<false>, true);
  r.add("retain", {t_map, t_callback}, take_matching<true>, true);
  // An object of the host becomes a map of its own where a script asks for one.
  r.add("to_map", {t_host}, [](NativeCall& c) { return c.give(host_to_map(c[0])); });
  r.add("keys", {t_host}, [](NativeCall& c) {
    c[0] = host_to_map(c[0]);
    return keys(c);
  });
}

}  // namespace rbee::rhai
