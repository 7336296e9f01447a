// What values hold, against the limits of strings, arrays and maps, and the work that a run may do.
#include "rhai/machine.h"
#include "rhai/operators.h"

namespace rbee::rhai {

// With so few shared variables nothing but themselves is counted: each holds no more than a value may.
constexpr std::size_t free_cells = 64;

// So many take as long as an instruction: an item copied, 16 bytes moved or compared, a character read.
constexpr std::size_t items_per_operation = 8;

// Counts all that values hold. A shared variable counts once, however many closures hold it: rings of them
// are left at the second sight, and all else ends at the limits.
class Machine::Weighing {
 public:
  explicit Weighing(const Machine& machine, const Weight& held = {}) : total(held), machine_(machine) {}
  ~Weighing() {
    for (Object* cell : cells_) cell->marked = false;
  }
  Weighing(const Weighing&) = delete;
  Weighing& operator=(const Weighing&) = delete;

  void add(const Value& value) {
    if (value.is_object()) open_.push_back(&value);
  }
  void add_items(const std::vector<Value>& items) {
    total.items += items.size();
    looked_at += items.size();
    for (const Value& item : items) add(item);
  }
  void add_cell(CellObject& cell) {
    if (cell.marked) return;
    cell.marked = true;
    cells_.push_back(&cell);
    add(cell.value);
  }
  [[nodiscard]] bool is_shared() const { return !cells_.empty(); }
  // What is larger than its limit; "" where nothing is.
  [[nodiscard]] std::string_view finish() {
    std::string_view too_large = machine_.excess(total);
    for (std::size_t values = 0; too_large.empty() && !open_.empty(); ++values) {
      const Value& next = *open_.back();
      open_.pop_back();
      step(next);
      too_large = values > comparison_steps_max ? "Size of data" : machine_.excess(total);
    }
    return too_large;
  }

  Weight total;
  std::size_t looked_at = 0;

 private:
  void step(const Value& next) {
    // An object lies anywhere in memory: it takes as long as an instruction.
    looked_at += items_per_operation;
    switch (next.type()) {
      case Type::string: total.bytes += next.text().size(); break;
      case Type::blob: total.items += next.bytes().size(); break;
      case Type::array: add_items(next.items()); break;
      case Type::map:
        total.entries += next.map_object().entries.size();
        looked_at += next.map_object().entries.size();
        for (const MapObject::Entry& entry : next.map_object().entries) {
          total.bytes += entry.key.text().size();
          add(entry.value);
        }
        break;
      case Type::function:
        // A closure's own name is the program's.
        if (!next.function_object().is_anonymous()) add(next.function_object().name);
        for (const Value& bound : next.function_object().curry) {
          // What is shared lies in the variable.
          if (!bound.is(Type::cell)) ++total.items;
          add(bound);
        }
        break;
      case Type::iterator: add(next.iterator_object().source); break;
      case Type::cell: add_cell(next.cell_object()); break;
      default: break;
    }
  }

  const Machine& machine_;
  std::vector<const Value*> open_;
  std::vector<Object*> cells_;
};

bool Machine::charge(std::size_t items) {
  work_ -= static_cast<std::int64_t>(items / items_per_operation);
  return work_ >= 0 || fail(ErrorKind::too_many_operations, {});
}

// What is added to something is moved there.
bool Machine::charge_operand(const Value& value) {
  switch (value.type()) {
    case Type::string: return charge(value.text().size() / 16);
    case Type::array: return charge(value.items().size());
    case Type::map: return charge(value.map_object().entries.size());
    case Type::blob: return charge(value.bytes().size() / 16);
    default: return true;
  }
}

bool Machine::charge_copy(const Value& value) {
  return !value.is_object() || value.object()->refs == 1 || charge_operand(value);
}

bool Machine::check_string(std::size_t bytes) {
  if (bytes <= (limits_.string_bytes == 0 ? string_bytes_cap : limits_.string_bytes)) return true;
  return fail(ErrorKind::data_too_large, "Length of string");
}

bool Machine::check_array(std::size_t items) {
  if (items <= (limits_.array_items == 0 ? array_items_cap : limits_.array_items)) return true;
  return fail(ErrorKind::data_too_large, "Size of array/BLOB");
}

std::string_view Machine::excess(const Weight& weight) const {
  if (weight.bytes > (limits_.string_bytes == 0 ? string_bytes_cap : limits_.string_bytes)) {
    return "Length of string";
  }
  if (weight.items > (limits_.array_items == 0 ? array_items_cap : limits_.array_items)) {
    return "Size of array/BLOB";
  }
  return limits_.map_items > 0 && weight.entries > limits_.map_items ? "Size of object map" : "";
}

// As the official engine does, and what closures hold with it.
bool Machine::check_size(const Value& value) {
  if (!value.is_object()) return true;
  if (value.is_string()) return check_string(value.text().size());
  if (!is_limited_) return check_array(value.is_array() ? value.items().size() : 0);
  if (!value.is_array()) {
    Weight none;
    return check_more(value, none);
  }
  ArrayObject& array = value.array_object();
  if (array.is_weighed && excess(array.weight).empty()) return true;
  Weighing weighing(*this);
  weighing.add_items(array.items);
  if (!finish(weighing)) return false;
  // What closures share can grow unseen.
  array.is_weighed = !weighing.is_shared();
  array.weight = weighing.total;
  return true;
}

bool Machine::check_more(const Value& value, Weight& held) {
  if (!is_limited_ || !value.is_object()) return true;
  Weighing weighing(*this, held);
  weighing.add(value);
  if (!finish(weighing)) return false;
  held = weighing.total;
  return true;
}

// Shared variables that hold each other stay until the run ends, though nothing reaches them: where there are
// many, all together have the limits of one value.
bool Machine::check_closure(const FunctionObject& closure) {
  if (!is_limited_) return true;
  // Each by itself, as they were before it shared them.
  for (const Value& variable : closure.curry) {
    if (!check_size(variable)) return false;
  }
  if (cells_.size() <= free_cells) return true;
  Weighing weighing(*this);
  for (CellObject* cell = cells_.first(); cell != nullptr; cell = cell->next) weighing.add_cell(*cell);
  return finish(weighing);
}

bool Machine::finish(Weighing& weighing) {
  const std::string_view too_large = weighing.finish();
  if (!too_large.empty()) return fail(ErrorKind::data_too_large, std::string(too_large));
  return charge(weighing.looked_at);
}

bool Machine::append_item(Value& array, const Value& item) {
  const Value own = item;  // it may be the array itself
  const bool was_weighed = array.array_object().is_weighed;
  Weighing weighing(*this, array.array_object().weight);
  array.unique_items().push_back(own);
  if (!was_weighed) return true;
  ++weighing.total.items;
  weighing.add(own);
  // Where it is too large the array is weighed anew when the call is over, and says so.
  array.array_object().is_weighed = weighing.finish().empty() && !weighing.is_shared();
  array.array_object().weight = weighing.total;
  return charge(weighing.looked_at);
}

}  // namespace rbee::rhai
