// BenchmarkStop: how a benchmark is told to let go at once: what it has under way is ended, whatever that is.
// On one loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace rbee::keeper {

class BenchmarkStop {
 public:
  // Somebody wants the whole benchmark to end: its user, a keeper that stops. Whoever calls holds a share of
  // this: what ends may drop the others.
  void cancel() {
    cancelled_ = true;
    let_go();
  }
  // Live work came: what is under way ends, and may be begun again.
  void let_go() {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, end] : underway_) ids.push_back(id);
    for (const std::uint64_t id : ids) {
      const auto at = underway_.find(id);
      if (at == underway_.end()) continue;
      // A copy: what it ends may go on at once, and take the original away.
      const std::function<void()> end = at->second;
      end();
    }
  }
  [[nodiscard]] bool cancelled() const { return cancelled_; }

  // Something that can be ended, for as long as this lives.
  class Underway {
   public:
    Underway(BenchmarkStop& stop, std::function<void()> end) : stop_(stop), id_(++stop.last_id_) {
      stop.underway_.emplace(id_, std::move(end));
    }
    ~Underway() { stop_.underway_.erase(id_); }
    Underway(const Underway&) = delete;
    Underway& operator=(const Underway&) = delete;

   private:
    BenchmarkStop& stop_;
    std::uint64_t id_;
  };

 private:
  bool cancelled_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::function<void()>> underway_;
};

}  // namespace rbee::keeper
