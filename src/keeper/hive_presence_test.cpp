// A hive's signs of life, and what they make of it.
#include "keeper/hive_presence.h"

#include <gtest/gtest.h>

#include <string>

namespace rbee::keeper {
namespace {

constexpr Instant at(std::int64_t ms) { return Instant{Milliseconds{ms}}; }

// The hive's heartbeats come every 400 ms but while it stalls, and looks are made when they are due.
class Watched {
 public:
  explicit Watched(Milliseconds gone_after = HivePresence::usual_gone_after) : presence_(gone_after) {
    presence_.on_report(at(0));
  }
  HivePresence& presence() { return presence_; }
  // Whether it was ever gone until then.
  bool silent_until(std::int64_t ms) {
    bool gone = false;
    while (now_ < at(ms)) {
      const Instant due = presence_.due(now_).value_or(at(ms));
      now_ = std::min(std::max(due, now_ + Milliseconds{1}), at(ms));
      if (now_ < at(ms) || due == now_) gone = presence_.look(now_) == HiveState::gone || gone;
    }
    return gone;
  }
  void byte_at(std::int64_t ms) {
    now_ = at(ms);
    presence_.on_bytes(now_);
    presence_.look(now_);
  }

 private:
  HivePresence presence_;
  Instant now_{};
};

std::string state_at(HivePresence& presence, std::int64_t ms) {
  return std::string(hive_state_name(presence.look(at(ms))));
}

TEST(HivePresence, IsGoneUntilItsFirstReport) {
  HivePresence presence;
  presence.on_bytes(at(5));
  EXPECT_EQ(state_at(presence, 10), "gone");
  presence.on_report(at(20));
  EXPECT_EQ(state_at(presence, 20), "up");
}

TEST(HivePresence, IsSuspectAfterASecondOfSilenceAndGoneAfterTwo) {
  HivePresence presence;
  presence.on_report(at(0));
  EXPECT_EQ(state_at(presence, 999), "up");
  EXPECT_EQ(state_at(presence, 1000), "suspect");
  EXPECT_EQ(state_at(presence, 1999), "suspect");
  EXPECT_EQ(state_at(presence, 2000), "gone");
}

TEST(HivePresence, OneThatIsSuspectIsUpByAnyByteAndOneThatIsGoneOnlyByItsReport) {
  HivePresence presence;
  presence.on_report(at(0));
  EXPECT_EQ(state_at(presence, 1500), "suspect");
  presence.on_bytes(at(1600));
  EXPECT_EQ(state_at(presence, 1600), "up");
  EXPECT_EQ(state_at(presence, 3600), "gone");
  presence.on_bytes(at(3700));
  EXPECT_EQ(state_at(presence, 3700), "gone");
  presence.on_report(at(3800));
  EXPECT_EQ(state_at(presence, 3800), "up");
}

TEST(HivePresence, ABrokenLinkIsSuspectAtOnceAndARefusalThenGone) {
  HivePresence presence;
  presence.on_report(at(0));
  presence.on_link_broken(at(100));
  EXPECT_EQ(presence.state(), HiveState::suspect);
  presence.on_refused(at(150));
  EXPECT_EQ(presence.state(), HiveState::gone);
}

TEST(HivePresence, ABrokenLinkThatIsMendedInTimeIsNeverGone) {
  HivePresence presence;
  presence.on_report(at(0));
  presence.on_link_broken(at(100));
  presence.on_report(at(200));
  EXPECT_EQ(state_at(presence, 200), "up");
}

TEST(HivePresence, OtherConnectionsKeepAHiveWithABrokenLinkFromBeingGone) {
  HivePresence presence;
  presence.on_report(at(0));
  presence.on_link_broken(at(100));
  for (std::int64_t ms = 500; ms < 10'000; ms += 500) {
    presence.on_bytes(at(ms));
    EXPECT_EQ(state_at(presence, ms + 499), "suspect");
  }
}

TEST(HivePresence, ARefusalBesideALinkThatLivesIsADoubtUntilTheNextByte) {
  HivePresence presence;
  presence.on_report(at(0));
  presence.on_refused(at(100));
  EXPECT_EQ(presence.state(), HiveState::suspect);
  presence.on_bytes(at(300));
  EXPECT_EQ(state_at(presence, 300), "up");
}

TEST(HivePresence, AKeeperThatStoodStillBlamesNobody) {
  HivePresence presence;
  presence.on_report(at(0));
  presence.on_own_pause(Milliseconds{60'000});
  EXPECT_EQ(state_at(presence, 60'100), "up");
  EXPECT_EQ(state_at(presence, 62'000), "gone");
}

TEST(HivePresence, ALimitBelowTheLeastIsTheLeast) {
  HivePresence presence(Milliseconds{1});
  presence.on_report(at(0));
  EXPECT_EQ(state_at(presence, 1499), "suspect");
  EXPECT_EQ(state_at(presence, 1500), "gone");
}

// Heartbeats come every 400 ms, so that one which stalls for 1.5 s right before its next is silent for 1.9.
TEST(HivePresence, TenMinutesOfStallsOfOneAndAHalfSecondsNeverMakeItGone) {
  Watched hive;
  std::int64_t beat = 0;
  for (std::int64_t stall = 0; beat < 600'000; ++stall) {
    // Each stall begins at another moment between two heartbeats.
    const std::int64_t stalled_from = beat + 1 + (stall * 37) % 400;
    std::int64_t next = beat + 400;
    if (next >= stalled_from) next = std::max(next, stalled_from + 1500);
    ASSERT_FALSE(hive.silent_until(next)) << "at " << next << " ms";
    hive.byte_at(next);
    beat = next;
    ASSERT_EQ(hive.presence().state(), HiveState::up);
  }
}

}  // namespace
}  // namespace rbee::keeper
