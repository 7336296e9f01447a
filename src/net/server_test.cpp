// Server and client against each other, and against raw bytes, on sockets of one process.
#include "net/server.h"

#include "base/text.h"
#include "net/client.h"

#include <gtest/gtest.h>

#include <unistd.h>
#include <filesystem>

namespace rbee::net {
namespace {

constexpr Milliseconds a_minute{60'000};  // of patience, not of time that is spent

Task<void> echo(Exchange& exchange) {
  if (exchange.head().path == "/unread") {
    const auto ignored = co_await exchange.respond_json(200, "{}");
    static_cast<void>(ignored);
    co_return;
  }
  const Result<std::string_view> body = co_await exchange.read_body();
  if (!body) {
    Task<Result<void>> refusing = exchange.respond_error(body.error(), 0);
    const auto ignored = co_await refusing;
    static_cast<void>(ignored);
    co_return;
  }
  std::string answer = cat(exchange.head().method, " ", exchange.head().path, " ", *body);
  Headers headers{{"Content-Type", "text/plain"}};
  Task<Result<void>> responding = exchange.respond(200, std::move(headers), std::move(answer));
  const auto ignored = co_await responding;
  static_cast<void>(ignored);
}

// Three chunks; "/cut" breaks after the second.
Task<void> stream_three(Exchange& exchange) {
  Headers headers{{"Content-Type", "text/event-stream"}};
  Task<Result<void>> starting = exchange.start(200, std::move(headers));
  co_await starting;
  co_await exchange.write("one,");
  co_await exchange.write("two,");
  if (exchange.head().path == "/cut") {
    exchange.abort();
    co_return;
  }
  co_await exchange.write("three");
  co_await exchange.finish();
}

class ServerTest : public ::testing::Test {
 protected:
  void listen(Handler handler, ServerOptions options = {}, bool on_unix = true) {
    Endpoint on = on_unix ? Endpoint{.unix_path = cat("/tmp/rbee-net-test-", ::getpid(), ".sock")}
                          : Endpoint{.address = "127.0.0.1"};
    auto listening = HttpServer::listen({&loop_}, on, std::move(handler), std::move(options));
    ASSERT_TRUE(listening) << listening.error().message;
    server_ = std::move(*listening);
  }

  ClientResponse ask(std::string method, std::string target, std::string_view body = {}) {
    ClientRequest request{
        .method = std::move(method), .target = std::move(target), .headers = {}, .body = body};
    auto response =
        loop_.block_on(fetch(loop_, server_->endpoint(), std::move(request), a_minute, 100u << 20));
    EXPECT_TRUE(response) << response.error().message;
    return response ? std::move(*response) : ClientResponse{};
  }

  // Sends the bytes and gives all that comes until the server closes.
  static Task<std::string> exchange_bytes(Loop& loop, Endpoint to, std::string bytes, bool then_end) {
    Task<Result<Stream>> connecting = Stream::connect(loop, to, a_minute);
    Result<Stream> stream = co_await connecting;
    EXPECT_TRUE(stream);
    stream->expire_after(a_minute);
    const Result<void> written = co_await stream->write(bytes);
    static_cast<void>(written);
    if (then_end) stream->shut_down_sending();
    std::string all;
    char buffer[4096];
    while (true) {
      const Result<std::size_t> got = co_await stream->read_some(buffer, sizeof buffer);
      if (!got || *got == 0) co_return all;
      all.append(buffer, *got);
    }
  }
  std::string raw(std::string bytes, bool then_end = false) {
    return loop_.block_on(exchange_bytes(loop_, server_->endpoint(), std::move(bytes), then_end));
  }

  SystemClock clock_;
  Loop loop_{clock_};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(ServerTest, ABodyComesThroughWhole) {
  listen(echo, {}, false);
  const std::string large(5u << 20, 'x');
  EXPECT_EQ(ask("POST", "/a", large).body, "POST /a " + large);
  EXPECT_EQ(ask("GET", "/b").body, "GET /b ");
}

TEST_F(ServerTest, ABodyOfAnyLengthIsTheSameOnAConnectionThatStays) {
  listen(echo);
  for (const std::size_t bytes : {1u, 16'000u, 16'384u, 70'000u, (1u << 20) - 1, 1u << 20, 3'000'000u, 5u}) {
    std::string body;
    for (std::size_t i = 0; body.size() < bytes; ++i) body += cat(i, ' ');
    body.resize(bytes);
    EXPECT_EQ(ask("POST", "/x", body).body, "POST /x " + body) << bytes;
  }
}

TEST_F(ServerTest, AChunkedBodyComesThroughAndTheConnectionStays) {
  listen(echo);
  const std::string answer =
      raw("POST /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
          "POST /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nfg");
  EXPECT_NE(answer.find("POST /1 abcde"), std::string::npos) << answer;
  EXPECT_NE(answer.find("POST /2 fg"), std::string::npos) << answer;
}

TEST_F(ServerTest, AnUnreadBodyIsNotTakenForTheNextRequest) {
  listen(echo);
  const std::string answer =
      raw("POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nGET "
          "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("GET /next "), std::string::npos) << answer;
  const std::string chunked =
      raw("POST /unread HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
          "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(chunked.find("/next"), std::string::npos) << "the connection ends, nothing is guessed";
}

TEST_F(ServerTest, ExpectContinueIsAnsweredBeforeTheBody) {
  listen(echo);
  const std::string answer =
      raw("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: "
          "close\r\n\r\nx");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")) << answer;
}

TEST_F(ServerTest, ABodyOverTheLimitIsRefusedBeforeItIsSent) {
  listen(echo, {.largest_body_bytes = 1u << 20});
  EXPECT_EQ(ask("POST", "/", std::string(1u << 20, 'x')).status, 200);
  const std::string answer = raw("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
  EXPECT_NE(answer.find("body_too_large"), std::string::npos);
  const std::string chunk = cat("100001\r\n", std::string(0x100001, 'x'), "\r\n0\r\n\r\n");
  EXPECT_TRUE(raw(cat("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", chunk))
                  .starts_with("HTTP/1.1 413 "));
}

Task<void> echo_up_to_4_kib(Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body(4096);
  Task<Result<void>> responding =
      body ? exchange.respond(200, Headers{}, std::string(*body)) : exchange.respond_error(body.error());
  const auto ignored = co_await responding;
  static_cast<void>(ignored);
}

TEST_F(ServerTest, AHandlerMayTakeLessThanTheServer) {
  listen(echo_up_to_4_kib);
  EXPECT_EQ(ask("POST", "/", std::string(4096, 'x')).status, 200);
  const std::string answer = raw("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4097\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
  EXPECT_NE(answer.find("4 KiB"), std::string::npos) << answer;
  const std::string chunk = cat("1001\r\n", std::string(0x1001, 'x'), "\r\n0\r\n\r\n");
  EXPECT_TRUE(raw(cat("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", chunk))
                  .starts_with("HTTP/1.1 413 "));
}

TEST_F(ServerTest, ACutBodyIsSaidToBeCut) {
  listen(echo);
  const std::string answer = raw("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc", true);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("is cut"), std::string::npos);
}

TEST_F(ServerTest, ASlowHeadIsTimedOutInWordsAndASilentConnectionWithout) {
  listen(echo, {.head_within = Milliseconds{30}, .idle_keep_alive = Milliseconds{30}});
  const std::string answer = raw("GET / HTTP/1.1\r\nHos");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
  EXPECT_EQ(raw(""), "");
}

TEST_F(ServerTest, ASilentBodyIsTimedOutInWords) {
  listen(echo, {.body_silence = Milliseconds{30}});
  const std::string answer = raw("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
}

TEST_F(ServerTest, AHeadOverTheLimitIsRefused) {
  listen(echo);
  const std::string line = cat("X: ", std::string(largest_head_bytes, 'x'), "\r\n");
  EXPECT_TRUE(raw(cat("GET / HTTP/1.1\r\nHost: h\r\n", line)).starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(raw("rubbish\r\n\r\n").starts_with("HTTP/1.1 400 "));
  const std::string before = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: ";
  const std::string most(largest_head_bytes - before.size() - 4, 'x');
  EXPECT_TRUE(raw(cat(before, most, "\r\n\r\n")).starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(raw(cat(before, most, "x\r\n\r\n")).starts_with("HTTP/1.1 431 ")) << "though it has an end";
}

TEST_F(ServerTest, EmptyLinesBeforeARequestAreNoPartOfIt) {
  listen(echo, {.head_within = Milliseconds{30}, .idle_keep_alive = Milliseconds{60}});
  const std::string next = "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  EXPECT_NE(raw("\r\n\r\n" + next).find("GET /next"), std::string::npos);
  const std::string first = "GET /first HTTP/1.1\r\nHost: h\r\n\r\n\r\n";
  EXPECT_NE(raw(first + next).find("GET /next"), std::string::npos) << "what came with another is no other";
  const std::string alone = raw(first);
  EXPECT_TRUE(alone.starts_with("HTTP/1.1 200 ")) << alone;
  EXPECT_TRUE(alone.ends_with("GET /first ")) << "nobody is late where nobody has asked: " << alone;
}

TEST_F(ServerTest, ConnectionsOverTheLimitAreTurnedAway) {
  listen(echo, {.most_connections = 0});
  EXPECT_TRUE(raw("").starts_with("HTTP/1.1 503 "));
}

// One that is open while another comes, and one that comes when it has gone.
Task<std::vector<std::string>> three_clients(Loop& loop, Endpoint to) {
  const std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  std::vector<std::string> answers;
  char buffer[4096];
  for (int round = 0; round < 2; ++round) {
    Task<Result<Stream>> connecting = Stream::connect(loop, to, a_minute);
    Result<Stream> first = co_await connecting;
    EXPECT_TRUE(first);
    for (Stream* one : {&*first}) {
      const Result<void> sent = co_await one->write(request);
      EXPECT_TRUE(sent);
      const Result<std::size_t> got = co_await one->read_some(buffer, sizeof buffer);
      answers.emplace_back(buffer, got ? *got : 0);
    }
    connecting = Stream::connect(loop, to, a_minute);
    Result<Stream> second = co_await connecting;
    const Result<std::size_t> got = co_await second->read_some(buffer, sizeof buffer);
    answers.emplace_back(buffer, got ? *got : 0);
    second->close();
    first->close();
    // Both must have been seen to go.
    Task<void> resting = sleep_for(loop, Milliseconds{20});
    co_await resting;
  }
  co_return answers;
}

TEST_F(ServerTest, AClientWithTooManyConnectionsIsToldSoUntilItHasFewer) {
  listen(echo, {.most_connections_per_client = 1}, false);
  const std::vector<std::string> got = loop_.block_on(three_clients(loop_, server_->endpoint()));
  ASSERT_EQ(got.size(), 4u);
  for (const std::size_t let_in : {0u, 2u})
    EXPECT_TRUE(got[let_in].starts_with("HTTP/1.1 200 ")) << got[let_in];
  for (const std::size_t turned_away : {1u, 3u}) {
    EXPECT_TRUE(got[turned_away].starts_with("HTTP/1.1 429 ")) << got[turned_away];
    EXPECT_NE(got[turned_away].find("Retry-After"), std::string::npos);
  }
}

// A kept connection over the end of accepting: what it is answered before and behind.
Task<std::vector<std::string>> over_the_end(Loop& loop, HttpServer& server, HttpServer::Kept kept,
                                            std::string_view request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n") {
  Task<Result<Stream>> connecting = Stream::connect(loop, server.endpoint(), a_minute);
  Result<Stream> stream = co_await connecting;
  std::vector<std::string> answers;
  char buffer[4096];
  for (int round = 0; round < 3; ++round) {
    const Result<void> sent = co_await stream->write(request);
    const Result<std::size_t> got = co_await stream->read_some(buffer, sizeof buffer);
    answers.emplace_back(buffer, sent && got ? *got : 0);
    if (answers.back().empty()) break;
    if (round == 0) server.stop_accepting(kept);
    Task<void> resting = sleep_for(loop, Milliseconds{5});
    co_await resting;
  }
  co_return answers;
}

TEST_F(ServerTest, AKeptConnectionIsServedOnceMoreWhereAnotherServerAccepts) {
  listen(echo);
  const std::vector<std::string> got =
      loop_.block_on(over_the_end(loop_, *server_, HttpServer::Kept::served_once_more));
  EXPECT_EQ(got[0].find("Connection: close"), std::string::npos);
  EXPECT_TRUE(got[1].starts_with("HTTP/1.1 200 ")) << got[1];
  EXPECT_NE(got[1].find("Connection: close"), std::string::npos);
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[2], "");
}

TEST_F(ServerTest, AKeptConnectionIsClosedWhereNobodyComesAfter) {
  // An empty line is no beginning of a request that would have to be waited for.
  for (const std::string_view behind : {"", "\r\n"}) {
    server_.reset();
    listen(echo);
    const std::string request = cat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", behind);
    const std::vector<std::string> got =
        loop_.block_on(over_the_end(loop_, *server_, HttpServer::Kept::closed, request));
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[1], "");
  }
}

Task<std::string> connect_and_ask(Loop& loop, Endpoint to, HttpServer& old, std::function<void()> then) {
  old.stop_accepting(HttpServer::Kept::served_once_more);
  Task<void> resting = sleep_for(loop, Milliseconds{5});
  co_await resting;
  // Nobody accepts at this moment: it waits in the socket, which both share.
  Task<Result<Stream>> connecting = Stream::connect(loop, to, a_minute);
  Result<Stream> stream = co_await connecting;
  EXPECT_TRUE(stream);
  const Result<void> sent = co_await stream->write("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(sent);
  then();
  char buffer[4096];
  const Result<std::size_t> got = co_await stream->read_some(buffer, sizeof buffer);
  co_return std::string(buffer, got ? *got : 0);
}

TEST_F(ServerTest, ASocketGoesOnToAnotherServerWithWhatWaitsInIt) {
  for (const bool on_unix : {false, true}) {
    listen(echo, {}, on_unix);
    const std::unique_ptr<HttpServer> old = std::move(server_);
    const int inherited = ::dup(old->listening());
    const auto take_over = [&] {
      auto next = HttpServer::listen({&loop_}, old->endpoint(), echo, {.listening = inherited});
      ASSERT_TRUE(next) << next.error().message;
      server_ = std::move(*next);
    };
    const std::string got = loop_.block_on(connect_and_ask(loop_, old->endpoint(), *old, take_over));
    EXPECT_TRUE(got.starts_with("HTTP/1.1 200 ")) << got;
    EXPECT_NE(got.find("/next"), std::string::npos);
    EXPECT_EQ(server_->endpoint().port, old->endpoint().port);
    old->stop();
    EXPECT_EQ(ask("GET", "/again").status, 200) << "the old server took the socket's file with it";
  }
}

Task<std::string> send_too_much(Loop& loop, Endpoint to) {
  Task<Result<Stream>> connecting = Stream::connect(loop, to, a_minute);
  Result<Stream> stream = co_await connecting;
  const std::string body(8u << 20, 'x');
  const Result<void> sent =
      co_await stream->write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8388608\r\n\r\n", body);
  EXPECT_TRUE(sent);
  char buffer[4096];
  const Result<std::size_t> got = co_await stream->read_some(buffer, sizeof buffer);
  co_return std::string(buffer, got ? *got : 0);
}

TEST_F(ServerTest, AClientThatStillSendsIsNotResetBeforeItHasReadItsRefusal) {
  listen(echo, {.largest_body_bytes = 1u << 20}, false);
  const std::string got = loop_.block_on(send_too_much(loop_, server_->endpoint()));
  EXPECT_TRUE(got.starts_with("HTTP/1.1 413 ")) << got;
}

TEST_F(ServerTest, AStreamIsChunkedOrEndsWithTheConnection) {
  listen(stream_three);
  EXPECT_EQ(ask("GET", "/").body, "one,two,three");
  const std::string old = raw("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(old.ends_with("\r\n\r\none,two,three")) << old;
}

Task<Result<std::string>> read_stream(Loop& loop, Endpoint to, std::string target, bool as_raw) {
  ClientRequest request{.target = std::move(target)};
  Task<Result<ClientExchange>> sending = ClientExchange::send(loop, to, std::move(request), a_minute);
  Result<ClientExchange> exchange = co_await sending;
  if (!exchange) co_return exchange.error();
  if (!as_raw) {
    Result<std::string> body = co_await exchange->read_all(1000, a_minute);
    co_return body;
  }
  std::string all;
  while (true) {
    const Result<ClientExchange::Raw> raw = co_await exchange->read_raw(a_minute);
    if (!raw) co_return cat(all, "!");
    all.append(raw->bytes);
    if (raw->last) co_return all;
  }
}

TEST_F(ServerTest, ACutStreamIsAnErrorAndNeverAnEnd) {
  listen(stream_three);
  const auto whole = loop_.block_on(read_stream(loop_, server_->endpoint(), "/cut", false));
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().code, ErrorCode::unreachable);
  const auto raw = loop_.block_on(read_stream(loop_, server_->endpoint(), "/cut", true));
  EXPECT_EQ(*raw, "4\r\none,\r\n4\r\ntwo,\r\n!") << "only whole chunks are handed out";
  EXPECT_EQ(*loop_.block_on(read_stream(loop_, server_->endpoint(), "/", true)),
            "4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n");
}

// Waits until the client has gone, and then says so to `gone`.
Task<void> wait_for_client(Exchange& exchange, Signal& gone) {
  Signal left(exchange.loop());
  exchange.on_disconnect([&left] { left.notify(); });
  const bool told = co_await left.wait(a_minute);
  if (told) gone.notify();
}

Task<bool> wait_on_signal(Signal& signal) {
  const bool told = co_await signal.wait(a_minute);
  co_return told;
}

Task<bool> leave_and_see(Loop& loop, Endpoint to, Signal& gone, bool let_go) {
  Task<Result<Stream>> connecting = Stream::connect(loop, to, a_minute);
  Result<Stream> stream = co_await connecting;
  const Result<void> sent = co_await stream->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(sent);
  co_await sleep_for(loop, Milliseconds{5});
  if (let_go)
    stream->shut_down_sending();
  else
    stream->close();
  const bool told = co_await gone.wait(a_minute);
  co_return told;
}

TEST_F(ServerTest, AHandlerIsToldWhenItsClientLeaves) {
  Signal gone(loop_);
  listen([&gone](Exchange& exchange) { return wait_for_client(exchange, gone); });
  EXPECT_TRUE(loop_.block_on(leave_and_see(loop_, server_->endpoint(), gone, false)));
  EXPECT_TRUE(loop_.block_on(leave_and_see(loop_, server_->endpoint(), gone, true)));
}

// The server's handler ends, and with it the connection, when it sees the goodbye.
Task<Result<void>> leave_while_waiting(Loop& loop, Endpoint to) {
  ClientRequest request;
  Task<Result<ClientExchange>> beginning =
      ClientExchange::begin(loop, std::move(to), std::move(request), a_minute);
  Result<ClientExchange> exchange = co_await beginning;
  EXPECT_TRUE(exchange);
  Timer timer(loop);
  ClientExchange* leaving = &*exchange;
  timer.arm(Milliseconds{5}, [leaving] { leaving->say_goodbye(); });
  const Result<void> head = co_await exchange->read_head(a_minute);
  co_return head;
}

TEST_F(ServerTest, AGoodbyeReachesTheOtherEndWhileItsAnswerIsAwaited) {
  Signal gone(loop_);
  listen([&gone](Exchange& exchange) { return wait_for_client(exchange, gone); });
  const Result<void> head = loop_.block_on(leave_while_waiting(loop_, server_->endpoint()));
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, ErrorCode::unreachable);
  EXPECT_TRUE(loop_.block_on(wait_on_signal(gone)));
}

Task<void> stop_soon(Loop& loop, HttpServer& server, Signal& gone) {
  Task<Result<Stream>> connecting = Stream::connect(loop, server.endpoint(), a_minute);
  Result<Stream> stream = co_await connecting;
  const Result<void> sent = co_await stream->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(sent);
  co_await sleep_for(loop, Milliseconds{5});
  server.stop();
  co_await gone.wait(a_minute);
  char byte = 0;
  const Result<std::size_t> end = co_await stream->read_some(&byte, 1);
  EXPECT_TRUE(!end || *end == 0);
}

TEST_F(ServerTest, StoppingTellsTheHandlersAndClosesTheirConnections) {
  Signal gone(loop_);
  listen([&gone](Exchange& exchange) { return wait_for_client(exchange, gone); });
  loop_.block_on(stop_soon(loop_, *server_, gone));
  EXPECT_FALSE(std::filesystem::exists(server_->endpoint().unix_path));
}

TEST_F(ServerTest, AClientThatGoesAwayInTheMiddleOfAStreamEndsItsHandler) {
  // The handler writes until it cannot: that it ends at all is the test.
  Signal ended(loop_);
  listen([&ended](Exchange& exchange) -> Task<void> {
    return [](Exchange& to, Signal& tell) -> Task<void> {
      Headers headers;
      Task<Result<void>> starting = to.start(200, std::move(headers));
      co_await starting;
      const std::string block(65536, 'x');
      bool open = true;
      while (open) {
        const Result<void> written = co_await to.write(block);
        open = written.has_value();
      }
      tell.notify();
    }(exchange, ended);
  });
  EXPECT_TRUE(loop_.block_on(leave_and_see(loop_, server_->endpoint(), ended, false)));
}

TEST_F(ServerTest, AnAddressThatIsTakenIsNamed) {
  listen(echo, {}, false);
  const auto second = HttpServer::listen({&loop_}, server_->endpoint(), echo, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::address_taken);
  EXPECT_NE(second.error().message.find(server_->endpoint().text()), std::string::npos);
}

TEST_F(ServerTest, ALeftoverSocketIsReplacedAndALiveOneIsNot) {
  listen(echo);
  EXPECT_EQ(HttpServer::listen({&loop_}, server_->endpoint(), echo, {}).error().code,
            ErrorCode::address_taken);
  const Endpoint leftover{.unix_path = cat("/tmp/rbee-net-leftover-", ::getpid(), ".sock")};
  ASSERT_EQ(::symlink("/nowhere", leftover.unix_path.c_str()), 0);
  EXPECT_TRUE(HttpServer::listen({&loop_}, leftover, echo, {}));
}

TEST_F(ServerTest, APathLongerThanASocketTakesIsRefusedWithTheNumbers) {
  const Endpoint on{.unix_path = "/tmp/" + std::string(longest_socket_path, 'x')};
  const auto listening = HttpServer::listen({&loop_}, on, echo, {});
  ASSERT_FALSE(listening);
  EXPECT_NE(listening.error().message.find("the system takes 107"), std::string::npos);
}

TEST_F(ServerTest, NobodyThereIsUnreachable) {
  ClientRequest request;
  const Endpoint nowhere{.unix_path = "/tmp/rbee-nobody.sock"};
  const auto response = loop_.block_on(fetch(loop_, nowhere, std::move(request), a_minute));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::unreachable);
}

// A byte every 4 ms for 200 ms.
Task<void> answer_in_drops(Exchange& exchange) {
  Headers headers;
  Task<Result<void>> starting = exchange.start(200, std::move(headers));
  co_await starting;
  for (int i = 0; i < 50; ++i) {
    co_await exchange.write("x");
    Task<void> pausing = sleep_for(exchange.loop(), Milliseconds{4});
    co_await pausing;
  }
  co_await exchange.finish();
}

TEST_F(ServerTest, AnAnswerThatComesInDropsIsTimedOutAsAWhole) {
  listen(answer_in_drops);
  ClientRequest request;
  const auto response =
      loop_.block_on(fetch(loop_, server_->endpoint(), std::move(request), Milliseconds{40}));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::timed_out);
}

Task<void> never_answer(Exchange& exchange) { co_await sleep_for(exchange.loop(), a_minute); }

TEST_F(ServerTest, AnAnswerThatDoesNotComeIsTimedOut) {
  listen(never_answer);
  ClientRequest request;
  const auto response =
      loop_.block_on(fetch(loop_, server_->endpoint(), std::move(request), Milliseconds{30}));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::timed_out);
}

}  // namespace
}  // namespace rbee::net
