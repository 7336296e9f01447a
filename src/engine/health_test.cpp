#include "engine/health.h"

#include "engine/test_folder.h"
#include "net/server.h"

#include <gtest/gtest.h>

namespace rbee::engine {
namespace {

// Recorded from GET /slots, shortened: slot 1 is working.
constexpr std::string_view slots_body =
    R"([{"id":0,"n_ctx":512,"speculative":false,"is_processing":false},
        {"id":1,"n_ctx":512,"is_processing":true,"id_task":0,"n_prompt_tokens":161,
         "n_prompt_tokens_processed":138,"n_prompt_tokens_cache":0,"params":{},
         "next_token":[{"has_next_token":true,"n_remain":-1,"n_decoded":24}]}])";

struct Answer {
  int status = 200;
  std::string body;
};

// An engine's socket that answers everything alike.
class FakeEngine {
 public:
  explicit FakeEngine(Answer answer) : answer_(std::move(answer)) {
    auto server =
        net::HttpServer::listen({&loop_}, net::Endpoint{.unix_path = socket()},
                                [this](net::Exchange& exchange) { return respond(exchange, answer_); }, {});
    if (server) server_ = std::move(*server);
  }
  [[nodiscard]] std::string socket() const { return (folder_ / "e.sock").string(); }
  net::Loop& loop() { return loop_; }

 private:
  static net::Task<void> respond(net::Exchange& exchange, Answer answer) {
    const auto sent = co_await exchange.respond_json(answer.status, answer.body);
    (void)sent;
  }
  TestFolder folder_;
  SystemClock clock_;
  net::Loop loop_{clock_};
  Answer answer_;
  std::unique_ptr<net::HttpServer> server_;
};

constexpr Milliseconds patience{10'000};

Result<HealthState> health_of(Answer answer) {
  FakeEngine engine(std::move(answer));
  return engine.loop().block_on(check_health(engine.loop(), engine.socket(), patience));
}

TEST(Health, ReadyLoadingAndNonsenseAreToldApart) {
  EXPECT_EQ(*health_of({200, R"({"status":"ok"})"}), HealthState::ready);
  EXPECT_EQ(*health_of({503, R"({"error":{"message":"Loading model"}})"}), HealthState::loading);
  const Result<HealthState> nonsense = health_of({404, "{}"});
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().code, ErrorCode::engine_failed);
}

TEST(Health, NoSocketIsNoAnswer) {
  const TestFolder folder;
  const SystemClock clock;
  net::Loop loop(clock);
  const auto state = loop.block_on(check_health(loop, (folder / "none.sock").string(), patience));
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(*state, HealthState::no_answer);
}

TEST(Slots, BusySlotShowsItsProgress) {
  FakeEngine engine({200, std::string(slots_body)});
  const auto view = engine.loop().block_on(read_slots(engine.loop(), engine.socket(), patience));
  ASSERT_TRUE(view) << view.error().message;
  const SlotsView want{{{.id = 0}, {.id = 1, .busy = true, .decoded = 24, .prompt_processed = 138}}};
  EXPECT_EQ(*view, want);
  EXPECT_EQ(view->busy(), 1);
}

TEST(Slots, OtherBodiesAreAnErrorAndNeverAThrow) {
  for (const std::string_view body : {"", "{}", "[1]", R"({"error":{"code":501}})", "[{"}) {
    EXPECT_FALSE(parse_slots(body)) << body;
  }
  EXPECT_TRUE(
      parse_slots(R"([{"next_token":{},"id":-5,"n_prompt_tokens_processed":-1},{"next_token":[7]}])"));
}

}  // namespace
}  // namespace rbee::engine
