#include "net/asio_loop.h"
#include "net/loop.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace rbee::net {

struct Runtime::Threads {
  std::vector<std::jthread> running;
};

Runtime::Runtime(const Clock& clock, int loops) : clock_(clock), threads_(std::make_unique<Threads>()) {
  const int count = std::clamp(loops, 1, most_loops);
  for (int i = 0; i < count; ++i) loops_.push_back(std::make_unique<Loop>(clock));
}

Runtime::~Runtime() { stop(); }

std::vector<Loop*> Runtime::loops() {
  std::vector<Loop*> all;
  for (const auto& loop : loops_) all.push_back(loop.get());
  return all;
}

Loop& Runtime::patient() {
  if (!patient_) patient_ = std::make_unique<Loop>(clock_, true);
  return *patient_;
}

std::vector<Loop*> Runtime::all() {
  std::vector<Loop*> all = loops();
  if (patient_) all.push_back(patient_.get());
  return all;
}

void Runtime::start() {
  for (Loop* loop : all()) threads_->running.emplace_back([loop] { loop->run(); });
}

void Runtime::stop() {
  for (Loop* loop : all()) loop->post([loop] { loop->stop(); });
  threads_->running.clear();
  for (Loop* loop : all()) loop->drop_tasks();
}

struct BlockingThread::Impl {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> queue;
  bool ending = false;
  std::jthread thread;

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return ending || !queue.empty(); });
      if (queue.empty()) return;
      const std::function<void()> work = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }
};

BlockingThread::BlockingThread() : impl_(std::make_unique<Impl>()) {
  impl_->thread = std::jthread([impl = impl_.get()] { impl->run(); });
}

BlockingThread::~BlockingThread() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
  }
  impl_->wake.notify_one();
}

bool BlockingThread::post(std::function<void()> work) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->queue.size() >= most_queued) return false;
    impl_->queue.push_back(std::move(work));
  }
  impl_->wake.notify_one();
  return true;
}

namespace {

// The longest that a caller can wait: blocking work has limits of its own, far below.
constexpr Milliseconds a_day{24 * 3600 * 1000};

}  // namespace

Task<void> BlockingThread::run_erased(Loop& loop, std::function<void()> work) {
  // Shared: the waiting task may be dropped while the work still runs.
  const auto done = std::make_shared<Signal>(loop);
  Loop* waiting = &loop;
  // Given on to the loop: the last to let go of it ends its timer, and that is the loop's.
  std::function<void()> then_tell = [told = done, waiting, work = std::move(work)]() mutable {
    work();
    waiting->post([told = std::move(told)] { told->notify(); });
  };
  // Full: 65,536 pieces of work behind. Doing it here slows those who bring more, and loses nothing.
  if (!post(then_tell)) then_tell();
  co_await done->wait(a_day);
}

}  // namespace rbee::net
