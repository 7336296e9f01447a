// The functions that scripts can call and that are not scripts': the library's and the host's.
#pragma once

#include "rhai/errors.h"
#include "rhai/value.h"

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rbee::rhai {

class Machine;

// One call of a native. Argument 0 is given by reference, so that `push(a, 1)` changes `a`.
struct NativeCall {
  Machine& machine;
  Value* self;
  Value* rest;  // arguments 1 and on
  std::size_t count;
  Value result = {};

  [[nodiscard]] Value& operator[](std::size_t i) const { return i == 0 ? *self : rest[i - 1]; }
  // Notes the error and is false, as a native then is.
  bool fail(ErrorKind kind, std::string subject) const;
  bool fail(ScriptError error) const;
  bool give(Value value) {
    result = std::move(value);
    return true;
  }
};

using HostFunction = std::function<bool(NativeCall& call)>;

// A set of types, one bit each.
using TypeMask = std::uint32_t;
constexpr TypeMask mask(Type type) { return TypeMask{1} << static_cast<unsigned>(type); }
constexpr TypeMask any_type = ~TypeMask{0};

struct Native {
  static constexpr std::size_t arguments_max = 8;
  bool (*function)(NativeCall& call) = nullptr;
  std::shared_ptr<const HostFunction> host = {};
  std::array<TypeMask, arguments_max> types = {};
  bool changes_self = false;  // refused on constants
};

// All of one name and number of arguments; the first that fits the types is called.
struct NativeSet {
  std::vector<Native> overloads;
};

class Registry {
 public:
  // With the library of the official engine's default features.
  Registry();
  void add(std::string_view name, std::initializer_list<TypeMask> types, bool (*function)(NativeCall& call),
           bool changes_self = false);
  void add_host(std::string_view name, std::vector<TypeMask> types, HostFunction function);
  // Read as `value.name`.
  void add_getter(std::string_view name, TypeMask type, bool (*function)(NativeCall& call));
  [[nodiscard]] const NativeSet* find(std::string_view name, std::size_t arguments) const;
  [[nodiscard]] const NativeSet* find_getter(std::string_view name) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <class T>
  using Table = std::unordered_map<std::string, T, Hash, std::equal_to<>>;
  using Arities = std::array<std::unique_ptr<NativeSet>, Native::arguments_max + 1>;

  NativeSet& set(std::string_view name, std::size_t arguments);
  // By name, and then by the number of arguments. Sets stay where they are: programs point at them.
  Table<Arities> sets_;
  Table<std::unique_ptr<NativeSet>> getters_;
};

// The parts of the library, one file each.
void add_core_library(Registry& registry);
void add_number_library(Registry& registry);
void add_string_library(Registry& registry);
void add_string_edit_library(Registry& registry);
void add_array_library(Registry& registry);
void add_array_callback_library(Registry& registry);
void add_map_library(Registry& registry);
void add_blob_library(Registry& registry);
void add_range_library(Registry& registry);
void add_time_library(Registry& registry);

}  // namespace rbee::rhai
