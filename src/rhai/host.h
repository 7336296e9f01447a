// Objects of the host that scripts read in place.
#pragma once

#include "rhai/value.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::rhai {

struct HostProperty {
  std::string name;
  // Strings should be made once by the host and shared: a Value copies without allocating.
  std::function<Value(const void* object)> get;
};

// A type of the host with its readable properties. A property that it does not have is an error which names
// the nearest one. An object that a script writes to becomes a map of its own first.
struct HostType {
  std::string name;  // what type_of() says
  std::vector<HostProperty> properties;
  [[nodiscard]] const HostProperty* find(std::string_view property, std::uint32_t& hint) const {
    if (hint < properties.size() && properties[hint].name == property) return &properties[hint];
    for (std::uint32_t i = 0; i < properties.size(); ++i) {
      if (properties[i].name == property) {
        hint = i;
        return &properties[i];
      }
    }
    return nullptr;
  }
};

// All properties of a host object, as a map.
[[nodiscard]] Value host_to_map(const Value& object);

}  // namespace rbee::rhai
