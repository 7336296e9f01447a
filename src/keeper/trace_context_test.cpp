#include "keeper/trace_context.h"

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

constexpr const char* sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContext, AClientsTraceGoesOnInASpanOfOurs) {
  Random random(1);
  const TraceContext trace = trace_of(sampled, "vendor=1", false, random);
  EXPECT_EQ(trace.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(trace.parent_id, "00f067aa0ba902b7");
  EXPECT_NE(trace.span_id, trace.parent_id);
  EXPECT_TRUE(trace.sampled);
  EXPECT_EQ(trace.state, "vendor=1");
  const std::string on = traceparent_of(trace, "1111111111111111");
  EXPECT_EQ(on, "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01");
  EXPECT_TRUE(parse_traceparent(on));
}

TEST(TraceContext, OneBeginsWhereNoneCame) {
  Random random(1);
  const TraceContext first = trace_of("", "vendor=1", true, random);
  const TraceContext second = trace_of("", "", false, random);
  EXPECT_EQ(first.trace_id.size(), 32u);
  EXPECT_NE(first.trace_id, second.trace_id);
  EXPECT_EQ(first.parent_id, "");
  EXPECT_EQ(first.state, "") << "the state of a trace that is not ours to go on with";
  EXPECT_TRUE(first.sampled);
  EXPECT_FALSE(second.sampled);
}

TEST(TraceContext, WhatIsNotRightIsNotTakenUp) {
  const std::string good = sampled;
  for (const std::string& text : {good + "0", good.substr(1), std::string("ff") + good.substr(2), good + "-x",
                                  std::string("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
                                  std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
                                  std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
                                  std::string("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}) {
    EXPECT_FALSE(parse_traceparent(text)) << text;
  }
  EXPECT_TRUE(parse_traceparent("01" + good.substr(2) + "-more")) << "a later version goes on behind";
}

TEST(TraceContext, AStateLongerThanMustBePassedOnIsNot) {
  Random random(1);
  EXPECT_EQ(trace_of(sampled, std::string(longest_trace_state, 'x'), false, random).state.size(),
            longest_trace_state);
  EXPECT_EQ(trace_of(sampled, std::string(longest_trace_state + 1, 'x'), false, random).state, "");
}

}  // namespace
}  // namespace rbee::keeper
