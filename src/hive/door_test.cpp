// Who may come in: a door with nothing behind it, and keepers that knock over TLS.
#include "hive/door.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "hive/engine_relay.h"
#include "hive/test_folder.h"
#include "net/client.h"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

constexpr Milliseconds patience{20'000};  // never waited for, but by a test that fails

net::Task<void> say_inside(net::Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body();
  net::Task<Result<void>> answering =
      body ? exchange.respond_json(200, "{\"inside\":true}") : exchange.respond_error(body.error());
  const Result<void> ignored = co_await answering;
  static_cast<void>(ignored);
}

net::ClientResponse failed(const Error& error) { return {.status = 0, .headers = {}, .body = error.message}; }

net::Task<net::ClientResponse> ask(net::Loop& loop, net::Endpoint to, net::Secure secure, std::string method,
                                   std::string target, std::string body) {
  net::Task<Result<net::Stream>> connecting = net::connect_secure(loop, to, std::move(secure), patience);
  Result<net::Stream> stream = co_await connecting;
  if (!stream) co_return failed(stream.error());
  net::ClientRequest request{
      .method = std::move(method), .target = std::move(target), .headers = {}, .body = body};
  net::Task<Result<net::ClientExchange>> beginning =
      net::ClientExchange::begin_on(std::move(*stream), to, std::move(request), patience);
  Result<net::ClientExchange> exchange = co_await beginning;
  const Result<void> head = co_await exchange->read_head(patience);
  if (!head) co_return failed(head.error());
  const Result<std::string> text = co_await exchange->read_all(1 << 20, patience);
  co_return net::ClientResponse{exchange->head().status, exchange->head().headers, text ? *text : ""};
}

class DoorTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void TearDown() override { door_->close(); }
  void open() {
    if (door_) door_->close();
    Door::Options options{.listen = net::Endpoint{.address = "127.0.0.1"},
                          .version = "1.2.3",
                          .hive_name = "box",
                          .hive_folder = folder_.path()};
    Door::Inside inside{.answer = say_inside,
                        .socket_of = [](const std::string&) { return std::string(); },
                        .renamed = [this](const std::string& name) { name_ = name; }};
    auto door = Door::open(loop_, clock_, random_, Log::none(), files_, options, inside);
    ASSERT_TRUE(door) << door.error().message;
    door_ = *door;
  }
  // As `rbee hive token` does.
  std::string make_token() {
    const std::string secret = net::new_secret(16);
    EXPECT_TRUE(
        write_file(TrustFiles(folder_.path()).token, token_text(record_of(secret, clock_.unix_ms()))));
    return secret;
  }
  static net::TlsIdentity keeper(std::string_view name) { return net::make_identity(name, {}).value(); }

  // "200 {...}"
  std::string knock(const net::TlsIdentity& as, std::string method, std::string target,
                    std::string body = {}) {
    return knock(net::TlsContext::client(as).value(), std::move(method), std::move(target), std::move(body));
  }
  std::string knock(std::shared_ptr<const net::TlsContext> tls, std::string method, std::string target,
                    std::string body = {}) {
    const net::Secure secure{std::move(tls), door_->key_print()};
    const net::ClientResponse answer =
        loop_.block_on(ask(loop_, door_->endpoint(), secure, std::move(method), std::move(target), body));
    return cat(answer.status, " ", answer.body);
  }
  static std::string pairing(const std::string& secret) {
    return dump_json(Json{{"secret", secret}, {"hive", "gaming-pc"}});
  }
  std::string pair(const net::TlsIdentity& as, const std::string& secret) {
    return knock(as, "POST", "/pair", pairing(secret));
  }

  SystemClock clock_;
  net::Loop loop_{clock_};
  TestFolder folder_;
  net::BlockingThread files_;
  Random random_{1};
  std::shared_ptr<Door> door_;
  std::string name_;
};

TEST_F(DoorTest, AStrangerSeesWhatThisIsAndNoMore) {
  const net::TlsIdentity anybody = keeper("anybody");
  EXPECT_EQ(knock(anybody, "GET", "/hello"), R"(200 {"rbee":"hive","version":"1.2.3"})");
  EXPECT_TRUE(knock(anybody, "GET", "/report").starts_with("403 "));
  EXPECT_TRUE(knock(anybody, "POST", "/engines/x/v1/chat/completions", "{}").starts_with("403 "));
}

TEST_F(DoorTest, ATokenLetsOneKeeperInAndIsSpent) {
  const net::TlsIdentity first = keeper("first");
  const net::TlsIdentity second = keeper("second");
  const std::string secret = make_token();
  EXPECT_TRUE(pair(first, "wrong").starts_with("403 "));
  EXPECT_EQ(pair(first, secret), R"(200 {"hive":"gaming-pc","version":"1.2.3"})");
  EXPECT_EQ(name_, "gaming-pc");
  EXPECT_EQ(knock(first, "GET", "/report"), R"(200 {"inside":true})");
  EXPECT_TRUE(pair(second, secret).starts_with("403 "));
  EXPECT_TRUE(knock(second, "GET", "/report").starts_with("403 "));
}

TEST_F(DoorTest, WhatAStrangerSendsIsNotReadWithoutAKeyNorBeyond16KiB) {
  const std::string secret = make_token();
  const auto no_key =
      net::TlsContext::public_client("127.0.0.1", net::TlsContext::Certificates::looked_at).value();
  EXPECT_TRUE(knock(no_key, "POST", "/pair", "this is no JSON").starts_with("403 "));
  EXPECT_TRUE(knock(no_key, "POST", "/pair", pairing(secret)).starts_with("403 "));
  const net::TlsIdentity own = keeper("own");
  const std::string large = pairing(secret) + std::string(16384, ' ');
  EXPECT_TRUE(knock(own, "POST", "/pair", large).starts_with("413 "));
  EXPECT_TRUE(pair(own, secret).starts_with("200 ")) << "the token waits still";
}

TEST_F(DoorTest, TheKeeperMaySendAsMuchAsAnEngineTakes) {
  const net::TlsIdentity own = keeper("own");
  ASSERT_TRUE(pair(own, make_token()).starts_with("200 "));
  EXPECT_TRUE(knock(own, "POST", "/x", std::string(largest_engine_body_bytes, 'x')).starts_with("200 "));
}

TEST_F(DoorTest, TheKeeperIsKnownAfterARestart) {
  const net::TlsIdentity own = keeper("own");
  ASSERT_TRUE(pair(own, make_token()).starts_with("200 "));
  const std::string key = door_->key_print();
  open();
  EXPECT_EQ(door_->key_print(), key);
  EXPECT_EQ(knock(own, "GET", "/report"), R"(200 {"inside":true})");
}

TEST_F(DoorTest, OneThatIsForgottenIsAStranger) {
  const net::TlsIdentity own = keeper("own");
  ASSERT_TRUE(pair(own, make_token()).starts_with("200 "));
  std::filesystem::remove(TrustFiles(folder_.path()).keeper);
  ASSERT_TRUE(loop_.block_on(door_->look_again()));
  EXPECT_TRUE(knock(own, "GET", "/report").starts_with("403 "));
}

TEST_F(DoorTest, AKeeperThatWasAskedLetsThisHiveInByComing) {
  const net::TlsIdentity asked = keeper("asked");
  const KnownKeeper record{
      .key_print = net::key_print_of(asked).value(), .hive_name = "laptop", .addresses = {}, .asking = true};
  ASSERT_TRUE(write_file(TrustFiles(folder_.path()).keeper, keeper_text(record)));
  ASSERT_TRUE(loop_.block_on(door_->look_again()));
  EXPECT_TRUE(knock(keeper("other"), "GET", "/report").starts_with("403 "));
  EXPECT_EQ(name_, "");
  EXPECT_EQ(knock(asked, "GET", "/report"), R"(200 {"inside":true})");
  EXPECT_EQ(name_, "laptop");
  EXPECT_FALSE(door_->keeper()->asking);
}

TEST_F(DoorTest, ANewTokenMovesTheHiveToAnotherSystem) {
  const net::TlsIdentity first = keeper("first");
  const net::TlsIdentity second = keeper("second");
  ASSERT_TRUE(pair(first, make_token()).starts_with("200 "));
  ASSERT_TRUE(pair(second, make_token()).starts_with("200 "));
  EXPECT_TRUE(knock(first, "GET", "/report").starts_with("403 "));
  EXPECT_TRUE(knock(second, "GET", "/report").starts_with("200 "));
}

TEST_F(DoorTest, AnEngineThatIsNotThereIsLostBeforeItsFirstByte) {
  const net::TlsIdentity own = keeper("own");
  ASSERT_TRUE(pair(own, make_token()).starts_with("200 "));
  EXPECT_TRUE(knock(own, "POST", "/engines/gone.abc/v1/chat/completions", "{}").starts_with("502 "));
}

TEST(EngineTarget, IsTheEnginesOwnPath) {
  const auto chat = engine_target("/engines/demo.abc/v1/chat completions", "a=b");
  ASSERT_TRUE(chat.has_value());
  EXPECT_EQ(chat->engine, "demo.abc");
  EXPECT_EQ(chat->target, "/v1/chat%20completions?a=b");
  EXPECT_FALSE(engine_target("/engines/demo.abc", "").has_value());
  EXPECT_FALSE(engine_target("/engines//health", "").has_value());
  EXPECT_FALSE(engine_target("/workers/x/stop", "").has_value());
}

}  // namespace
}  // namespace rbee::hive
