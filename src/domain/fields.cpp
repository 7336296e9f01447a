#include "domain/fields.h"

#include "base/text.h"

namespace rbee {

FieldReader::FieldReader(const Json& object, std::string_view what) : object_(object), what_(what) {
  if (!object.is_object())
    error_ = Error{ErrorCode::bad_json, cat("There is no JSON object where ", what, " should be.")};
}

const Json* FieldReader::find(std::string_view key) const {
  if (!object_.is_object()) return nullptr;
  const auto at = object_.find(std::string(key));
  return at == object_.end() || at->is_null() ? nullptr : &*at;
}

void FieldReader::fail(std::string_view key) {
  if (!error_)
    error_ = Error{ErrorCode::bad_json, cat("The field '", key, "' of ", what_, " is wrong or missing.")};
}

void FieldReader::require(std::string_view key, std::string& value) {
  read(key, value);
  if (value.empty()) fail(key);
}

void FieldReader::read(std::string_view key, std::string& value) {
  const Json* field = find(key);
  if (field == nullptr) return;
  if (!field->is_string()) return fail(key);
  value = field->get<std::string>();
}

void FieldReader::read(std::string_view key, bool& value) {
  const Json* field = find(key);
  if (field == nullptr) return;
  if (!field->is_boolean()) return fail(key);
  value = field->get<bool>();
}

void FieldReader::read(std::string_view key, double& value) {
  const Json* field = find(key);
  if (field == nullptr) return;
  if (!field->is_number()) return fail(key);
  value = field->get<double>();
}

void FieldReader::read_unsigned(std::string_view key, std::uint64_t& value, std::uint64_t most) {
  const Json* field = find(key);
  if (field == nullptr) return;
  // A negative number is an integer but no unsigned one; a positive one made by a program may be either.
  if (!field->is_number_integer() || (!field->is_number_unsigned() && field->get<std::int64_t>() < 0))
    return fail(key);
  const auto number = field->get<std::uint64_t>();
  if (number > most) return fail(key);
  value = number;
}

void FieldReader::read(std::string_view key, int& value) {
  auto number = static_cast<std::uint64_t>(value);
  read_unsigned(key, number, static_cast<std::uint64_t>(std::numeric_limits<int>::max()));
  value = static_cast<int>(number);
}

void FieldReader::read(std::string_view key, std::uint32_t& value) {
  std::uint64_t number = value;
  read_unsigned(key, number, std::numeric_limits<std::uint32_t>::max());
  value = static_cast<std::uint32_t>(number);
}

void FieldReader::read(std::string_view key, std::uint64_t& value) {
  read_unsigned(key, value, std::numeric_limits<std::uint64_t>::max());
}

void FieldReader::read(std::string_view key, std::map<std::string, std::string>& value) {
  const Json* field = find(key);
  if (field == nullptr) return;
  if (!field->is_object()) return fail(key);
  for (const auto& [name, text] : field->items()) {
    if (!text.is_string()) return fail(key);
    value[name] = text.get<std::string>();
  }
}

void FieldReader::read(std::string_view key, std::vector<std::string>& value) {
  const Json* field = find(key);
  if (field == nullptr) return;
  if (!field->is_array()) return fail(key);
  for (const Json& one : *field) {
    if (!one.is_string()) return fail(key);
    value.push_back(one.get<std::string>());
  }
}

}  // namespace rbee
