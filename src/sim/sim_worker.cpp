#include "sim/sim_worker.h"

#include "sim/trace.h"

#include <algorithm>
#include <cmath>

namespace rbee::sim {
namespace {

// While a prompt is read, those that generate make one token for each batch of it.
constexpr double batch_tokens = 2048;

struct EndsLater {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return a.ends_at != b.ends_at ? a.ends_at > b.ends_at : a.request.index > b.request.index;
  }
};

}  // namespace

SimWorker::SimWorker(SimSpeed speed)
    : speed_(speed), cache_(static_cast<std::size_t>(speed.cache_tokens / block_tokens)) {}

double SimWorker::rate() const {
  if (generating_.empty()) return 0;
  const double ordinary = speed_.speed_of(static_cast<int>(generating_.size())) * share_;
  return reading_.empty() ? ordinary : std::min(ordinary, prompt_rate() / batch_tokens);
}

void SimWorker::plan() {
  next_s_ = never;
  if (!reading_.empty()) next_s_ = now_s_ + reading_.front().left / prompt_rate();
  if (!generating_.empty()) {
    next_s_ = std::min(next_s_, now_s_ + std::max(0.0, generating_.front().ends_at - made_) / rate());
  }
}

void SimWorker::advance(double now_s) {
  const double passed = now_s - now_s_;
  if (passed <= 0) return;
  made_ += passed * rate();
  busy_slot_s_ += passed * in_slots_;
  if (!reading_.empty()) reading_.front().left -= passed * prompt_rate();
  now_s_ = now_s;
}

void SimWorker::set_share(double now_s, double share) {
  if (share == share_) return;
  advance(now_s);
  share_ = share;
  plan();
}

double SimWorker::cached_tokens(const SimRequest& request) const {
  const double leading = static_cast<double>(cache_.leading(request.blocks));
  return std::min(request.prompt_tokens - 1, block_tokens * leading);
}

void SimWorker::take_slot(const SimRequest& request) {
  const double left = request.prompt_tokens - cached_tokens(request);
  cache_.insert(request.blocks);
  ++in_slots_;
  tokens_in_slots_ += request.prompt_tokens;
  reading_.push_back({request, left, left, reading_.empty() ? now_s_ : -1});
}

void SimWorker::give(double now_s, const SimRequest& request) {
  advance(now_s);
  tokens_in_flight_ += request.prompt_tokens;
  if (in_slots_ < speed_.slots) {
    take_slot(request);
  } else {
    waiting_.push_back(request);
  }
  plan();
}

SimWorker::Event SimWorker::step() {
  const bool reads = !reading_.empty() && now_s_ + reading_.front().left / prompt_rate() <= next_s_;
  advance(next_s_);
  Event event;
  if (reads) {
    const Reading done = reading_.front();
    reading_.pop_front();
    if (!reading_.empty()) reading_.front().began_s = now_s_;
    event = {What::first_token, done.request.index};
    generating_.push_back(
        {done.request, made_ + done.request.output_tokens, now_s_, now_s_ - done.began_s, done.tokens});
    std::ranges::push_heap(generating_, EndsLater{});
  } else if (!generating_.empty()) {
    std::ranges::pop_heap(generating_, EndsLater{});
    const Generating done = generating_.back();
    generating_.pop_back();
    made_ = std::max(made_, done.ends_at);
    event = {What::ended, done.request.index, done.prompt_s, done.read_tokens, now_s_ - done.began_s};
    --in_slots_;
    tokens_in_slots_ -= done.request.prompt_tokens;
    tokens_in_flight_ -= done.request.prompt_tokens;
    if (!waiting_.empty()) {
      const SimRequest next = waiting_.front();
      waiting_.pop_front();
      take_slot(next);
    }
  }
  plan();
  return event;
}

std::vector<std::uint32_t> SimWorker::fail(double now_s) {
  advance(now_s);
  std::vector<std::uint32_t> lost;
  for (const Reading& one : reading_) lost.push_back(one.request.index);
  for (const Generating& one : generating_) lost.push_back(one.request.index);
  for (const SimRequest& one : waiting_) lost.push_back(one.index);
  std::ranges::sort(lost);
  reading_.clear();
  generating_.clear();
  waiting_.clear();
  in_slots_ = 0;
  tokens_in_flight_ = tokens_in_slots_ = 0;
  cache_ = routing::BlockCache(static_cast<std::size_t>(speed_.cache_tokens / block_tokens));
  next_s_ = never;
  return lost;
}

double SimWorker::prompts_pending() const {
  double sum = 0;
  for (const Reading& one : reading_) sum += one.left;
  return sum;
}

double SimWorker::prompts_waiting() const {
  double sum = 0;
  for (const SimRequest& one : waiting_) sum += one.prompt_tokens - cached_tokens(one);
  return sum;
}

void SimWorker::generated(std::vector<double>& out) const {
  out.clear();
  for (const Generating& one : generating_) {
    out.push_back(made_ - (one.ends_at - one.request.output_tokens));
  }
}

}  // namespace rbee::sim
