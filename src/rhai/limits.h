// What a host allows a script. 0 means no limit, except for call levels, where it means no calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rbee::rhai {

struct Limits {
  std::uint64_t operations = 0;
  // What callbacks of filter(), map() and the like do is not counted in `operations`, as in the official
  // engine; this bounds all work together. 0: a hundred times `operations`.
  std::uint64_t work = 0;
  std::size_t call_levels = 64;
  std::size_t expression_depth = 64;
  std::size_t function_expression_depth = 32;
  std::size_t string_bytes = 0;
  std::size_t array_items = 0;
  std::size_t map_items = 0;
  std::size_t variables = 0;
  std::size_t functions = 0;
  std::size_t modules = 0;
  // Longer scripts are refused before they are read: nobody writes them, and their tree is large.
  std::size_t source_bytes = std::size_t{4} << 20U;
};

struct Language {
  bool strict_variables = false;
  bool shadowing = true;
  bool looping = true;
  bool closures = true;
  bool if_expressions = true;
  bool switch_expressions = true;
  bool loop_expressions = true;
  bool statement_expressions = true;
  // A property that a map does not have is an error instead of ().
  bool strict_properties = false;
  std::vector<std::string> disabled_symbols;
};

// No setting goes beyond these: they keep the C++ stack safe.
inline constexpr std::size_t expression_depth_cap = 500;
inline constexpr std::size_t native_depth_cap = 200;  // natives that call back, within each other
inline constexpr std::size_t call_levels_cap = 10'000;
// Where a host sets no limit these hold: what is larger would take the machine's memory with it.
inline constexpr std::size_t string_bytes_cap = std::size_t{256} << 20U;
inline constexpr std::size_t array_items_cap = std::size_t{64} << 20U;

}  // namespace rbee::rhai
