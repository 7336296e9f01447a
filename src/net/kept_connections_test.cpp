#include "net/kept_connections.h"

#include "base/text.h"
#include "net/server.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace rbee::net {
namespace {

constexpr Milliseconds a_minute{60'000};  // of patience

// Says how many requests this connection has brought, which only a connection that stays can make more
// than 1.
Task<void> answer(Exchange& exchange) {
  std::string path = exchange.head().path;
  if (path == "/last") exchange.abort();
  if (path == "/streamed") {
    Headers headers;
    Task<Result<void>> starting = exchange.start(200, std::move(headers));
    co_await starting;
    co_await exchange.finish();
    co_return;
  }
  Task<Result<void>> responding = exchange.respond_json(200, "{}");
  co_await responding;
}

class EngineConnectionsTest : public ::testing::Test {
 protected:
  EngineConnectionsTest() {
    auto listening = HttpServer::listen({&loop_}, Endpoint{.unix_path = socket_}, answer, {});
    EXPECT_TRUE(listening) << listening.error().message;
    server_ = std::move(*listening);
  }

  // "kept" or "new", and the end of the answer: "ok" or the error's name.
  std::string ask(std::string target, bool may_be_kept = true) {
    ClientRequest request{.method = "GET", .target = std::move(target)};
    return loop_.block_on(ask_on(connections_, loop_, socket_, std::move(request), may_be_kept));
  }
  static Task<std::string> ask_on(std::shared_ptr<EngineConnections> connections, Loop& loop,
                                  std::string socket, ClientRequest request, bool kept) {
    Task<Result<ClientExchange>> beginning =
        connections->begin(loop, socket, std::move(request), a_minute, kept);
    Result<ClientExchange> exchange = co_await beginning;
    const std::string how = kept ? "kept " : "new ";
    if (!exchange) co_return how + std::string(info(exchange.error().code).name);
    const Result<void> head = co_await exchange->read_head(a_minute);
    if (!head) co_return how + std::string(info(head.error().code).name);
    const Result<std::string> body = co_await exchange->read_all(100, a_minute);
    connections->give_back(loop, socket, *exchange);
    co_return how + (body ? std::string("ok") : std::string(info(body.error().code).name));
  }

  std::string socket_ = cat("/tmp/rbee-kept-test-", ::getpid(), ".sock");
  ManualClock clock_;
  Loop loop_{clock_};
  std::shared_ptr<EngineConnections> connections_ =
      std::make_shared<EngineConnections>(std::vector<Loop*>{&loop_});
  std::unique_ptr<HttpServer> server_;
};

TEST_F(EngineConnectionsTest, OneServesTheNextRequestBehindAWholeAnswer) {
  EXPECT_EQ(ask("/"), "new ok");
  EXPECT_EQ(ask("/"), "kept ok");
  EXPECT_EQ(ask("/", false), "new ok");
}

TEST_F(EngineConnectionsTest, BehindAStreamItIsNotKept) {
  EXPECT_EQ(ask("/streamed"), "new ok");
  EXPECT_EQ(ask("/"), "new ok");
}

TEST_F(EngineConnectionsTest, OfMoreThanItsLimitTheOldestIsNotKept) {
  KeptConnections kept(2, a_minute);
  const Endpoint there{.unix_path = socket_};
  for (int i = 0; i < 3; ++i) {
    Result<Stream> stream = loop_.block_on(Stream::connect(loop_, there, a_minute));
    ASSERT_TRUE(stream);
    kept.keep("engine", std::move(*stream), clock_.now());
  }
  EXPECT_TRUE(kept.take("engine", clock_.now()).is_open());
  EXPECT_TRUE(kept.take("engine", clock_.now()).is_open());
  EXPECT_FALSE(kept.take("engine", clock_.now()).is_open());
}

TEST_F(EngineConnectionsTest, AfterItsTimeANewOneIsMade) {
  EXPECT_EQ(ask("/"), "new ok");
  clock_.advance(EngineConnections::kept_for);
  EXPECT_EQ(ask("/"), "new ok");
}

TEST_F(EngineConnectionsTest, WhereItsEngineHasClosedItASecondTryIsOnANewOne) {
  EXPECT_EQ(ask("/"), "new ok");
  EXPECT_EQ(ask("/last"), "kept ok");
  const std::string first = ask("/");  // whether its end was seen by then is chance
  EXPECT_TRUE(first == "kept unreachable" || first == "new ok") << first;
  EXPECT_EQ(ask("/", false), "new ok");
}

TEST_F(EngineConnectionsTest, WithoutAnEngineThereIsNone) {
  server_.reset();
  EXPECT_EQ(ask("/"), "new unreachable");
}

}  // namespace
}  // namespace rbee::net
