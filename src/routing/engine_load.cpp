#include "routing/engine_load.h"

#include <algorithm>
#include <array>

namespace rbee::routing {
namespace {

// llama.cpp's default batch: between two of them those that generate make one token.
constexpr double batch_tokens = 2048;
// More slots than any engine is started with; beyond them a wait is a guess anyhow.
constexpr std::size_t most_looked_at = 64;
// Of requests that come to an idle engine within so little, the second is mostly in the first one's batch:
// between its arrival and its batch lie the reading of its body, its template and its tokens.
constexpr double batch_opens_s = 0.002;
// First tokens that come with so little between them, by the time that they were waited for, came of one
// batch; of two batches they would lie a whole reading apart.
constexpr double same_moment = 0.2;
constexpr double same_moment_s = 0.003;

}  // namespace

double EngineLoad::rate() const {
  if (generating_ == 0) return 0;
  const double ordinary = 1 / speed_.step_s(generating_);
  return generating_ < static_cast<int>(jobs_.size()) ? std::min(ordinary, speed_.prompt / batch_tokens)
                                                      : ordinary;
}

void EngineLoad::generate(double seconds) {
  if (generating_ == 0) return;
  const double made = seconds * rate();
  made_ += made;
  seen_.rivals_s += seconds * rivals_;
  if (generating_ < static_cast<int>(jobs_.size())) {
    seen_.held_up += made;
    seen_.held_up_s += seconds;
    return;
  }
  const OccupancyPlace place = place_of_occupancy(generating_);
  seen_.seconds[place.lower] += seconds * (1 - place.upper_share);
  if (place.upper_share > 0) seen_.seconds[place.lower + 1] += seconds * place.upper_share;
}

void EngineLoad::finish_reading(Job& job) {
  unread_ = std::max(0.0, unread_ - job.unread);
  job.unread = 0;
  job.reading = false;
  ++generating_;
  begin_generating(job);
}

void EngineLoad::begin_generating(Job& job) {
  job.made_before = made_;
  job.seen_before = seen_;
}

void EngineLoad::advance(double now_s) {
  double left = (now_s - at_s_) / stretch();
  at_s_ = std::max(at_s_, now_s);
  device_s_ += std::max(left, 0.0);
  while (left > 0 && generating_ < static_cast<int>(jobs_.size())) {
    Job& next = *std::ranges::find(jobs_, true, &Job::reading);
    const double needed = next.unread / speed_.prompt;
    const double spent = std::min(left, needed);
    generate(spent);
    if (needed > left) {
      next.unread -= spent * speed_.prompt;
      unread_ = std::max(0.0, unread_ - spent * speed_.prompt);
      return;
    }
    left -= spent;
    finish_reading(next);
  }
  if (left > 0) generate(left);
}

void EngineLoad::set_rivals(double now_s, int rivals) {
  advance(now_s);
  rivals_ = rivals;
}

bool EngineLoad::joins_batch() const {
  if (generating_ == static_cast<int>(jobs_.size())) return false;
  // The one that is read now takes nobody more, but for its first moment.
  const Job& first = *std::ranges::find(jobs_, true, &Job::reading);
  return first.batch != batches_ || at_s_ <= batch_open_until_s_;
}

void EngineLoad::begin(double now_s, Job job) {
  advance(now_s);
  job.began_s = now_s;
  job.began_device_s = device_s_;
  if (!joins_batch()) {
    ++batches_;
    // Those that generate end their step before.
    batch_open_until_s_ = now_s + (generating_ > 0 ? speed_.step_s(generating_) * stretch() : batch_opens_s);
  }
  job.batch = batches_;
  busy_ += job.slots;
  unread_ += job.unread;
  // At once for all it will ever have: later ones allocate nothing.
  if (jobs_.empty())
    jobs_.reserve(std::min<std::size_t>(static_cast<std::size_t>(std::max(slots_, 1)), most_looked_at));
  jobs_.push_back(job);
}

void EngineLoad::first_token(double now_s, std::uint64_t request) {
  advance(now_s);
  const auto at = std::ranges::find(jobs_, request, &Job::request);
  if (at == jobs_.end() || at->told) return;
  tell_first_token(*at, now_s);
  if (!at->reading) {
    // It was believed to generate before it did.
    begin_generating(*at);
    return;
  }
  // Prompts are read in order: those before it are read too.
  for (auto job = jobs_.begin(); job != at + 1; ++job) {
    if (job->reading) finish_reading(*job);
  }
}

void EngineLoad::tell_first_token(Job& job, double at_s) {
  job.told = true;
  job.first_token_s = at_s;
  job.read_since_s = job.began_s;
  job.read_share = share_since_begun(job);
  for (Job& other : jobs_) {
    if (!other.told || other.request == job.request) continue;
    const double since_s = std::max(job.began_s, other.began_s);
    const double end_s = std::min(job.first_token_s, other.first_token_s);
    const double apart_s = std::max(job.first_token_s, other.first_token_s) - end_s;
    if (end_s < since_s || apart_s > std::max(same_moment * (end_s - since_s), same_moment_s)) continue;
    job.read_with += other.prompt;
    other.read_with += job.prompt;
    job.read_since_s = std::max(job.read_since_s, since_s);
    other.read_since_s = std::max(other.read_since_s, since_s);
  }
}

double EngineLoad::share_since_begun(const Job& job) const {
  const double passed_s = at_s_ - job.began_s;
  return passed_s > 0 ? (device_s_ - job.began_device_s) / passed_s : 1 / stretch();
}

// Who came in the time in which it was read, or little before, and of whom nobody said when that was done.
double EngineLoad::perhaps_read_with(const Job& job) const {
  if (!job.told) return 0;
  const double read_s = job.first_token_s - job.began_s;
  double tokens = 0;
  for (const Job& other : jobs_) {
    if (other.told || other.reading || other.request == job.request) continue;
    if (std::abs(other.began_s - job.began_s) <= read_s) tokens += other.prompt;
  }
  return tokens;
}

EngineLoad::Ended EngineLoad::end(double now_s, std::uint64_t request, double output_s) {
  advance(now_s);
  const auto at = std::ranges::find(jobs_, request, &Job::request);
  if (at == jobs_.end()) return {};
  if (!at->told && output_s > 0 && now_s - output_s >= at->began_s) tell_first_token(*at, now_s - output_s);
  Ended ended{true, {}};
  ended.company.at_end = static_cast<int>(jobs_.size());
  if (at->told) ended.company.read_s = at->first_token_s - at->read_since_s;
  ended.company.read_with = at->read_with;
  ended.company.read_share = at->told ? at->read_share : share_since_begun(*at);
  ended.company.share_at_end = 1 / stretch();
  ended.company.perhaps_read_with = perhaps_read_with(*at);
  if (at->reading) {
    unread_ = std::max(0.0, unread_ - at->unread);
  } else {
    --generating_;
    const Company& before = at->seen_before;
    for (std::size_t k = 0; k < before.seconds.size(); ++k) {
      ended.company.seconds[k] = seen_.seconds[k] - before.seconds[k];
    }
    ended.company.rivals_s = seen_.rivals_s - before.rivals_s;
    ended.company.held_up = seen_.held_up - before.held_up;
    ended.company.held_up_s = seen_.held_up_s - before.held_up_s;
  }
  busy_ -= at->slots;
  jobs_.erase(at);
  if (jobs_.empty()) unread_ = 0;
  return ended;
}

double EngineLoad::answer_s(double tokens) const {
  std::array<double, most_looked_at> ends{};
  const std::size_t count = std::min(jobs_.size(), most_looked_at);
  for (std::size_t i = 0; i < count; ++i) ends[i] = remaining(jobs_[i]);
  std::sort(ends.begin(), ends.begin() + static_cast<std::ptrdiff_t>(count));
  double seconds = 0, made = 0;
  int together = static_cast<int>(jobs_.size()) + 1;
  for (std::size_t i = 0; i < count && ends[i] < tokens; ++i, --together) {
    seconds += (ends[i] - made) * speed_.step_s(together);
    made = ends[i];
  }
  return stretch() * (seconds + (tokens - made) * speed_.step_s(together));
}

double EngineLoad::until_free_s(Ahead ahead) const {
  std::array<double, most_looked_at> ends{};
  const std::size_t count = std::min(jobs_.size(), most_looked_at);
  if (count == 0) return 0;
  const double step = speed_.step_s(static_cast<int>(jobs_.size()));
  double read = unread_ / speed_.prompt;
  for (std::size_t i = 0; i < count; ++i) ends[i] = read + remaining(jobs_[i]) * step;
  std::sort(ends.begin(), ends.begin() + static_cast<std::ptrdiff_t>(count));
  const auto nth = static_cast<std::size_t>(ahead.count);
  const std::size_t whole = nth / count;
  const std::size_t within = nth % count;
  double mean = 0;
  for (std::size_t i = 0; i < count; ++i) mean += jobs_[i].output * step;
  // Nobody generates while the prompts of those ahead are read.
  return stretch() * (ends[within] + ahead.unread / speed_.prompt +
                      static_cast<double>(whole) * mean / static_cast<double>(count));
}

double EngineLoad::until_idle_s() const {
  if (jobs_.empty()) return 0;
  double most = 0;
  for (const Job& job : jobs_) most = std::max(most, remaining(job));
  return stretch() * (unread_ / speed_.prompt + most * speed_.step_s(static_cast<int>(jobs_.size())));
}

}  // namespace rbee::routing
