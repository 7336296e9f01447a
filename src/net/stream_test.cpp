#include "net/stream.h"

#include "base/text.h"
#include "net/test_connection.h"

#include <gtest/gtest.h>

namespace rbee::net {
namespace {

class StreamTest : public ConnectionTest {
 protected:
  // The bytes, or the error's name; "" is the end.
  std::string read(std::size_t most, Milliseconds within = a_minute) {
    stream_.expire_after(within);
    return loop_.block_on(read_from(stream_, most));
  }
  static Task<std::string> read_from(Stream& stream, std::size_t most) {
    std::string room(most, '?');
    const Result<std::size_t> got = co_await stream.read_some(room.data(), room.size());
    if (!got) co_return std::string(info(got.error().code).name);
    room.resize(*got);
    co_return room;
  }
  void watch(Stream::Watch how) {
    stream_.watch([this] { ++left_; }, how);
  }

  int left_ = 0;  // how often it was told
};

TEST_F(StreamTest, WhatTheSocketTakesAtOnceIsCutOffAndTheRestIsWritten) {
  std::string_view first = "one ";
  std::string_view second = "two";
  const Result<bool> whole = stream_.write_at_once(first, second);
  ASSERT_TRUE(whole);
  EXPECT_TRUE(*whole);
  EXPECT_TRUE(first.empty() && second.empty());
  EXPECT_EQ(receive(7), "one two");

  const std::string much(16u << 20, 'x');
  first = "y";
  second = much;
  const Result<bool> part = stream_.write_at_once(first, second);
  ASSERT_TRUE(part);
  EXPECT_FALSE(*part) << "nobody reads";
  const std::size_t left = first.size() + second.size();
  EXPECT_LT(left, much.size());
  EXPECT_EQ(receive(much.size() + 1 - left).size(), much.size() + 1 - left);
  EXPECT_TRUE(*stream_.write_at_once(second, first) || second.size() < left) << "there is room again";
}

TEST_F(StreamTest, WhatCannotBeWrittenIsToldAtOnce) {
  leave();
  std::string_view first = "one";
  std::string_view second;
  EXPECT_FALSE(stream_.write_at_once(first, second));
  EXPECT_TRUE(stream_.write_failed());
  EXPECT_FALSE(Stream().write_at_once(first, second));
}

class WatchedStream : public StreamTest, public ::testing::WithParamInterface<Stream::Watch> {};

Task<std::string> read_to_the_end(Stream& stream, std::size_t& bytes) {
  char byte = 0;
  while (true) {
    const Result<std::size_t> got = co_await stream.read_some(&byte, 1);
    if (!got) co_return std::string(info(got.error().code).name);
    if (*got == 0) co_return "";
    ++bytes;
  }
}

TEST_F(StreamTest, ATimeForAllIsNotRenewedByWhatComes) {
  loop_.spawn(drip(std::string(50, 'x')));
  std::size_t bytes = 0;
  stream_.expire_within(shorter_than_all);
  EXPECT_EQ(loop_.block_on(read_to_the_end(stream_, bytes)), "timed_out");
  EXPECT_LT(bytes, 50u);
  EXPECT_EQ(loop_.block_on(read_to_the_end(stream_, bytes)), "timed_out") << "it stays over";
  EXPECT_EQ(read(1), "x") << "a new time is a new one";
}

TEST_F(StreamTest, ATimeForAllIsNotOutlastedByBytesThatAreAlwaysThere) {
  send(std::string(100'000, 'x'));
  leave();
  std::size_t bytes = 0;
  stream_.expire_within(Milliseconds{1});
  EXPECT_EQ(loop_.block_on(read_to_the_end(stream_, bytes)), "timed_out");
  EXPECT_LT(bytes, 100'000u);
}

TEST_P(WatchedStream, TellsOnceThatTheOtherEndHasLeft) {
  watch(GetParam());
  settle();
  EXPECT_EQ(left_, 0);
  leave();
  settle();
  EXPECT_EQ(left_, 1);
  stream_.unwatch();
  EXPECT_EQ(read(10), "");
  EXPECT_EQ(left_, 1);
}

TEST_P(WatchedStream, KeepsWhatIsSentForTheNextReads) {
  watch(GetParam());
  send("early words");
  settle();
  stream_.unwatch();
  EXPECT_EQ(read(5), "early");
  EXPECT_EQ(read(100), " words");
  watch(GetParam());
  settle();
  stream_.unwatch();
  send("more");
  EXPECT_EQ(read(100), "more") << "a read that comes while nothing is there waits";
  EXPECT_EQ(left_, 0);
}

TEST_P(WatchedStream, MoreThanIsReadAheadComesInItsOrder) {
  std::string sent;
  for (int i = 0; sent.size() < 3 * Stream::ahead_bytes; ++i) sent += cat(i, ' ');
  watch(GetParam());
  send(sent);
  settle();
  stream_.unwatch();
  std::string came;
  while (came.size() < sent.size()) came += read(Stream::ahead_bytes / 3);
  EXPECT_EQ(came, sent);
}

TEST_P(WatchedStream, AReadThatTakesTooLongEndsAndMayBeTriedAgain) {
  watch(GetParam());
  stream_.unwatch();
  EXPECT_EQ(read(10, Milliseconds{1}), "timed_out");
  send("late");
  EXPECT_EQ(read(10), "late");
}

TEST_P(WatchedStream, IsToldOfAnEndThatCameWhileNobodyWatched) {
  watch(GetParam());
  stream_.unwatch();
  leave();
  settle();
  watch(GetParam());
  settle();
  EXPECT_EQ(left_, 1);
}

TEST_P(WatchedStream, WhatWasSentGoesWithItToAnotherLoop) {
  watch(GetParam());
  send("early");
  settle();
  Stream::Detached detached = stream_.detach();
  stream_ = Stream::attach(loop_, std::move(detached));
  EXPECT_EQ(read(10), "early");
  send("more");
  EXPECT_EQ(read(10), "more");
}

TEST_P(WatchedStream, IsNotToldOfItsOwnEnd) {
  watch(GetParam());
  stream_.close();
  settle();
  EXPECT_EQ(left_, 0);
  EXPECT_EQ(read(10), "cancelled");
}

INSTANTIATE_TEST_SUITE_P(BothWays, WatchedStream,
                         ::testing::Values(Stream::Watch::waits, Stream::Watch::reads_ahead));

// What is there already is told in the loop's next turn, behind the close.
Task<std::string> close_before_it_is_told(Loop& loop, Stream& stream) {
  loop.post([&stream] { stream.close(); });
  stream.watch([] {}, Stream::Watch::reads_ahead);
  char room[100];
  const Result<std::size_t> got = co_await stream.read_some(room, sizeof room);
  co_return got ? cat(*got, " bytes") : std::string(info(got.error().code).name);
}

TEST_F(StreamTest, WhatIsClosedBeforeItsBytesAreToldGivesNoneOfAnEarlierRead) {
  send("early");
  EXPECT_EQ(read(100), "early");
  send("late words");
  EXPECT_EQ(loop_.block_on(close_before_it_is_told(loop_, stream_)), "cancelled");
}

TEST_F(StreamTest, OnlyWhatReadsAheadKnowsOfBytesThatNobodyAskedFor) {
  watch(Stream::Watch::reads_ahead);
  EXPECT_FALSE(stream_.has_read_ahead());
  send("unasked");
  settle();
  EXPECT_TRUE(stream_.has_read_ahead());
  EXPECT_EQ(read(100), "unasked");
  EXPECT_FALSE(stream_.has_read_ahead());
}

}  // namespace
}  // namespace rbee::net
