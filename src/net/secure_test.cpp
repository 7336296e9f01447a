// Server and client over TLS, on sockets of one process.
#include "base/text.h"
#include "net/client.h"
#include "net/server.h"
#include "net/tls_session.h"

#include <gtest/gtest.h>

namespace rbee::net {
namespace {

constexpr Milliseconds a_minute{60'000};  // of patience, not of time that is spent

Task<void> say_who(Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body();
  std::string answer = body ? cat(exchange.peer_key(), " ", body->size()) : body.error().message;
  Headers headers{{"Content-Type", "text/plain"}};
  Task<Result<void>> responding = exchange.respond(200, std::move(headers), std::move(answer));
  const auto ignored = co_await responding;
  static_cast<void>(ignored);
}

class SecureTest : public ::testing::Test {
 protected:
  void listen(Handler handler, ServerOptions options = {}) {
    options.tls = TlsContext::server(hive_, true).value();
    auto listening =
        HttpServer::listen({&loop_}, Endpoint{.address = "127.0.0.1"}, std::move(handler), options);
    ASSERT_TRUE(listening) << listening.error().message;
    server_ = std::move(*listening);
  }
  Result<Stream> connect(std::string pinned) {
    return loop_.block_on(
        connect_secure(loop_, server_->endpoint(), Secure{client_, std::move(pinned)}, a_minute));
  }

  SystemClock clock_;
  Loop loop_{clock_};
  TlsIdentity keeper_ = make_identity("keeper", {}).value();
  TlsIdentity hive_ = make_identity("hive", {}).value();
  std::string hive_key_ = key_print_of(hive_).value();
  std::shared_ptr<const TlsContext> client_ = TlsContext::client(keeper_).value();
  std::unique_ptr<HttpServer> server_;
};

// One request, its answer whole, and the connection again.
Task<std::string> ask_on(Stream& stream, Endpoint to, std::string body) {
  ClientRequest request{.method = "POST", .target = "/", .headers = {}, .body = body};
  Task<Result<ClientExchange>> beginning =
      ClientExchange::begin_on(std::move(stream), to, std::move(request), a_minute);
  Result<ClientExchange> exchange = co_await beginning;
  EXPECT_TRUE(exchange);
  const Result<void> head = co_await exchange->read_head(a_minute);
  EXPECT_TRUE(head) << head.error().message << head.error().detail;
  if (!head) co_return head.error().message;
  const Result<std::string> text = co_await exchange->read_all(1 << 20, a_minute);
  EXPECT_TRUE(text);
  std::optional<Stream> kept = exchange->give_back();
  EXPECT_TRUE(kept.has_value());
  if (kept) stream = std::move(*kept);
  co_return text ? *text : text.error().message;
}

Task<Result<std::size_t>> read_byte(Stream& stream) {
  char byte = 0;
  const Result<std::size_t> got = co_await stream.read_some(&byte, 1);
  co_return got;
}

TEST_F(SecureTest, OneConnectionServesManyRequestsOfAKnownKey) {
  listen(say_who);
  Result<Stream> stream = connect(hive_key_);
  ASSERT_TRUE(stream) << stream.error().message << stream.error().detail;
  const std::string own = key_print_of(keeper_).value();
  EXPECT_EQ(loop_.block_on(ask_on(*stream, server_->endpoint(), "12")), cat(own, " 2"));
  EXPECT_EQ(loop_.block_on(ask_on(*stream, server_->endpoint(), std::string(3'000'000, 'x'))),
            cat(own, " 3000000"));
}

TEST_F(SecureTest, AnotherKeyThanThePinnedOneIsRefusedBeforeAnythingIsSent) {
  bool asked = false;
  listen([&asked](Exchange& exchange) {
    asked = true;
    return say_who(exchange);
  });
  const Result<Stream> stream = connect(key_print_of(keeper_).value());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::wrong_key);
  EXPECT_NE(stream.error().message.find(server_->endpoint().text()), std::string::npos);
  EXPECT_FALSE(asked);
}

TEST_F(SecureTest, PlainHttpIsToldToUseTls) {
  listen(say_who);
  const auto answer = loop_.block_on(fetch(loop_, server_->endpoint(), ClientRequest{}, a_minute));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 400);
  EXPECT_NE(answer->body.find("https://"), std::string::npos);
}

TEST_F(SecureTest, OnePortSpeaksBothWhereItIsAsked) {
  listen(say_who, {.plain = ServerOptions::Plain::this_machine});
  const auto plain = loop_.block_on(fetch(loop_, server_->endpoint(), ClientRequest{}, a_minute));
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->body, " 0");
  Result<Stream> stream = connect(hive_key_);
  ASSERT_TRUE(stream);
  EXPECT_EQ(loop_.block_on(ask_on(*stream, server_->endpoint(), "")),
            cat(key_print_of(keeper_).value(), " 0"));
}

// The first 50 bytes one by one, a byte every 4 ms: that takes 200 ms, with no silence of 40.
Task<void> drip(Loop& loop, Stream& stream, std::string bytes) {
  for (std::size_t at = 0; at < 50; ++at) {
    const Result<void> ignored = co_await stream.write(std::string_view(bytes).substr(at, 1));
    static_cast<void>(ignored);
    Task<void> pausing = sleep_for(loop, Milliseconds{4});
    co_await pausing;
  }
  const Result<void> ignored = co_await stream.write(std::string_view(bytes).substr(50));
  static_cast<void>(ignored);
}

std::string taken_from(TlsSession& session) {
  std::string bytes(session.pending());
  session.sent(bytes.size());
  return bytes;
}

Task<std::string> drip_hello(Loop& loop, Endpoint to, std::shared_ptr<const TlsContext> context) {
  Task<Result<Stream>> connecting = Stream::connect(loop, to, a_minute);
  Result<Stream> stream = co_await connecting;
  TlsSession session(std::move(context), {});
  EXPECT_EQ(session.handshake(), TlsSession::Outcome::wants_input);
  std::string said = taken_from(session);
  Task<void> dripping = drip(loop, *stream, std::move(said));
  co_await dripping;
  char room[4096];
  const Result<std::size_t> got = co_await stream->read_some(room, sizeof room);
  co_return got && *got > 0 ? "answered" : "closed";
}

TEST_F(SecureTest, AHandshakeThatComesInDropsHasItsTimeAsAWhole) {
  listen(say_who, {.handshake_within = Milliseconds{40}});
  EXPECT_EQ(loop_.block_on(drip_hello(loop_, server_->endpoint(), client_)), "closed");
}

// `first` in a record of its own, then `rest` in one that comes in drops; all that is answered.
Task<std::string> drip_record(Loop& loop, Endpoint to, std::shared_ptr<const TlsContext> context,
                              std::string first, std::string rest) {
  Task<Result<Stream>> connecting = Stream::connect(loop, to, a_minute);
  Result<Stream> stream = co_await connecting;
  TlsSession session(std::move(context), {});
  char room[4096];
  while (session.handshake() == TlsSession::Outcome::wants_input) {
    const std::string said = taken_from(session);
    const Result<void> sent = co_await stream->write(said);
    EXPECT_TRUE(sent);
    const Result<std::size_t> got = co_await stream->read_some(room, sizeof room);
    session.feed({room, got ? *got : 0});
  }
  EXPECT_TRUE(first.empty() || session.write(first));
  const std::string begun = taken_from(session);
  const Result<void> sent = co_await stream->write(begun);
  EXPECT_TRUE(sent);
  EXPECT_TRUE(session.write(rest));
  std::string record = taken_from(session);
  Task<void> dripping = drip(loop, *stream, std::move(record));
  co_await dripping;
  std::string answer;
  while (true) {
    const TlsSession::Read read = session.read(room, sizeof room);
    if (read.outcome == TlsSession::Outcome::done) answer.append(room, read.bytes);
    if (read.outcome == TlsSession::Outcome::done) continue;
    const Result<std::size_t> got = co_await stream->read_some(room, sizeof room);
    if (read.outcome != TlsSession::Outcome::wants_input || !got || *got == 0) co_return answer;
    session.feed({room, *got});
  }
}

TEST_F(SecureTest, AHeadHasItsTimeAsAWholeThoughItsRecordComesInDrops) {
  const std::string rest = "ET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  listen(say_who, {.head_within = Milliseconds{40}});
  const std::string late = loop_.block_on(drip_record(loop_, server_->endpoint(), client_, "G", rest));
  EXPECT_TRUE(late.starts_with("HTTP/1.1 408 ")) << late;
  listen(say_who, {.idle_keep_alive = Milliseconds{40}});
  EXPECT_EQ(loop_.block_on(drip_record(loop_, server_->endpoint(), client_, "", "G" + rest)), "")
      << "nobody has asked for anything yet";
}

// Starts a long answer and says when the client has gone.
struct Leaving {
  Signal& gone;
  Signal& started;
};
Task<void> wait_for_leaving(Leaving leaving, Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body();
  static_cast<void>(body);
  Task<Result<void>> starting = exchange.start(200, {});
  co_await starting;
  Signal* gone = &leaving.gone;
  exchange.on_disconnect([gone] { gone->notify(); });
  leaving.started.notify();
  const bool left = co_await leaving.gone.wait(a_minute);
  EXPECT_TRUE(left) << "nobody noticed that the client had gone";
  leaving.started.notify();
}

Task<void> ask_and_leave(Stream stream, Endpoint to, Signal& started) {
  ClientRequest request{.method = "POST", .target = "/", .headers = {}, .body = "1"};
  Task<Result<ClientExchange>> beginning =
      ClientExchange::begin_on(std::move(stream), to, std::move(request), a_minute);
  Result<ClientExchange> exchange = co_await beginning;
  const bool begun = co_await started.wait(a_minute);
  EXPECT_TRUE(begun);
  exchange->close();
  const bool ended = co_await started.wait(a_minute);
  EXPECT_TRUE(ended);
}

TEST_F(SecureTest, AClientThatLeavesIsNoticedThoughItSaysSoFirst) {
  Signal gone(loop_);
  Signal started(loop_);
  const Leaving leaving{gone, started};
  listen([leaving](Exchange& exchange) { return wait_for_leaving(leaving, exchange); });
  Result<Stream> stream = connect(hive_key_);
  ASSERT_TRUE(stream);
  loop_.block_on(ask_and_leave(std::move(*stream), server_->endpoint(), started));
}

// A hive that dials: it asks, is answered 101, and serves what the other end then asks on that connection.
Task<void> take_over(std::optional<Stream>& taken, Exchange& exchange) {
  Headers headers{{"Upgrade", "rbee-hive"}};
  Task<Result<Stream>> handing = exchange.hand_over(std::move(headers));
  Result<Stream> stream = co_await handing;
  EXPECT_TRUE(stream);
  if (stream) taken = std::move(*stream);
}

TEST_F(SecureTest, AConnectionMayBeTurnedRound) {
  std::optional<Stream> taken;
  listen([&taken](Exchange& exchange) { return take_over(taken, exchange); });
  const std::unique_ptr<HttpServer> inner = HttpServer::without_address({&loop_}, say_who, {});
  Result<Stream> dialled = connect(hive_key_);
  ASSERT_TRUE(dialled);
  ClientRequest request{.method = "POST", .target = "/link", .headers = {{"Upgrade", "rbee-hive"}}};
  auto upgraded = loop_.block_on(
      ClientExchange::upgrade(std::move(*dialled), server_->endpoint(), std::move(request), a_minute));
  ASSERT_TRUE(upgraded) << upgraded.error().message;
  ASSERT_TRUE(upgraded->stream.is_open());
  ASSERT_TRUE(taken.has_value());
  int first_asked = 0;
  inner->adopt(loop_, std::move(upgraded->stream), std::move(upgraded->rest), [&] { ++first_asked; });
  EXPECT_EQ(loop_.block_on(ask_on(*taken, server_->endpoint(), "123")), cat(hive_key_, " 3"));
  EXPECT_EQ(loop_.block_on(ask_on(*taken, server_->endpoint(), "1234")), cat(hive_key_, " 4"));
  EXPECT_EQ(first_asked, 1);
}

TEST_F(SecureTest, WhatOneKeyHasOpenCanBeClosed) {
  listen(say_who);
  Result<Stream> stream = connect(hive_key_);
  ASSERT_TRUE(stream);
  EXPECT_EQ(loop_.block_on(ask_on(*stream, server_->endpoint(), "")),
            cat(key_print_of(keeper_).value(), " 0"));
  server_->close_those_of("of-nobody");
  EXPECT_EQ(loop_.block_on(ask_on(*stream, server_->endpoint(), "")),
            cat(key_print_of(keeper_).value(), " 0"));
  server_->close_those_of(key_print_of(keeper_).value());
  const Result<std::size_t> end = loop_.block_on(read_byte(*stream));
  EXPECT_TRUE(!end || *end == 0);
}

}  // namespace
}  // namespace rbee::net
