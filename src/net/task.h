// Task<T>: a coroutine that runs on one Loop and hands T to whoever awaits it.
//
// Lazy: nothing runs before it is awaited, spawned (Loop::spawn) or blocked on (Loop::block_on). A Task
// owns its frame; destroying one that waits destroys all it waits for. Exceptions are bugs: one that
// leaves a task ends the process.
//
// A function that has its value at hand gives done(): that is no coroutine, and costs no frame. Of what a
// request does on its way, most is done at once.
//
// GCC 12 miscompiles some shapes, so in this project: await into a named variable first (no co_await inside
// a condition, a loop head, or beside braced temporaries in its arguments), and pass named values to a
// coroutine. A lambda that is a coroutine takes what it needs as parameters, never by capture.
#pragma once

#include "net/room_store.h"

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace rbee::net {

template <class T>
class Task;

namespace detail {

struct FinalAwaiter {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) noexcept {
    return done.promise().continuation ? done.promise().continuation : std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

struct PromiseBase : InRoom {
  std::coroutine_handle<> continuation = {};
  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value = {};
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& given) {
    value.emplace(std::forward<U>(given));
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
  // Of a task that was done() before it was awaited; nothing can be at hand of void but that it is done.
  struct Nothing {};
  using AtHand = std::conditional_t<std::is_void_v<T>, Nothing, std::optional<T>>;

 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  [[nodiscard]] static Task done(auto&&... value) {
    Task task;
    if constexpr (!std::is_void_v<T>) task.at_hand_.emplace(std::forward<decltype(value)>(value)...);
    return task;
  }
  Task(Task&& other) noexcept
      : handle_(std::exchange(other.handle_, {})), at_hand_(std::move(other.at_hand_)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
      at_hand_ = std::move(other.at_hand_);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  [[nodiscard]] explicit operator bool() const { return static_cast<bool>(handle_); }
  [[nodiscard]] bool await_ready() const noexcept { return !handle_; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().continuation = awaiting;
    return handle_;
  }
  T await_resume() {
    if constexpr (!std::is_void_v<T>) return std::move(handle_ ? *handle_.promise().value : *at_hand_);
  }

 private:
  Handle handle_ = {};
  [[no_unique_address]] AtHand at_hand_ = {};
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

}  // namespace rbee::net
