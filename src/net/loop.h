// Loop: one thread of network work, and what may be asked of it. Runtime: a fixed number of loops.
//
// A connection lives and dies on one loop, so its state needs no lock. post() and spawn() may be called from
// every thread; all else only on the loop's own thread. Nothing that blocks may run here.
#pragma once

#include "base/clock.h"
#include "net/read_buffer.h"
#include "net/task.h"

#include <functional>
#include <memory>
#include <vector>

namespace rbee::net {

class Loop {
 public:
  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs on the loop's thread, after what is running now. Safe from every thread.
  void post(std::function<void()> work);
  // The task starts on the loop's thread and is owned by it until it ends. Safe from every thread.
  void spawn(Task<void> task);
  // Runs the loop on the calling thread until the task has ended: for commands and tests.
  void block_on(Task<void> task);
  template <class T>
  T block_on(Task<T> task) {
    std::optional<T> value;
    block_on(keep(std::move(task), value));
    return std::move(*value);
  }
  // Runs on the calling thread until stop().
  void run();
  // Safe from every thread, also when it does not run.
  void stop();
  // Destroys the tasks that have not ended, while what they refer to is still there. Only when it does not
  // run.
  void drop_tasks();

  [[nodiscard]] const Clock& clock() const { return clock_; }
  // Room for something long, with nothing in it, and back for the next. On the loop's thread.
  [[nodiscard]] ReadBuffer take_room();
  void give_room(ReadBuffer room);

  struct Impl;  // of this layer only: the asio context
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  template <class T>
  static Task<void> keep(Task<T> task, std::optional<T>& value) {
    T got = co_await task;
    value.emplace(std::move(got));
  }
  const Clock& clock_;
  std::unique_ptr<Impl> impl_;
};

// Calls back once, on the loop's thread, unless it is cancelled or destroyed before. Arming again replaces.
class Timer {
 public:
  explicit Timer(Loop& loop);
  ~Timer();
  Timer(Timer&&) noexcept;
  void arm(Milliseconds after, std::function<void()> callback);
  void cancel();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Something one coroutine waits for and others of the same loop announce. One waiter at a time; an
// announcement with nobody waiting is kept for the next wait. From another thread: loop.post it.
class Signal {
 public:
  explicit Signal(Loop& loop);
  ~Signal();
  void notify();
  // True when it was announced, false when `timeout` went by first.
  Task<bool> wait(Milliseconds timeout);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

Task<void> sleep_for(Loop& loop, Milliseconds duration);

// Loops with a thread each; the first also is where a process's own housekeeping runs.
class Runtime {
 public:
  // One for each core, up to 4: relaying is bound by the kernel, and more only wake each other.
  static constexpr int most_loops = 4;
  Runtime(const Clock& clock, int loops);
  ~Runtime();  // stops and joins
  [[nodiscard]] Loop& first() { return *loops_.front(); }
  [[nodiscard]] std::vector<Loop*> loops();
  // Starts a thread for each loop.
  void start();
  // Joins the threads, then drops the tasks that have not ended: what they refer to must still be there.
  void stop();

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

// Runs blocking work (SQLite, files, a child process) on one thread of its own, in order.
class BlockingThread {
 public:
  BlockingThread();
  ~BlockingThread();  // finishes what is queued, then joins
  // Safe from every thread. At most `most_queued` wait: beyond that false, and the work is not taken.
  static constexpr std::size_t most_queued = 65536;
  bool post(std::function<void()> work);
  // Runs `work` there and resumes on `loop` with its value.
  template <class T>
  Task<T> run(Loop& loop, std::function<T()> work) {
    auto value = std::make_shared<std::optional<T>>();
    Task<void> done = run_erased(loop, [value, work = std::move(work)] { value->emplace(work()); });
    co_await done;
    co_return std::move(**value);
  }

 private:
  Task<void> run_erased(Loop& loop, std::function<void()> work);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee::net
