#include "rhai/registry.h"

#include <algorithm>

namespace rbee::rhai {

Registry::Registry() {
  add_core_library(*this);
  add_number_library(*this);
  add_string_library(*this);
  add_string_edit_library(*this);
  add_array_library(*this);
  add_array_callback_library(*this);
  add_map_library(*this);
  add_blob_library(*this);
  add_range_library(*this);
  add_time_library(*this);
}

NativeSet& Registry::set(std::string_view name, std::size_t arguments) {
  std::unique_ptr<NativeSet>& found = sets_[std::string(name)].at(arguments);
  if (found == nullptr) found = std::make_unique<NativeSet>();
  return *found;
}

void Registry::add(std::string_view name, std::initializer_list<TypeMask> types,
                   bool (*function)(NativeCall& call), bool changes_self) {
  Native native;
  native.function = function;
  native.changes_self = changes_self;
  std::copy(types.begin(), types.end(), native.types.begin());
  set(name, types.size()).overloads.push_back(std::move(native));
}

void Registry::add_host(std::string_view name, std::vector<TypeMask> types, HostFunction function) {
  Native native;
  native.host = std::make_shared<const HostFunction>(std::move(function));
  const std::size_t count = std::min(types.size(), Native::arguments_max);
  std::copy_n(types.begin(), count, native.types.begin());
  std::vector<Native>& overloads = set(name, count).overloads;
  // The host's come first: it may replace what the library has.
  overloads.insert(overloads.begin(), std::move(native));
}

void Registry::add_getter(std::string_view name, TypeMask type, bool (*function)(NativeCall& call)) {
  Native native;
  native.function = function;
  native.types[0] = type;
  std::unique_ptr<NativeSet>& found = getters_[std::string(name)];
  if (found == nullptr) found = std::make_unique<NativeSet>();
  found->overloads.push_back(std::move(native));
}

const NativeSet* Registry::find(std::string_view name, std::size_t arguments) const {
  if (arguments > Native::arguments_max) return nullptr;
  const auto found = sets_.find(name);
  return found == sets_.end() ? nullptr : found->second[arguments].get();
}

const NativeSet* Registry::find_getter(std::string_view name) const {
  const auto found = getters_.find(name);
  return found == getters_.end() ? nullptr : found->second.get();
}

}  // namespace rbee::rhai
