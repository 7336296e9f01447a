// What values hold, against the limits of strings, arrays and maps, and the work that a run may do.
#include "rhai/machine.h"
#include "rhai/operators.h"

namespace rbee::rhai {

// With so few shared variables nothing but themselves is counted: each holds no more than a value may.
constexpr std::size_t free_cells = 64;

// Counts all that values hold. A shared variable counts once, however many closures hold it: rings of them
// are left at the second sight, and all else ends at the limits.
class Machine::Weighing {
 public:
  Weighing() = default;
  ~Weighing() {
    for (Object* cell : cells_) cell->marked = false;
  }
  Weighing(const Weighing&) = delete;
  Weighing& operator=(const Weighing&) = delete;

  void add(const Value& value) {
    if (value.is_object()) open_.push_back(&value);
  }
  void add_cell(CellObject& cell) {
    if (cell.marked) return;
    cell.marked = true;
    cells_.push_back(&cell);
    add(cell.value);
  }
  [[nodiscard]] bool is_done() const { return open_.empty(); }
  void step() {
    const Value& next = *open_.back();
    open_.pop_back();
    ++values;
    switch (next.type()) {
      case Type::string: total.bytes += next.text().size(); break;
      case Type::blob: total.items += next.bytes().size(); break;
      case Type::array:
        total.items += next.items().size();
        for (const Value& item : next.items()) add(item);
        break;
      case Type::map:
        total.entries += next.map_object().entries.size();
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

  Weight total;
  std::size_t values = 0;  // objects that were looked at

 private:
  std::vector<const Value*> open_;
  std::vector<Object*> cells_;
};

bool Machine::charge(std::size_t items) {
  constexpr std::size_t items_per_operation = 32;
  work_ -= static_cast<std::int64_t>(items / items_per_operation);
  return work_ >= 0 || fail(ErrorKind::too_many_operations, {});
}

bool Machine::charge_copy(const Value& value) {
  if (!value.is_object() || value.object()->refs == 1) return true;
  switch (value.type()) {
    case Type::string: return charge(value.text().size() / 16);
    case Type::array: return charge(value.items().size());
    case Type::map: return charge(value.map_object().entries.size());
    case Type::blob: return charge(value.bytes().size() / 16);
    default: return true;
  }
}

bool Machine::check_string(std::size_t bytes) {
  if (bytes <= (limits_.string_bytes == 0 ? string_bytes_cap : limits_.string_bytes)) return true;
  return fail(ErrorKind::data_too_large, "Length of string");
}

bool Machine::check_array(std::size_t items) {
  if (items <= (limits_.array_items == 0 ? array_items_cap : limits_.array_items)) return true;
  return fail(ErrorKind::data_too_large, "Size of array/BLOB");
}

bool Machine::check_weight(const Weight& weight) {
  if (!check_string(weight.bytes) || !check_array(weight.items)) return false;
  return limits_.map_items == 0 || weight.entries <= limits_.map_items ||
         fail(ErrorKind::data_too_large, "Size of object map");
}

// As the official engine does, and what closures hold with it.
bool Machine::check_size(const Value& value) {
  if (!value.is_object()) return true;
  if (value.is_string()) return check_string(value.text().size());
  if (!is_limited_) return check_array(value.is_array() ? value.items().size() : 0);
  Weight none;
  return check_more(value, none);
}

bool Machine::check_more(const Value& value, Weight& held) {
  if (!is_limited_ || !value.is_object()) return true;
  Weighing weighing;
  weighing.total = held;
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
  Weighing weighing;
  for (CellObject* cell = cells_.first(); cell != nullptr; cell = cell->next) weighing.add_cell(*cell);
  return finish(weighing);
}

bool Machine::finish(Weighing& weighing) {
  while (!weighing.is_done()) {
    weighing.step();
    if (!check_weight(weighing.total)) return false;
    if (weighing.values > comparison_steps_max) return fail(ErrorKind::data_too_large, "Size of data");
  }
  return charge(weighing.values);
}

}  // namespace rbee::rhai
