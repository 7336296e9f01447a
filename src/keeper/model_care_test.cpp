#include "keeper/model_care.h"

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

Instant at(std::int64_t seconds) { return Instant{Milliseconds{seconds * 1000}}; }

Fleet fleet(EngineState state, int busy) {
  ModelFile file;
  file.id = "m-q8_0";
  file.name = "m";
  FleetWorker worker;
  worker.report.name = "w";
  worker.models = {file};
  FleetEngine engine;
  engine.hive = "h";
  engine.id = "e";
  engine.worker = "w";
  engine.model_id = file.id;
  engine.state = state;
  engine.busy = busy;
  return Fleet{{worker}, {engine}};
}

ModelBook keeping(std::optional<Milliseconds> time) {
  ModelSettings settings;
  settings.keep_alive = time;
  return ModelBook({{"m", settings}});
}

std::size_t let_go(ModelCare& care, Instant now, const ModelBook& book, int busy = 0) {
  return care.look(now, fleet(EngineState::ready, busy), book).unload.size();
}

TEST(ModelCare, AnEngineGoesOnceItWasIdleForItsTime) {
  ModelCare care;
  const ModelBook book = keeping(Milliseconds{10'000});
  EXPECT_EQ(let_go(care, at(0), book), 0u);
  care.used("e", at(5), std::nullopt);
  EXPECT_EQ(let_go(care, at(14), book), 0u);
  EXPECT_EQ(care.goes_at("e"), at(15));
  EXPECT_EQ(let_go(care, at(15), book), 1u);
  EXPECT_EQ(let_go(care, at(16), book), 0u) << "it is told once";
}

TEST(ModelCare, WorkKeepsItAsLongAsItLasts) {
  ModelCare care;
  const ModelBook book = keeping(Milliseconds{10'000});
  for (const int second : {0, 30, 60}) EXPECT_EQ(let_go(care, at(second), book, 1), 0u);
  EXPECT_EQ(let_go(care, at(69), book), 0u);
  EXPECT_EQ(let_go(care, at(70), book), 1u);
}

TEST(ModelCare, ForEverIsForEver) {
  ModelCare care;
  const ModelBook book = keeping(std::nullopt);
  EXPECT_EQ(let_go(care, at(0), book), 0u);
  EXPECT_EQ(let_go(care, at(1'000'000), book), 0u);
  EXPECT_EQ(care.goes_at("e"), std::nullopt);
}

TEST(ModelCare, ARequestsOwnWordGoesBeforeTheConfiguration) {
  ModelCare care;
  const ModelBook book = keeping(std::nullopt);
  EXPECT_EQ(let_go(care, at(0), book), 0u);
  care.used("e", at(1), KeepAliveWish{Milliseconds{0}});
  EXPECT_EQ(let_go(care, at(1), book), 1u);
  care.used("e", at(2), KeepAliveWish{});
  EXPECT_EQ(let_go(care, at(999), book), 0u);
}

TEST(ModelCare, HowLongItStaysIsToldBeforeItIsLookedAt) {
  ModelCare care;
  care.used("e", at(1), std::nullopt);
  EXPECT_EQ(care.goes_at("e"), at(1) + default_keep_alive);
  care.used("e", at(2), KeepAliveWish{Milliseconds{60'000}});
  EXPECT_EQ(care.goes_at("e"), at(62));
  care.used("e", at(3), KeepAliveWish{});
  EXPECT_EQ(care.goes_at("e"), std::nullopt);
}

TEST(ModelCare, AHiveThatDidNotHearIsToldAgain) {
  ModelCare care;
  const ModelBook book = keeping(Milliseconds{0});
  EXPECT_EQ(let_go(care, at(0), book), 1u);
  EXPECT_EQ(let_go(care, at(29), book), 0u);
  EXPECT_EQ(let_go(care, at(30), book), 1u);
}

TEST(ModelCare, AModelToPreloadIsAskedForOnceAWorkerIsThereAndAgainAfterItFailed) {
  ModelCare care;
  ModelSettings settings;
  settings.preload = true;
  const ModelBook book({{"m", settings}});
  EXPECT_TRUE(care.look(at(0), Fleet{}, book).preload.empty());
  const Fleet there = fleet(EngineState::failed, 0);
  EXPECT_EQ(care.look(at(1), there, book).preload, std::vector<std::string>{"m"});
  EXPECT_TRUE(care.look(at(2), there, book).preload.empty());
  care.preload_failed("m", at(2));
  EXPECT_TRUE(care.look(at(31), there, book).preload.empty());
  EXPECT_EQ(care.look(at(32), there, book).preload, std::vector<std::string>{"m"});
}

}  // namespace
}  // namespace rbee::keeper
