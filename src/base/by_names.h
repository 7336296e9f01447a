// ByNames: the order of pairs of names, for maps in which they are found by views, without a copy of either.
#pragma once

#include <string_view>

namespace rbee {

struct ByNames {
  using is_transparent = void;
  bool operator()(const auto& a, const auto& b) const {
    const int first = std::string_view(a.first).compare(b.first);
    return first != 0 ? first < 0 : std::string_view(a.second) < std::string_view(b.second);
  }
};

}  // namespace rbee
