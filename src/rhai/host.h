// Objects of the host that scripts read in place.
#pragma once

#include "rhai/value.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::rhai {

struct HostProperty {
  using Place = const Value& (*)(const void* object);
  std::string name;
  // Strings should be made once by the host and shared: a Value copies without allocating.
  std::function<Value(const void* object)> get;
  // Where the object itself keeps the property as a Value, if it does: comparing it copies nothing.
  Place place = nullptr;

  // A property that lies in the object for as long as the object is read.
  static HostProperty stored(std::string name, Place place) { return {std::move(name), place, place}; }
  [[nodiscard]] Value read(const void* object) const {
    return place != nullptr ? place(object) : get(object);
  }
};

// A type of the host with its readable properties. A property that it does not have is an error which names
// the nearest one. An object that a script writes to becomes a map of its own first.
struct HostType {
  std::string name;  // what type_of() says
  std::vector<HostProperty> properties;
  // Set by Engine::add_type(): from 1, another for each type of an engine.
  std::uint32_t number = 0;

  // `hint` belongs to one place in a script, and so to one name: it says in which type and where the property
  // was found last time. What a map leaves there is below every number.
  [[nodiscard]] const HostProperty* find(std::string_view property, std::uint32_t& hint) const {
    if (number != 0 && hint >> index_bits == (number | typed)) return &properties[hint & (index_max - 1)];
    return find_slow(property, hint);
  }

 private:
  static constexpr std::uint32_t index_bits = 10;
  static constexpr std::uint32_t index_max = 1U << index_bits;
  static constexpr std::uint32_t typed = 1U << (31 - index_bits);  // the highest bit of a hint
  [[nodiscard]] const HostProperty* find_slow(std::string_view property, std::uint32_t& hint) const;
};

// All properties of a host object, as a map.
[[nodiscard]] Value host_to_map(const Value& object);

}  // namespace rbee::rhai
