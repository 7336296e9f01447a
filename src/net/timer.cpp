#include "net/asio_loop.h"
#include "net/loop.h"

#include <optional>

namespace rbee::net {

struct Timer::Impl {
  explicit Impl(Loop& loop) : state(std::make_shared<State>(loop)) {}
  struct State {
    explicit State(Loop& loop) : timer(context_of(loop)) {}
    SteadyTimer timer;
    std::function<void()> callback = {};
    std::uint64_t arming = 0;  // a firing of an earlier arming that is already queued must do nothing
  };
  std::shared_ptr<State> state;
};

Timer::Timer(Loop& loop) : impl_(std::make_unique<Impl>(loop)) {}
Timer::Timer(Timer&&) noexcept = default;
Timer::~Timer() {
  if (impl_) cancel();
}

void Timer::arm(Milliseconds after, std::function<void()> callback) {
  const std::shared_ptr<Impl::State>& state = impl_->state;
  state->callback = std::move(callback);
  const std::uint64_t arming = ++state->arming;
  state->timer.expires_after(after);
  state->timer.async_wait([state, arming](error_code) {
    if (state->arming != arming || !state->callback) return;
    const std::function<void()> due = std::exchange(state->callback, {});
    due();
  });
}

void Timer::cancel() {
  ++impl_->state->arming;
  impl_->state->callback = {};
  impl_->state->timer.cancel();
}

struct Signal::Impl {
  explicit Impl(Loop& on) : loop(on) {}
  Loop& loop;
  std::optional<Timer> timer = {};  // most signals are there before anybody waits
  std::coroutine_handle<> waiter = {};
  bool announced = false;
};

namespace {

struct SignalAwaiter {
  std::coroutine_handle<>& waiter;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
  void await_resume() const noexcept {}
};

}  // namespace

Signal::Signal(Loop& loop) : impl_(std::make_shared<Impl>(loop)) {}
Signal::~Signal() {
  if (impl_->timer) impl_->timer->cancel();
}

void Signal::notify() {
  impl_->announced = true;
  if (impl_->waiter) std::exchange(impl_->waiter, {}).resume();
}

Task<bool> Signal::wait(Milliseconds timeout) {
  const std::shared_ptr<Impl> impl = impl_;
  if (!impl->announced) {
    Impl* state = impl.get();
    if (!impl->timer) impl->timer.emplace(impl->loop);
    impl->timer->arm(timeout, [state] {
      if (state->waiter) std::exchange(state->waiter, {}).resume();
    });
    SignalAwaiter awaiter{impl->waiter};
    co_await awaiter;
    impl->timer->cancel();
  }
  co_return std::exchange(impl->announced, false);
}

Task<void> sleep_for(Loop& loop, Milliseconds duration) {
  Signal never(loop);
  co_await never.wait(duration);
}

}  // namespace rbee::net
