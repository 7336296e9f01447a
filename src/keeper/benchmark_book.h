// BenchmarkBook: what benchmarks have found, in memory and in the keeper's state, and who measures now: one
// at a time, because two would measure each other. Safe from every thread.
#pragma once

#include "base/json.h"
#include "keeper/state.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace rbee::keeper {

class BenchmarkBook {
 public:
  // Of one model on one worker: years of one a week.
  static constexpr std::size_t most_kept = 200;

  // `state` must outlive it.
  explicit BenchmarkBook(State& state);
  ~BenchmarkBook();
  BenchmarkBook(const BenchmarkBook&) = delete;
  BenchmarkBook& operator=(const BenchmarkBook&) = delete;
  // Replaces what has the same "id".
  void put(const Json& found, std::int64_t at_ms);
  // The oldest first.
  [[nodiscard]] std::vector<Json> all() const;
  [[nodiscard]] bool knows(const std::string& worker) const;

  // Whoever measures holds one. `give_way` is called, once and on any thread, where somebody who goes before
  // wants to; an own one goes before an automatic one.
  class Turn {
   public:
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    friend class BenchmarkBook;
    Turn(BenchmarkBook& book, std::string what, std::function<void()> give_way)
        : book_(book), what_(std::move(what)), give_way_(std::move(give_way)) {}
    BenchmarkBook& book_;
    std::string what_;
    std::function<void()> give_way_;  // none: it gives way to nobody
  };
  // Fails with in_use, naming what is measured; an automatic one has been told to give way then.
  [[nodiscard]] Result<std::unique_ptr<Turn>> take_turn(std::string what, std::function<void()> give_way);
  // Whether the one that measures is an automatic one, which goes soon.
  [[nodiscard]] bool gives_way() const;

  // Workers that were deployed through this keeper since it started.
  void deployed(const std::string& worker);
  [[nodiscard]] std::vector<std::string> deployed() const;
  // That its user wants no benchmark of it.
  void leave_alone(const std::string& worker);
  [[nodiscard]] bool is_left_alone(const std::string& worker) const;

 private:
  State& state_;
  mutable std::mutex mutex_;
  struct Kept;
  std::vector<Kept> kept_;
  Turn* turn_ = nullptr;
  std::vector<std::string> deployed_;
};

}  // namespace rbee::keeper
