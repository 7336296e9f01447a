// A decision with rules and a fleet that has not changed allocates nothing. The test counts every allocation
// of its own thread by standing in for the global operator new.
#include "routing/fleet_picture.h"
#include "routing/router.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {
thread_local std::size_t allocations = 0;
}  // namespace

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* place = std::malloc(bytes == 0 ? 1 : bytes)) return place;
  throw std::bad_alloc();
}
// What std::stable_sort takes its buffer with; it must match the operator delete below.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void operator delete(void* place) noexcept { std::free(place); }
void operator delete(void* place, std::size_t) noexcept { std::free(place); }

namespace rbee::routing {
namespace {

// Mirrors of caches grow until they hold what the engines can: small ones are full when it counts.
constexpr std::uint64_t block = 64, cached_blocks = 8;
constexpr int workers = 1000;

TEST(Allocations, ADecisionMakesNone) {
  Fleet fleet;
  for (int w = 0; w < workers; ++w) {
    FleetWorker worker;
    worker.report.name = cat("worker-with-a-long-name-", w);
    worker.report.hive = "h";
    worker.report.vram = 24;
    worker.report.backend = w % 2 == 0 ? Backend::cuda : Backend::metal;
    ModelFile file;
    file.id = "llama-3.1-8b-instruct-q4_k_m";
    file.name = "llama-3.1-8b-instruct";
    file.params = 8'000'000'000;
    worker.models.push_back(file);
    worker.speeds = {{.prompt_speed = 1000.0 + w,
                      .speed = 50,
                      .batch_slowdown = 0.1,
                      .cache_tokens = block * cached_blocks}};
    fleet.workers.push_back(worker);
    fleet.engines.push_back({.hive = "h",
                             .id = cat("e", w),
                             .worker = worker.report.name,
                             .model_id = file.id,
                             .state = EngineState::ready,
                             .reason = {},
                             .socket = {},
                             .incarnation = 1,
                             .slots = 4});
  }
  Rule rule;
  rule.model_size = *parse_size_range("<10B");
  rule.prefer_backends = {Backend::metal, Backend::cuda};
  rule.min_vram = 8;
  Router router({.limits = {}, .policy = {.rules = {rule}}});
  static_cast<void>(router.on_fleet(Instant{}, fleet));
  constexpr std::uint64_t each = 8 * workers, warm = each + 5000, counted = 1000, in_flight = 500;
  std::size_t made = 0;
  for (std::uint64_t id = 1; id <= warm + counted; ++id) {
    const Instant now = Instant{} + Milliseconds{static_cast<std::int64_t>(10 * id)};
    Request request;
    request.id = id;
    request.model = "llama-3.1-8b-instruct";
    // Every engine is used some times first.
    if (id <= each) request.worker = fleet.workers[id % workers].report.name;
    request.prompt_tokens = 1000;
    request.prefix = {id, id + 1, id + 2};
    request.block_tokens = block;
    const std::size_t before = allocations;
    {
      const Actions actions = router.on_request(now, std::move(request));
      ASSERT_TRUE(std::holds_alternative<Send>(actions.front()));
    }
    if (id > in_flight) {
      const Spent spent{
          .prompt_tokens = 1000, .prompt_seconds = 1, .output_tokens = 200, .output_seconds = 4};
      const Actions actions = router.on_done(now, id - in_flight, spent);
      EXPECT_TRUE(actions.empty() || std::holds_alternative<WakeAt>(actions.front()));
    }
    if (id > warm) made += allocations - before;
  }
  RecordProperty("allocations", static_cast<int>(made));
  EXPECT_EQ(made, 0u) << "in " << counted << " decisions";
}

}  // namespace
}  // namespace rbee::routing
