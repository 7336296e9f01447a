#include "rhai/value.h"

#include "rhai/bytecode.h"
#include "rhai/host.h"

#include <algorithm>

namespace rbee::rhai {

namespace {
// Objects whose last reference was within one being destroyed: a list instead of recursion.
using Pending = std::vector<Object*>;

void let_go(Value& value, Pending& pending) {
  if (!value.is_object()) return;
  Object* object = value.object();
  if (object->refs > 1) {
    value.drop();
    return;
  }
  // Strings and ranges hold nothing.
  if (object->type == Type::string || object->type == Type::range || object->type == Type::range_inclusive) {
    value.drop();
    return;
  }
  ++object->refs;
  value.drop();
  object->refs = 0;
  pending.push_back(object);
}

void destroy_one(Object* object, Pending& pending) noexcept {
  switch (object->type) {
    case Type::string: delete static_cast<StringObject*>(object); break;
    case Type::array:
      for (Value& item : static_cast<ArrayObject*>(object)->items) let_go(item, pending);
      delete static_cast<ArrayObject*>(object);
      break;
    case Type::map:
      for (MapObject::Entry& entry : static_cast<MapObject*>(object)->entries) let_go(entry.value, pending);
      delete static_cast<MapObject*>(object);
      break;
    case Type::blob: delete static_cast<BlobObject*>(object); break;
    case Type::function:
      for (Value& item : static_cast<FunctionObject*>(object)->curry) let_go(item, pending);
      delete static_cast<FunctionObject*>(object);
      break;
    case Type::range:
    case Type::range_inclusive: delete static_cast<RangeObject*>(object); break;
    case Type::iterator: delete static_cast<IteratorObject*>(object); break;
    case Type::host: delete static_cast<HostObject*>(object); break;
    case Type::cell:
      let_go(static_cast<CellObject*>(object)->value, pending);
      delete static_cast<CellObject*>(object);
      break;
    default: break;
  }
}
}  // namespace

void destroy(Object* object) noexcept {
  if (object->type == Type::string) {
    delete static_cast<StringObject*>(object);
    return;
  }
  Pending pending;
  destroy_one(object, pending);
  while (!pending.empty()) {
    Object* next = pending.back();
    pending.pop_back();
    destroy_one(next, pending);
  }
}

Value Value::string(std::string_view text) { return adopt(new StringObject(text)); }

Value Value::array(std::vector<Value> items) {
  auto* object = new ArrayObject;
  object->items = std::move(items);
  return adopt(object);
}

Value Value::map() { return adopt(new MapObject); }

Value Value::blob(std::vector<std::uint8_t> bytes) {
  auto* object = new BlobObject;
  object->bytes = std::move(bytes);
  return adopt(object);
}

Value Value::range(std::int64_t from, std::int64_t to, bool inclusive) {
  return adopt(new RangeObject(from, to, inclusive));
}

Value Value::host(const HostType& type, std::shared_ptr<const void> data) {
  return adopt(new HostObject(type, std::move(data)));
}

namespace {
template <class T>
void keep_tag(Value& value, T* object) {
  const std::int32_t tag = value.tag();
  value = Value::adopt(object);
  value.set_tag(tag);
}
}  // namespace

std::string& Value::unique_text() {
  if (object()->refs > 1) keep_tag(*this, new StringObject(string_object().text));
  string_object().ascii = StringObject::Ascii::unknown;
  return string_object().text;
}

std::vector<Value>& Value::unique_items() {
  std::vector<Value>& items = fewer_items();
  array_object().is_weighed = false;
  return items;
}

std::vector<Value>& Value::fewer_items() {
  if (object()->refs > 1) {
    const ArrayObject& shared = array_object();
    auto* copy = new ArrayObject;
    copy->items = shared.items;
    copy->weight = shared.weight;
    copy->is_weighed = shared.is_weighed;
    keep_tag(*this, copy);
  }
  return array_object().items;
}

std::vector<std::uint8_t>& Value::unique_bytes() {
  if (object()->refs > 1) {
    auto* copy = new BlobObject;
    copy->bytes = blob_object().bytes;
    keep_tag(*this, copy);
  }
  return blob_object().bytes;
}

MapObject& Value::unique_map() {
  if (object()->refs > 1) {
    auto* copy = new MapObject;
    copy->entries = map_object().entries;
    keep_tag(*this, copy);
  }
  return map_object();
}

bool StringObject::is_ascii() {
  if (ascii == Ascii::unknown) {
    const bool all = std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
    ascii = all ? Ascii::yes : Ascii::no;
  }
  return ascii == Ascii::yes;
}

std::size_t MapObject::lower_bound(std::string_view key) const {
  std::size_t low = 0;
  std::size_t high = entries.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (entries[middle].key.text() < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Value* MapObject::find(std::string_view key) {
  const std::size_t at = lower_bound(key);
  return at < entries.size() && entries[at].key.text() == key ? &entries[at].value : nullptr;
}

Value* MapObject::find_slow(const Value& key, std::uint32_t& hint) {
  const std::string& name = key.text();
  std::size_t at = hint;
  if (at >= entries.size() || entries[at].key.text() != name) {
    at = lower_bound(name);
    if (at == entries.size() || entries[at].key.text() != name) return nullptr;
    hint = static_cast<std::uint32_t>(at);
  }
  // The same text in the script's own object: the next look finds it without reading it.
  if (key.tag() == 0) entries[at].key = key;
  return &entries[at].value;
}

Value& MapObject::at_or_insert(const Value& key) {
  const std::string& name = key.text();
  const std::size_t at = lower_bound(name);
  if (at < entries.size() && entries[at].key.text() == name) return entries[at].value;
  Value own = key;
  own.set_tag(0);
  return entries.insert(entries.begin() + static_cast<std::ptrdiff_t>(at), Entry{std::move(own), Value()})
      ->value;
}

void MapObject::set(std::string_view key, Value value) {
  const std::size_t at = lower_bound(key);
  if (at < entries.size() && entries[at].key.text() == key) {
    entries[at].value = std::move(value);
    return;
  }
  entries.insert(entries.begin() + static_cast<std::ptrdiff_t>(at),
                 Entry{Value::string(key), std::move(value)});
}

bool MapObject::remove(std::string_view key, Value& out) {
  const std::size_t at = lower_bound(key);
  if (at == entries.size() || entries[at].key.text() != key) return false;
  out = std::move(entries[at].value);
  entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(at));
  return true;
}

FunctionObject::~FunctionObject() {
  if (closure != nullptr) unref(closure);
}

FunctionObject::FunctionObject(const FunctionObject& other)
    : Object(Type::function), name(other.name), closure(other.closure), curry(other.curry) {
  if (closure != nullptr) ref(closure);
}

CellObject::CellObject(CellList& l, Value v)
    : Object(Type::cell), value(std::move(v)), list(&l), next(l.first_) {
  if (next != nullptr) next->previous = this;
  l.first_ = this;
  ++l.size_;
}

CellObject::~CellObject() {
  if (list == nullptr) return;
  --list->size_;
  if (previous != nullptr) {
    previous->next = next;
  } else {
    list->first_ = next;
  }
  if (next != nullptr) next->previous = previous;
}

CellList::~CellList() {
  free_unreachable({});
  // What the host still holds outlives the list.
  for (CellObject* cell = first_; cell != nullptr; cell = cell->next) cell->list = nullptr;
}

namespace {
void add_children(const Value& value, std::vector<const Value*>& open) {
  switch (value.type()) {
    case Type::array:
      for (const Value& item : value.items()) open.push_back(&item);
      break;
    case Type::map:
      for (const MapObject::Entry& entry : value.map_object().entries) open.push_back(&entry.value);
      break;
    case Type::function:
      for (const Value& item : value.function_object().curry) open.push_back(&item);
      break;
    case Type::cell: open.push_back(&value.cell_object().value); break;
    default: break;
  }
}
}  // namespace

void CellList::free_unreachable(const std::vector<const Value*>& roots) {
  if (first_ == nullptr) return;
  std::vector<const Value*> open = roots;
  std::vector<Object*> seen;
  while (!open.empty()) {
    const Value* value = open.back();
    open.pop_back();
    if (!value->is_object() || value->object()->marked) continue;
    value->object()->marked = true;
    seen.push_back(value->object());
    add_children(*value, open);
  }
  // Emptying a cell can free others, so the contents are taken out first and let go all at once.
  std::vector<Value> contents;
  for (CellObject* cell = first_; cell != nullptr; cell = cell->next) {
    if (!cell->marked) contents.push_back(std::move(cell->value));
  }
  for (Object* object : seen) object->marked = false;
}

std::string_view type_name(const Value& value) {
  switch (value.type()) {
    case Type::unit: return "()";
    case Type::boolean: return "bool";
    case Type::integer: return "i64";
    case Type::floating: return "f64";
    case Type::character: return "char";
    case Type::timestamp: return "timestamp";
    case Type::string: return "string";
    case Type::array: return "array";
    case Type::map: return "map";
    case Type::blob: return "blob";
    case Type::function: return "Fn";
    case Type::range: return "range";
    case Type::range_inclusive: return "range=";
    case Type::iterator: return "range";
    case Type::host: return value.host_object().host_type->name;
    case Type::cell: return type_name(value.cell_object().value);
  }
  return "?";
}

std::string_view signature_name(const Value& value) {
  return value.is_string() ? std::string_view("&str | ImmutableString | String") : type_name(value);
}

}  // namespace rbee::rhai
