// Agenda: which of many workers is next, where each may change its mind about when.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace rbee::sim {

class Agenda {
 public:
  static constexpr double never = std::numeric_limits<double>::infinity();
  explicit Agenda(std::size_t count) : times_(count, never) {}

  void set(std::size_t who, double at_s) {
    if (times_[who] == at_s) return;
    times_[who] = at_s;
    if (at_s == never) return;
    heap_.push_back({at_s, static_cast<std::uint32_t>(who)});
    std::ranges::push_heap(heap_, Later{});
  }
  // The earliest; the first of equals.
  [[nodiscard]] std::optional<std::size_t> next() {
    while (!heap_.empty()) {
      const Entry first = heap_.front();
      if (times_[first.who] == first.at_s) return first.who;
      std::ranges::pop_heap(heap_, Later{});
      heap_.pop_back();
    }
    return std::nullopt;
  }
  [[nodiscard]] double time_of(std::size_t who) const { return times_[who]; }

 private:
  struct Entry {
    double at_s;
    std::uint32_t who;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.at_s != b.at_s ? a.at_s > b.at_s : a.who > b.who;
    }
  };
  std::vector<double> times_;
  std::vector<Entry> heap_;
};

}  // namespace rbee::sim
