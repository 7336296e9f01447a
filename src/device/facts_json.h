// Facts of a probe as JSON and back: they travel from the child process that asked a vendor's library.
//
// A struct of facts lists its fields once, in a function `visit_fields(struct, visitor)`. Reading takes what
// is there with the right type and leaves the rest as it was: both ends are of one program.
#pragma once

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace rbee::device {

template <class T>
Json write_facts(const T& value);
template <class T>
void read_facts(const Json& json, T& value);

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

template <class T>
Json write_facts(const T& value) {
  if constexpr (is_optional<T>::value) {
    return value ? write_facts(*value) : Json(nullptr);
  } else if constexpr (is_vector<T>::value) {
    Json list = Json::array();
    for (const auto& one : value) list.push_back(write_facts(one));
    return list;
  } else if constexpr (std::is_arithmetic_v<T> || std::same_as<T, std::string>) {
    return Json(value);
  } else {
    Json object = Json::object();
    visit_fields(const_cast<T&>(value),
                 [&object](const char* name, auto& field) { object[name] = write_facts(field); });
    return object;
  }
}

template <class T>
void read_facts(const Json& json, T& value) {
  if constexpr (is_optional<T>::value) {
    if (json.is_null()) return;
    typename T::value_type inner{};
    read_facts(json, inner);
    value = std::move(inner);
  } else if constexpr (is_vector<T>::value) {
    if (!json.is_array()) return;
    for (const Json& one : json) read_facts(one, value.emplace_back());
  } else if constexpr (std::same_as<T, bool>) {
    if (json.is_boolean()) value = json.get<bool>();
  } else if constexpr (std::is_arithmetic_v<T>) {
    if (json.is_number()) value = json.get<T>();
  } else if constexpr (std::same_as<T, std::string>) {
    if (json.is_string()) value = json.get<std::string>();
  } else {
    if (!json.is_object()) return;
    visit_fields(value, [&json](const char* name, auto& field) {
      const auto at = json.find(name);
      if (at != json.end()) read_facts(*at, field);
    });
  }
}

}  // namespace rbee::device
