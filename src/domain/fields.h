// Reads the fields of one JSON object and remembers the first that was wrong. A field that is absent or
// null leaves its value as it was, so that hives and keepers of different versions understand each other.
#pragma once

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee {

class FieldReader {
 public:
  // `what` names the object in messages: "a worker".
  FieldReader(const Json& object, std::string_view what);

  // Fails where there is no such text, or an empty one.
  void require(std::string_view key, std::string& value);
  void read(std::string_view key, std::string& value);
  void read(std::string_view key, bool& value);
  void read(std::string_view key, double& value);
  void read(std::string_view key, int& value);
  void read(std::string_view key, std::uint32_t& value);
  void read(std::string_view key, std::uint64_t& value);
  void read(std::string_view key, std::vector<std::string>& value);
  void read(std::string_view key, std::map<std::string, std::string>& value);

  template <class T>
  void read(std::string_view key, std::optional<T>& value) {
    T found{};
    if (find(key) == nullptr) return;
    read(key, found);
    value = std::move(found);
  }

  // A word of a fixed set; `name_of` gives the word of each value.
  template <class T, std::size_t N, class NameOf>
  void read_word(std::string_view key, T& value, const T (&values)[N], NameOf name_of) {
    std::string word;
    if (find(key) == nullptr) return;
    read(key, word);
    for (const T one : values) {
      if (name_of(one) == word) {
        value = one;
        return;
      }
    }
    fail(key);
  }

  // An object, or each object of an array, by a function like worker_from_json.
  template <class T, class Parse>
  void read_object(std::string_view key, T& value, Parse parse) {
    const Json* json = find(key);
    if (json == nullptr) return;
    take(parse(*json), value);
  }
  template <class T, class Parse>
  void read_objects(std::string_view key, std::vector<T>& values, Parse parse) {
    const Json* json = find(key);
    if (json == nullptr) return;
    if (!json->is_array()) return fail(key);
    values.reserve(json->size());
    for (const Json& one : *json) {
      T value;
      take(parse(one), value);
      if (error_) return;
      values.push_back(std::move(value));
    }
  }

  void fail(std::string_view key);
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  template <class T>
  void take(Result<T> parsed, T& value) {
    if (parsed) {
      value = std::move(*parsed);
    } else if (!error_) {
      error_ = parsed.error();
    }
  }
  // Nothing where it is absent or null.
  [[nodiscard]] const Json* find(std::string_view key) const;
  void read_unsigned(std::string_view key, std::uint64_t& value, std::uint64_t most);

  const Json& object_;
  std::string what_;
  std::optional<Error> error_;
};

}  // namespace rbee
