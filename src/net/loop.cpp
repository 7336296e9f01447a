#include "net/loop.h"

#include "net/asio_loop.h"
#include "net/deadlines.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace rbee::net {
namespace {

// Less is not worth keeping, more is rare: a conversation of a hundred thousand words, a picture.
constexpr std::size_t least_spare_bytes = 64u << 10;
constexpr std::size_t most_spare_bytes = 8u << 20;  // of a loop
constexpr Milliseconds spare_kept_for{10'000};

// A coroutine that belongs to the loop's list while it runs, and frees itself at its end.
struct Detached {
  struct promise_type {
    std::list<std::coroutine_handle<>>* tasks = nullptr;
    std::list<std::coroutine_handle<>>::iterator place = {};
    ~promise_type() {
      if (tasks != nullptr) tasks->erase(place);
    }
    Detached get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};

Detached run_detached(Task<void> task) { co_await task; }

Task<void> then_stop(Loop& loop, Task<void> task, bool& done) {
  co_await task;
  done = true;
  loop.stop();
}

}  // namespace

Loop::Impl::Impl() = default;
Loop::Impl::~Impl() = default;

Deadlines& Loop::Impl::watch_over(Loop& loop) {
  if (!deadlines) deadlines = std::make_unique<Deadlines>(loop);
  return *deadlines;
}

Loop::Loop(const Clock& clock, bool patient) : clock_(clock), impl_(std::make_unique<Impl>()) {
  if (patient) impl_->rest = std::make_unique<Impl::Rest>();
}
Loop::~Loop() { drop_tasks(); }

void Loop::post(std::function<void()> work) { asio::post(impl_->context, std::move(work)); }

void Loop::spawn(Task<void> task) {
  // std::function wants something that can be copied.
  auto shared = std::make_shared<Task<void>>(std::move(task));
  // Moved: a copy that stayed here could be the last, and the frame would die on this thread.
  post([this, shared = std::move(shared)] {
    const auto handle = run_detached(std::move(*shared)).handle;
    handle.promise().tasks = &impl_->tasks;
    handle.promise().place = impl_->tasks.insert(impl_->tasks.end(), handle);
    handle.resume();
  });
}

void Loop::block_on(Task<void> task) {
  bool done = false;
  spawn(then_stop(*this, std::move(task), done));
  while (!done) run();
}

void Loop::run() {
#ifndef RBEE_PLAIN_FRAMES
  const RoomStore::Use uses(impl_->rooms);
#endif
  const auto guard = asio::make_work_guard(impl_->context);
  impl_->context.restart();
  if (impl_->rest)
    run_patiently();
  else
    impl_->context.run();
}

ReadBuffer Loop::take_room() {
  if (impl_->spare.empty()) return {};
  ReadBuffer room = std::move(impl_->spare.back());
  impl_->spare.pop_back();
  return room;
}

void Loop::give_room(ReadBuffer room) {
  room.clear();
  std::size_t bytes = room.capacity();
  for (const ReadBuffer& other : impl_->spare) bytes += other.capacity();
  if (room.capacity() < least_spare_bytes || bytes > most_spare_bytes) return;
  impl_->spare.push_back(std::move(room));
  if (!impl_->let_spare_go) impl_->let_spare_go.emplace(*this);
  impl_->let_spare_go->arm(spare_kept_for, [this] { impl_->spare.clear(); });
}

void Loop::run_patiently() {
  Impl::Rest& rest = *impl_->rest;
  while (impl_->context.run_one() > 0) {
    const Milliseconds pause = rest.between_rounds;
    if (pause == Milliseconds{0}) continue;
    impl_->context.poll();
    std::unique_lock lock(rest.mutex);
    rest.over.wait_for(lock, pause, [this] { return impl_->context.stopped(); });
  }
}

void Loop::rest_between_rounds(Milliseconds rest) {
  if (impl_->rest) impl_->rest->between_rounds = rest;
}

void Loop::stop() {
  impl_->context.stop();
  if (!impl_->rest) return;
  const std::scoped_lock lock(impl_->rest->mutex);
  impl_->rest->over.notify_all();
}

void Loop::drop_tasks() {
  while (!impl_->tasks.empty()) impl_->tasks.front().destroy();
}

}  // namespace rbee::net
