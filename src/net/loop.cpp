#include "net/loop.h"

#include "net/asio_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace rbee::net {
namespace {

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
  const auto guard = asio::make_work_guard(impl_->context);
  impl_->context.restart();
  if (impl_->rest)
    run_patiently();
  else
    impl_->context.run();
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
