#include "keeper/benchmark_book.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace rbee::keeper {
namespace {

// A document that only says of a worker that its user wants no benchmark.
constexpr std::string_view left_alone = "left_alone";

std::string worker_of(const Json& found) { return text_of(found, "worker"); }
std::string id_of(const Json& found) { return text_of(found, "id"); }
bool is_left_alone_note(const Json& found) { return get_bool(found, left_alone).value_or(false); }

bool is_same_thing(const Json& a, const Json& b) {
  return worker_of(a) == worker_of(b) && get_string(a, "model") == get_string(b, "model");
}

}  // namespace

struct BenchmarkBook::Kept {
  Json found;
  std::int64_t at_ms = 0;
};

BenchmarkBook::~BenchmarkBook() = default;

BenchmarkBook::BenchmarkBook(State& state) : state_(state) {
  for (const KeptBenchmark& one : state.benchmarks()) {
    Result<Json> found = parse_json(one.document);
    // One that cannot be read is of a version that nobody runs any more, or damaged: it says nothing.
    if (found && found->is_object()) kept_.push_back({std::move(*found), one.at_ms});
  }
}

void BenchmarkBook::put(const Json& found, std::int64_t at_ms) {
  const std::string id = id_of(found);
  std::vector<std::string> forgotten;
  {
    const std::scoped_lock lock(mutex_);
    const auto same = std::ranges::find_if(kept_, [&](const Kept& one) { return id_of(one.found) == id; });
    if (same != kept_.end())
      *same = {found, at_ms};
    else
      kept_.push_back({found, at_ms});
    auto others =
        std::ranges::count_if(kept_, [&](const Kept& one) { return is_same_thing(one.found, found); });
    while (others-- > static_cast<std::ptrdiff_t>(most_kept)) {
      const auto oldest =
          std::ranges::find_if(kept_, [&](const Kept& one) { return is_same_thing(one.found, found); });
      forgotten.push_back(id_of(oldest->found));
      kept_.erase(oldest);
    }
  }
  state_.keep({id, at_ms, dump_json(found)});
  for (std::string& old : forgotten) state_.keep({std::move(old), 0, ""});
}

std::vector<Json> BenchmarkBook::all() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Json> found;
  for (const Kept& one : kept_) {
    if (!is_left_alone_note(one.found)) found.push_back(one.found);
  }
  return found;
}

bool BenchmarkBook::knows(const std::string& worker) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(kept_, [&](const Kept& one) {
    return !is_left_alone_note(one.found) && worker_of(one.found) == worker;
  });
}

void BenchmarkBook::deployed(const std::string& worker) {
  const std::scoped_lock lock(mutex_);
  if (std::ranges::find(deployed_, worker) == deployed_.end()) deployed_.push_back(worker);
}

std::vector<std::string> BenchmarkBook::deployed() const {
  const std::scoped_lock lock(mutex_);
  return deployed_;
}

void BenchmarkBook::leave_alone(const std::string& worker) {
  put(Json{{"id", cat("left alone: ", worker)}, {"worker", worker}, {left_alone, true}}, 0);
}

bool BenchmarkBook::is_left_alone(const std::string& worker) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(kept_, [&](const Kept& one) {
    return is_left_alone_note(one.found) && worker_of(one.found) == worker;
  });
}

Result<std::unique_ptr<BenchmarkBook::Turn>> BenchmarkBook::take_turn(std::string what,
                                                                      std::function<void()> give_way) {
  std::function<void()> ask;
  std::string other;
  {
    const std::scoped_lock lock(mutex_);
    if (turn_ == nullptr) {
      std::unique_ptr<Turn> turn(new Turn(*this, std::move(what), std::move(give_way)));
      turn_ = turn.get();
      return turn;
    }
    other = turn_->what_;
    // Of two automatic ones the first goes on.
    if (!give_way) ask = turn_->give_way_;
  }
  if (ask) ask();
  return Error{ErrorCode::in_use,
               cat("A benchmark of '", other, "' runs already; two would measure each other."),
               "Ask again when it is done: `rbee worker benchmark --history` shows what it found.",
               {}};
}

bool BenchmarkBook::gives_way() const {
  const std::scoped_lock lock(mutex_);
  return turn_ != nullptr && turn_->give_way_;
}

BenchmarkBook::Turn::~Turn() {
  const std::scoped_lock lock(book_.mutex_);
  book_.turn_ = nullptr;
}

}  // namespace rbee::keeper
