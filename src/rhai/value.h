// The values of the script language: 16 bytes each, copied by sharing, written by copying when shared.
//
// Small values lie in the Value itself; strings, arrays, maps and the like are counted objects. A count is
// not atomic: all values of one engine belong to one thread. An object that is shared is never written:
// unique_*() makes a copy first, which is what gives arrays and maps value semantics at the price of sharing.
// Destruction of nested values is iterative, so that no depth of nesting can exhaust the stack.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::rhai {

// Everything from `string` on is a counted object. `cell` never reaches a script: it is a variable that a
// closure shares.
enum class Type : std::uint8_t {
  unit,
  boolean,
  integer,
  floating,
  character,
  timestamp,
  string,
  array,
  map,
  blob,
  function,
  range,
  range_inclusive,
  iterator,
  host,
  cell,
};

class Value;
struct HostType;
struct Function;

struct Object {
  explicit Object(Type t) : type(t) {}
  std::uint32_t refs = 1;
  Type type;
  bool marked = false;  // seen by who walks over values just now; false otherwise
};

struct StringObject;
struct ArrayObject;
struct MapObject;
struct BlobObject;
struct FunctionObject;
struct RangeObject;
struct IteratorObject;
struct HostObject;
struct CellObject;

// Frees an object whose count has come to zero, and all that only it holds.
void destroy(Object* object) noexcept;

class Value {
 public:
  Value() noexcept : head_(0), bits_(0) {}
  Value(const Value& other) noexcept : head_(other.head_), bits_(other.bits_) { retain(); }
  Value(Value&& other) noexcept : head_(other.head_), bits_(other.bits_) { other.head_ = 0; }
  Value& operator=(const Value& other) noexcept {
    // `other` may lie within what is let go here.
    const std::uint64_t head = other.head_;
    const std::uint64_t bits = other.bits_;
    other.retain();
    release();
    head_ = head;
    bits_ = bits;
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    if (this != &other) {
      const std::uint64_t head = other.head_;
      const std::uint64_t bits = other.bits_;
      other.head_ = 0;
      release();
      head_ = head;
      bits_ = bits;
    }
    return *this;
  }
  ~Value() { release(); }

  static Value boolean(bool b) { return Value(Type::boolean, b ? 1U : 0U); }
  static Value integer(std::int64_t i) { return Value(Type::integer, static_cast<std::uint64_t>(i)); }
  static Value floating(double f) { return Value(Type::floating, __builtin_bit_cast(std::uint64_t, f)); }
  static Value character(char32_t c) { return Value(Type::character, c); }
  // Microseconds since a point that the host chose.
  static Value timestamp(std::int64_t us) { return Value(Type::timestamp, static_cast<std::uint64_t>(us)); }
  static Value string(std::string_view text);
  static Value array(std::vector<Value> items = {});
  static Value map();
  static Value blob(std::vector<std::uint8_t> bytes = {});
  static Value range(std::int64_t from, std::int64_t to, bool inclusive);
  // An object of the host, read in place through its type's properties; `data` must outlive all uses.
  static Value host(const HostType& type, std::shared_ptr<const void> data);
  // Takes over one count of the object.
  static Value adopt(Object* object) { return Value(object->type, reinterpret_cast<std::uint64_t>(object)); }
  static Value share(Object* object) {
    ++object->refs;
    return adopt(object);
  }

  [[nodiscard]] Type type() const { return static_cast<Type>(static_cast<std::uint8_t>(head_)); }
  [[nodiscard]] bool is(Type t) const { return type() == t; }
  [[nodiscard]] bool is_unit() const { return type() == Type::unit; }
  [[nodiscard]] bool is_int() const { return type() == Type::integer; }
  [[nodiscard]] bool is_float() const { return type() == Type::floating; }
  [[nodiscard]] bool is_bool() const { return type() == Type::boolean; }
  [[nodiscard]] bool is_string() const { return type() == Type::string; }
  [[nodiscard]] bool is_array() const { return type() == Type::array; }
  [[nodiscard]] bool is_map() const { return type() == Type::map; }
  [[nodiscard]] bool is_object() const { return type() >= Type::string; }

  [[nodiscard]] bool as_bool() const { return bits_ != 0; }
  [[nodiscard]] std::int64_t as_int() const { return static_cast<std::int64_t>(bits_); }
  [[nodiscard]] double as_float() const { return __builtin_bit_cast(double, bits_); }
  [[nodiscard]] char32_t as_char() const { return static_cast<char32_t>(bits_); }
  // One word holds a number or a pointer: that is what keeps a value at 16 bytes.
  // NOLINTBEGIN(performance-no-int-to-ptr)
  [[nodiscard]] Object* object() const { return reinterpret_cast<Object*>(bits_); }
  [[nodiscard]] StringObject& string_object() const { return *reinterpret_cast<StringObject*>(bits_); }
  [[nodiscard]] ArrayObject& array_object() const { return *reinterpret_cast<ArrayObject*>(bits_); }
  [[nodiscard]] MapObject& map_object() const { return *reinterpret_cast<MapObject*>(bits_); }
  [[nodiscard]] BlobObject& blob_object() const { return *reinterpret_cast<BlobObject*>(bits_); }
  [[nodiscard]] FunctionObject& function_object() const { return *reinterpret_cast<FunctionObject*>(bits_); }
  [[nodiscard]] RangeObject& range_object() const { return *reinterpret_cast<RangeObject*>(bits_); }
  [[nodiscard]] IteratorObject& iterator_object() const { return *reinterpret_cast<IteratorObject*>(bits_); }
  [[nodiscard]] HostObject& host_object() const { return *reinterpret_cast<HostObject*>(bits_); }
  [[nodiscard]] CellObject& cell_object() const { return *reinterpret_cast<CellObject*>(bits_); }
  // NOLINTEND(performance-no-int-to-ptr)

  // The text of a string, the items of an array, the bytes of a blob.
  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] const std::vector<Value>& items() const;
  [[nodiscard]] const std::vector<std::uint8_t>& bytes() const;
  // The same for writing: this Value becomes the only one that refers to the object.
  std::string& unique_text();
  std::vector<Value>& unique_items();
  std::vector<Value>& fewer_items();  // for who takes away only: what they weigh stays known
  std::vector<std::uint8_t>& unique_bytes();
  MapObject& unique_map();

  // The number that scripts may attach to any value (`x.tag`).
  [[nodiscard]] std::int32_t tag() const { return static_cast<std::int32_t>(head_ >> 32U); }
  void set_tag(std::int32_t tag) {
    head_ = (head_ & 0xffffffffU) | (static_cast<std::uint64_t>(static_cast<std::uint32_t>(tag)) << 32U);
  }

  // Writers for the machine's registers.
  void set_unit() { set_small(Type::unit, 0); }
  void set_bool(bool b) { set_small(Type::boolean, b ? 1U : 0U); }
  void set_int(std::int64_t i) { set_small(Type::integer, static_cast<std::uint64_t>(i)); }
  void set_float(double f) { set_small(Type::floating, __builtin_bit_cast(std::uint64_t, f)); }
  // Lets go of an object, leaving unit; leaves small values as they are.
  void drop() {
    if (is_object()) {
      release();
      head_ = 0;
    }
  }

 private:
  Value(Type type, std::uint64_t bits) noexcept : head_(static_cast<std::uint64_t>(type)), bits_(bits) {}
  void set_small(Type type, std::uint64_t bits) {
    release();
    head_ = static_cast<std::uint64_t>(type);
    bits_ = bits;
  }
  void retain() const noexcept {
    if (is_object()) ++object()->refs;
  }
  void release() noexcept {
    if (is_object() && --object()->refs == 0) destroy(object());
  }

  std::uint64_t head_;  // type in the low byte, tag in the high half
  std::uint64_t bits_;
};
static_assert(sizeof(Value) == 16);

// What a value holds, and all that is within it: items of arrays and bound arguments, entries of maps, bytes
// of texts.
struct Weight {
  std::size_t items = 0;
  std::size_t entries = 0;
  std::size_t bytes = 0;
};

struct StringObject : Object {
  explicit StringObject(std::string_view t) : Object(Type::string), text(t) {}
  // Whether bytes are characters; unknown until asked. Whoever writes `text` sets it to unknown.
  enum class Ascii : std::uint8_t { unknown, yes, no };
  Ascii ascii = Ascii::unknown;
  std::string text;
  [[nodiscard]] bool is_ascii();
};

struct ArrayObject : Object {
  ArrayObject() : Object(Type::array) {}
  // Whether `weight` is known: no less than what the items hold. Whoever lets them grow sets it to unknown.
  bool is_weighed = false;
  Weight weight;
  std::vector<Value> items;
};

struct BlobObject : Object {
  BlobObject() : Object(Type::blob) {}
  std::vector<std::uint8_t> bytes;
};

// Sorted by the bytes of the keys: iteration and printing have one order on every machine.
struct MapObject : Object {
  struct Entry {
    Value key;  // always a string
    Value value;
  };
  MapObject() : Object(Type::map) {}
  std::vector<Entry> entries;

  // Position of the key, or where it would be inserted.
  [[nodiscard]] std::size_t lower_bound(std::string_view key) const;
  [[nodiscard]] Value* find(std::string_view key);
  // `hint` is where this place in the script found the key last time.
  [[nodiscard]] Value* find(const Value& key, std::uint32_t& hint) {
    if (hint < entries.size() && entries[hint].key.object() == key.object()) return &entries[hint].value;
    return find_slow(key, hint);
  }
  Value& at_or_insert(const Value& key);
  void set(std::string_view key, Value value);
  bool remove(std::string_view key, Value& out);

 private:
  [[nodiscard]] Value* find_slow(const Value& key, std::uint32_t& hint);
};

struct FunctionObject : Object {
  FunctionObject() : Object(Type::function) {}
  ~FunctionObject();
  FunctionObject(const FunctionObject&);
  FunctionObject& operator=(const FunctionObject&) = delete;
  Value name;                   // a string
  Function* closure = nullptr;  // counted; null where the name is looked up at the call
  std::vector<Value> curry;     // leading arguments; for closures first the shared variables
  [[nodiscard]] bool is_anonymous() const { return closure != nullptr; }
};

struct RangeObject : Object {
  RangeObject(std::int64_t f, std::int64_t t, bool inclusive)
      : Object(inclusive ? Type::range_inclusive : Type::range), from(f), to(t) {}
  std::int64_t from;
  std::int64_t to;
};

// What range() with a step, chars() and bits() give: something to loop over and nothing more.
struct IteratorObject : Object {
  enum class Kind : std::uint8_t { integers, floats, chars, bits };
  explicit IteratorObject(Kind k) : Object(Type::iterator), kind(k) {}
  Kind kind;
  std::int64_t from = 0;  // integers; chars and bits: the first place
  std::int64_t to = 0;    // integers; chars and bits: the place after the last
  std::int64_t step = 1;
  double float_from = 0;
  double float_to = 0;
  double float_step = 1;
  Value source;  // the string or number whose chars or bits these are
};

struct HostObject : Object {
  HostObject(const HostType& t, std::shared_ptr<const void> d)
      : Object(Type::host), host_type(&t), data(std::move(d)) {}
  const HostType* host_type;
  std::shared_ptr<const void> data;
};

// All shared variables of an engine, so that those which refer to each other in a ring can be freed.
class CellList {
 public:
  CellList() = default;
  ~CellList();
  CellList(const CellList&) = delete;
  CellList& operator=(const CellList&) = delete;
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] CellObject* first() const { return first_; }
  // Empties every cell that cannot be reached from `roots`: what is left of closures that hold each other.
  void free_unreachable(const std::vector<const Value*>& roots);

 private:
  friend struct CellObject;
  CellObject* first_ = nullptr;
  std::size_t size_ = 0;
};

struct CellObject : Object {
  CellObject(CellList& list, Value v);
  ~CellObject();
  CellObject(const CellObject&) = delete;
  CellObject& operator=(const CellObject&) = delete;
  Value value;
  bool locked = false;  // while a method works on the variable: any other access is a data race
  CellList* list;
  CellObject* next;
  CellObject* previous = nullptr;
};

inline const std::string& Value::text() const { return string_object().text; }
inline const std::vector<Value>& Value::items() const { return array_object().items; }
inline const std::vector<std::uint8_t>& Value::bytes() const { return blob_object().bytes; }

// "i64", "string", ... as type_of() says.
[[nodiscard]] std::string_view type_name(const Value& value);
// As error messages write the types of arguments.
[[nodiscard]] std::string_view signature_name(const Value& value);

// As print() shows a value, and as it is shown within arrays and by debug().
[[nodiscard]] std::string to_text(const Value& value);
[[nodiscard]] std::string to_debug(const Value& value);
[[nodiscard]] std::string to_json(const Value& map);
void append_text(std::string& out, const Value& value);
void append_debug(std::string& out, const Value& value);
[[nodiscard]] std::string float_text(double f);
// The number that these digits write, a `-` before them; as in Rust what is beyond a double is infinite or
// zero.
[[nodiscard]] std::optional<double> read_float(std::string_view digits);

// UTF-8.
void append_utf8(std::string& out, char32_t c);
[[nodiscard]] std::size_t count_chars(std::string_view text);
// Byte offset of a character; the text's size where there are fewer.
[[nodiscard]] std::size_t char_offset(std::string_view text, std::size_t index);
// Reads the character at `offset` and moves it on; U+FFFD for bytes that are no UTF-8.
[[nodiscard]] char32_t next_char(std::string_view text, std::size_t& offset);

}  // namespace rbee::rhai
