#include "net/loop.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

namespace rbee::net {
namespace {

Task<int> add(Loop& loop, int a, int b) {
  co_await sleep_for(loop, Milliseconds{1});
  co_return a + b;
}

Task<int> add_three(Loop& loop) {
  const int first = co_await add(loop, 1, 2);
  const int second = co_await add(loop, first, 3);
  co_return second;
}

TEST(Loop, TasksHandTheirValuesOn) {
  const SystemClock clock;
  Loop loop(clock);
  EXPECT_EQ(loop.block_on(add_three(loop)), 6);
  EXPECT_EQ(loop.block_on(add_three(loop)), 6) << "a loop can be run again";
}

Task<std::string> text_now(std::string text) { return Task<std::string>::done(std::move(text)); }
Task<void> nothing_now() { return Task<void>::done(); }

Task<std::string> wait_for_what_is_there() {
  Task<std::string> kept = text_now("one ");
  Task<std::string> moved = std::move(kept);
  std::string text = co_await moved;
  moved = text_now(std::string(1000, 'x'));
  const std::string more = co_await moved;
  co_await nothing_now();
  co_return text + more;
}

TEST(Loop, WhatIsDoneAlreadyIsNotWaitedFor) {
  const SystemClock clock;
  Loop loop(clock);
  EXPECT_EQ(loop.block_on(wait_for_what_is_there()), "one " + std::string(1000, 'x'));
  EXPECT_EQ(loop.block_on(text_now("two")), "two");
  loop.block_on(nothing_now());
}

TEST(Loop, APatientOneDoesAllThatCameWhileItRested) {
  const SystemClock clock;
  Runtime runtime(clock, 1);
  Loop& patient = runtime.patient();
  EXPECT_EQ(&patient, &runtime.patient());
  EXPECT_EQ(runtime.loops().size(), 1U) << "it is not among those that share the work";
  patient.rest_between_rounds(Milliseconds{2});
  runtime.start();
  constexpr int works = 1000;
  std::latch done(works);
  for (int i = 0; i < works; ++i) patient.post([&done] { done.count_down(); });
  done.wait();
  runtime.stop();
}

TEST(Loop, APatientOneThatRestsIsStoppedAtOnce) {
  const SystemClock clock;
  Runtime runtime(clock, 1);
  Loop& patient = runtime.patient();
  patient.rest_between_rounds(std::chrono::hours(1));
  runtime.start();
  std::latch begun(1);
  patient.post([&begun] { begun.count_down(); });
  begun.wait();
  patient.stop();
  runtime.stop();  // joins its thread
}

struct Witness {
  explicit Witness(int& to) : count(to) { ++count; }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness() { --count; }
  int& count;
};

Task<void> wait_for_ever(Loop& loop, int& alive) {
  const Witness witness(alive);
  Signal signal(loop);
  co_await signal.wait(Milliseconds{1'000'000});
}

TEST(Loop, TasksThatStillWaitAreFreedWithIt) {
  const SystemClock clock;
  int alive = 0;
  {
    Loop loop(clock);
    loop.spawn(wait_for_ever(loop, alive));
    loop.block_on(sleep_for(loop, Milliseconds{1}));
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

Task<bool> wait_on(Signal& signal, Milliseconds timeout) {
  const bool announced = co_await signal.wait(timeout);
  co_return announced;
}

TEST(Signal, AnAnnouncementIsKeptForTheNextWaitAndOnlyThat) {
  const SystemClock clock;
  Loop loop(clock);
  Signal signal(loop);
  signal.notify();
  signal.notify();
  EXPECT_TRUE(loop.block_on(wait_on(signal, Milliseconds{60'000})));
  EXPECT_FALSE(loop.block_on(wait_on(signal, Milliseconds{1})));
}

TEST(Signal, IsAnnouncedFromAnotherThreadByPosting) {
  const SystemClock clock;
  Loop loop(clock);
  Signal signal(loop);
  std::jthread other([&] { loop.post([&] { signal.notify(); }); });
  EXPECT_TRUE(loop.block_on(wait_on(signal, Milliseconds{60'000})));
}

TEST(Timer, ArmingAgainReplacesAndCancellingEnds) {
  const SystemClock clock;
  Loop loop(clock);
  Timer timer(loop);
  std::string fired;
  timer.arm(Milliseconds{1}, [&] { fired += "first"; });
  timer.arm(Milliseconds{2}, [&] { fired += "second"; });
  Timer cancelled(loop);
  cancelled.arm(Milliseconds{1}, [&] { fired += "cancelled"; });
  cancelled.cancel();
  loop.block_on(sleep_for(loop, Milliseconds{20}));
  EXPECT_EQ(fired, "second");
}

Task<int> through_thread(Loop& loop, BlockingThread& thread) {
  std::function<int()> work = [] { return 42; };
  const int got = co_await thread.run(loop, std::move(work));
  co_return got;
}

TEST(BlockingThread, WorkRunsInOrderAndItsValueComesBack) {
  const SystemClock clock;
  Loop loop(clock);
  std::string order;
  {
    BlockingThread thread;
    for (const char c : {'a', 'b', 'c'}) thread.post([&order, c] { order += c; });
    EXPECT_EQ(loop.block_on(through_thread(loop, thread)), 42);
    thread.post([&order] { order += "d"; });
  }
  EXPECT_EQ(order, "abcd") << "what is queued is finished before it ends";
}

TEST(Runtime, WorkIsDoneOnEachLoopsOwnThread) {
  const SystemClock clock;
  Runtime runtime(clock, 2);
  std::atomic<int> done{0};
  std::vector<std::thread::id> threads(2);
  runtime.start();
  int index = 0;
  for (Loop* loop : runtime.loops()) {
    loop->post([&, index] {
      threads[static_cast<std::size_t>(index)] = std::this_thread::get_id();
      if (++done == 2) done.notify_one();
    });
    ++index;
  }
  for (int seen = 0; seen < 2; seen = done.load()) done.wait(seen);
  runtime.stop();
  EXPECT_NE(threads[0], threads[1]);
}

const char* room_of(Loop& loop, std::size_t bytes) {
  ReadBuffer room = loop.take_room();
  const char* at = room.prepare(bytes);
  loop.give_room(std::move(room));
  return at;
}

TEST(Loop, RoomForLongBodiesIsKeptForTheNext) {
  SystemClock clock;
  Loop loop(clock);
  const char* first = room_of(loop, 1u << 20);
  EXPECT_EQ(room_of(loop, 1u << 20), first);
}

TEST(Loop, NoMoreRoomIsKeptThanItsLimit) {
  SystemClock clock;
  Loop loop(clock);
  std::vector<ReadBuffer> taken(9);
  for (ReadBuffer& room : taken) static_cast<void>(room.prepare(1u << 20));
  for (ReadBuffer& room : taken) loop.give_room(std::move(room));
  std::size_t kept = 0;
  while (loop.take_room().capacity() > 0) ++kept;
  EXPECT_EQ(kept, 8u);
  ReadBuffer huge;
  static_cast<void>(huge.prepare(16u << 20));
  loop.give_room(std::move(huge));
  EXPECT_EQ(loop.take_room().capacity(), 0u);
}

}  // namespace
}  // namespace rbee::net
