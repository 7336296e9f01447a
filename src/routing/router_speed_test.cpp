// What the router believes of speeds, by what it was told: measurements, answers, another life.
#include "routing/fleet_picture.h"
#include "routing/router.h"

#include <gtest/gtest.h>

namespace rbee::routing {
namespace {

constexpr auto two_ready = R"(
  worker w1 holds=a
  worker w2 holds=a
  engine e1 on w1 of a ready slots=4
  engine e2 on w2 of a ready slots=4)";

const MeasuredSpeed slow{.prompt = 50, .steps = {{1, 0.5}, {4, 1}}, .at_ms = 1};
const MeasuredSpeed fast{.prompt = 5000, .steps = {{1, 0.005}, {4, 0.01}}, .at_ms = 1};

Fleet with_basis(Fleet fleet, std::string_view basis) {
  for (FleetEngine& engine : fleet.engines) engine.basis = basis;
  return fleet;
}

std::string sent_to(const Actions& actions) {
  for (const Action& action : actions) {
    if (const auto* send = std::get_if<Send>(&action)) return send->engine->worker;
  }
  return "nobody";
}

std::string place(Router& router, std::uint64_t id) {
  Request request;
  request.id = id;
  request.model = "a";
  return sent_to(router.on_request(Instant{}, request));
}

void answer(Router& router, std::uint64_t id, double token_s) {
  static_cast<void>(router.on_done(Instant{} + Milliseconds{1000 * static_cast<std::int64_t>(id)}, id,
                                   {.output_tokens = 100, .output_seconds = 100 * token_s}));
}

TEST(RouterSpeed, AMeasurementDecidesAtOnce) {
  Router router;
  static_cast<void>(router.on_fleet(Instant{}, fleet_of(two_ready)));
  EXPECT_EQ(place(router, 1), "w1") << "both are believed to be alike";
  static_cast<void>(router.on_measured(Instant{}, "w1", "a", slow));
  static_cast<void>(router.on_measured(Instant{}, "w2", "a", fast));
  for (std::uint64_t id = 2; id < 6; ++id) EXPECT_EQ(place(router, id), "w2");
}

TEST(RouterSpeed, WhatCameIsKeptFinerThanTheClock) {
  Router router;
  static_cast<void>(router.on_fleet(Instant{}, fleet_of(two_ready)));
  EXPECT_EQ(place(router, 1), "w1");
  router.on_first_token(Instant{} + Milliseconds{1}, 1, 0.001'234);
  router.on_first_token(Instant{} + Milliseconds{9}, 1, 0.009);
  static_cast<void>(
      router.on_done(Instant{} + Milliseconds{5}, 1, {.output_tokens = 3, .seconds = 0.005'678}));
  ASSERT_EQ(router.recent().size(), 1U);
  EXPECT_DOUBLE_EQ(router.recent().front().course.first_token_s, 0.001'234) << "the first one counts";
  EXPECT_DOUBLE_EQ(router.recent().front().course.ended_s, 0.005'678);
}

TEST(RouterSpeed, AMeasurementOfAModelThatIsNotLoadedIsKeptUntilItIs) {
  Router router;
  static_cast<void>(router.on_fleet(Instant{}, fleet_of("worker w1 holds=a\nworker w2 holds=a")));
  static_cast<void>(router.on_measured(Instant{}, "w1", "a", slow));
  static_cast<void>(router.on_measured(Instant{}, "w2", "a", fast));
  static_cast<void>(router.on_measured(Instant{}, "w9", "unknown", fast));
  static_cast<void>(router.on_fleet(Instant{}, with_basis(fleet_of(two_ready), "card")));
  EXPECT_EQ(place(router, 1), "w2");
}

TEST(RouterSpeed, AnotherLifeBelievesWhatThisOneHasLearned) {
  Router before;
  static_cast<void>(before.on_fleet(Instant{}, with_basis(fleet_of(two_ready), "card")));
  EXPECT_TRUE(before.take_speed_news().empty());
  for (std::uint64_t id = 1; id <= 20; ++id) {
    Request request;
    request.id = id;
    request.model = "a";
    request.worker = id % 2 == 0 ? "w1" : "w2";
    ASSERT_NE(sent_to(before.on_request(Instant{}, request)), "nobody");
    answer(before, id, id % 2 == 0 ? 0.5 : 0.005);
  }
  const std::vector<KnownSpeed> news = before.take_speed_news();
  ASSERT_EQ(news.size(), 2u);
  EXPECT_EQ(news[0].worker, "w1");
  EXPECT_EQ(news[0].from, SpeedFrom::learned);
  EXPECT_TRUE(before.take_speed_news().empty());
  for (const char* card : {"card", "another card"}) {
    Router after;
    after.recall(news);
    static_cast<void>(after.on_fleet(Instant{}, with_basis(fleet_of(two_ready), card)));
    const std::vector<KnownSpeed> known = after.known_speeds();
    ASSERT_EQ(known.size(), 2u);
    if (std::string_view(card) == "card") {
      EXPECT_EQ(place(after, 1), "w2");
      EXPECT_NEAR(known[0].speed.alone(), news[0].speed.alone(), 1e-9);
    } else {
      EXPECT_EQ(place(after, 1), "w1") << "both are believed to be alike again";
      EXPECT_EQ(known[0].from, SpeedFrom::estimate);
    }
  }
}

constexpr auto on_one_card = R"(
  worker w1 holds=a,b device=card-0
  worker w2 holds=a device=card-0
  engine e1 on w1 of a ready slots=4
  engine e2 on w2 of a ready slots=4)";

TEST(RouterSpeed, WhatSharesADeviceWithBusyOnesIsNoFreeWorker) {
  const auto last_of_five = [](const char* fleet) {
    Router router;
    static_cast<void>(router.on_fleet(Instant{}, fleet_of(fleet)));
    static_cast<void>(
        router.on_measured(Instant{}, "w1", "a", {.prompt = 500, .steps = {{1, 0.01}, {4, 0.03}}}));
    static_cast<void>(
        router.on_measured(Instant{}, "w2", "a", {.prompt = 500, .steps = {{1, 0.05}, {4, 0.15}}}));
    for (std::uint64_t id = 1; id < 5; ++id) static_cast<void>(place(router, id));
    return place(router, 5);
  };
  EXPECT_EQ(last_of_five(two_ready), "w2") << "a device of its own";
  EXPECT_EQ(last_of_five(on_one_card), "nobody") << "it would take half of the card from four";
}

TEST(RouterSpeed, AnEngineBesideABusyOneIsPredictedToTakeTwiceAsLong) {
  Router router;
  static_cast<void>(router.on_fleet(Instant{}, fleet_of(on_one_card)));
  for (const char* worker : {"w1", "w2"})
    static_cast<void>(router.on_measured(Instant{}, worker, "a", {.prompt = 500, .steps = {{1, 0.01}}}));
  const auto predicted_s = [&](std::uint64_t id, const char* worker) {
    Request request;
    request.id = id;
    request.model = "a";
    request.worker = worker;
    return std::get<Send>(router.on_request(Instant{}, request).at(0)).predicted.own();
  };
  const double alone_s = predicted_s(1, "w1");
  EXPECT_NEAR(predicted_s(2, "w2"), 2 * alone_s, 1e-9);
  static_cast<void>(router.on_done(Instant{}, 1, {}));
  static_cast<void>(router.on_done(Instant{}, 2, {}));
  EXPECT_NEAR(predicted_s(3, "w2"), alone_s, 1e-9);
  // Also where the fleet is told anew meanwhile, and where one of them goes away.
  static_cast<void>(router.on_fleet(Instant{}, fleet_of(on_one_card)));
  EXPECT_NEAR(predicted_s(4, "w1"), 2 * alone_s, 1e-9);
  static_cast<void>(router.on_fleet(
      Instant{}, fleet_of("worker w1 holds=a device=card-0\nengine e1 on w1 of a ready slots=4")));
  static_cast<void>(router.on_done(Instant{}, 4, {}));
  EXPECT_NEAR(predicted_s(5, "w1"), alone_s, 1e-9);
}

TEST(RouterSpeed, OnlyWhatHasTheSameDeviceSharesIt) {
  const auto slowed_by_busy_w1 = [](const std::string& device_1, const std::string& device_2) {
    Router router;
    static_cast<void>(router.on_fleet(Instant{}, fleet_of(cat("worker w1 holds=a device=", device_1,
                                                              "\nworker w2 holds=a device=", device_2,
                                                              "\nengine e1 on w1 of a ready slots=4"
                                                              "\nengine e2 on w2 of a ready slots=4"))));
    std::vector<double> predicted_s;
    for (const char* worker : {"w2", "w1", "w2"}) {
      Request request;
      request.id = predicted_s.size() + 1;
      request.model = "a";
      request.worker = worker;
      predicted_s.push_back(std::get<Send>(router.on_request(Instant{}, request).at(0)).predicted.own());
      if (request.id == 1) static_cast<void>(router.on_done(Instant{}, 1, {}));
    }
    return predicted_s[2] > 1.5 * predicted_s[0];
  };
  for (const std::string longer : {"", "-0000:65:00.0-of-this-machine"}) {
    const std::string one = "card-0" + longer;
    const std::string other = "card-1" + longer;
    EXPECT_TRUE(slowed_by_busy_w1(one, one));
    EXPECT_FALSE(slowed_by_busy_w1(one, other)) << "cards of their own: " << one;
  }
}

// Of prompts whose length is told in bytes: what one of them is predicted to take, after `count` answers.
double predicted_reading_s(double bytes, double tokens, std::uint64_t count) {
  Router router;
  static_cast<void>(
      router.on_fleet(Instant{}, fleet_of("worker w1 holds=a\nengine e1 on w1 of a ready slots=4")));
  static_cast<void>(router.on_measured(Instant{}, "w1", "a", {.prompt = 100, .at_ms = 1}));
  for (std::uint64_t id = 1;; ++id) {
    Request request;
    request.id = id;
    request.model = "a";
    request.prompt_bytes = bytes;
    const Actions actions = router.on_request(Instant{}, request);
    if (id > count) return std::get<Send>(actions.at(0)).predicted.prompt;
    static_cast<void>(router.on_done(Instant{}, id, {.prompt_tokens = tokens}));
  }
}

TEST(RouterSpeed, AnswersTellHowManyTokensAPromptIsAlsoWhereAllAreShort) {
  EXPECT_NEAR(predicted_reading_s(120, 60, 0), 0.3, 1e-9) << "four bytes each";
  EXPECT_NEAR(predicted_reading_s(120, 60, 20), 0.6, 0.05);
  EXPECT_NEAR(predicted_reading_s(2000, 1000, 20), 10, 0.3);
}

TEST(RouterSpeed, OneShortPromptMovesLittleOfWhatLongOnesTold) {
  Router router;
  static_cast<void>(
      router.on_fleet(Instant{}, fleet_of("worker w1 holds=a\nengine e1 on w1 of a ready slots=4")));
  static_cast<void>(router.on_measured(Instant{}, "w1", "a", {.prompt = 100, .at_ms = 1}));
  double before = 0;
  for (std::uint64_t id = 1; id <= 32; ++id) {
    Request request;
    request.id = id;
    request.model = "a";
    request.prompt_bytes = 2000;
    const double predicted = std::get<Send>(router.on_request(Instant{}, request).at(0)).predicted.prompt;
    if (id == 31) before = predicted;
    if (id == 32) {
      EXPECT_NEAR(predicted / before, 1, 0.05);
    }
    // The 31st has ten tokens that are nearly all template, of 16 bytes each.
    static_cast<void>(router.on_done(Instant{}, id, {.prompt_tokens = id == 31 ? 10.0 : 1000.0}));
  }
}

}  // namespace
}  // namespace rbee::routing
