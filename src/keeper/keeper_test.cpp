// The keeper as a whole, before a peer that plays a hive with two engines and does on demand what real ones
// cannot be made to do: end before the head, end in the middle, stand still, and say that they still load.
#include "keeper/keeper.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "keeper/api_keys.h"
#include "net/client.h"
#include "net/server.h"
#include "net/sse.h"
#include "net/tls.h"

#include "domain/report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <unistd.h>
#include <atomic>
#include <filesystem>
#include <future>

namespace rbee::keeper {
namespace {

constexpr Milliseconds soon{10'000};            // only a failing test waits so long
constexpr std::size_t flood_bytes = 64u << 20;  // far more than sockets and buffers on the way hold
constexpr std::size_t flood_piece_bytes = 1u << 16;
constexpr std::uint64_t tokens_of_key = 1000;  // a minute's

// What one engine was asked, and how it is to behave. Shared by threads.
struct Peer {
  std::string name;
  std::atomic<int> asked{0};
  std::atomic<int> loading{0};  // answers "Loading model" so many times
  std::atomic<std::size_t> written{0};
  std::promise<void> client_left;
};

net::Task<void> stream_words(net::Exchange& exchange, bool to_the_end) {
  net::Headers headers{{"Content-Type", "text/event-stream"}, {"Server", "llama.cpp"}};
  const Result<void> started = co_await exchange.start(200, headers);
  const Result<void> first = co_await exchange.write("data: one\n\n");
  const Result<void> second = co_await exchange.write("data: two\n\n");
  static_cast<void>(started && first && second);
  if (!to_the_end) {
    exchange.abort();
    co_return;
  }
  const Result<void> last = co_await exchange.write("data: [DONE]\n\n");
  const Result<void> end = co_await exchange.finish();
  static_cast<void>(last && end);
}

// Of /v1/completions, which another engine goes on with behind the prompt. All but the last break off.
net::Task<void> stream_text(net::Exchange& exchange, bool to_the_end) {
  net::Headers headers{{"Content-Type", "text/event-stream"}};
  const Result<void> started = co_await exchange.start(200, headers);
  const std::string piece = "data: {\"choices\":[{\"text\":\"a\",\"index\":0}]}\n\n";
  std::string next = piece;
  if (to_the_end) next = "data: {\"timings\":{\"cache_n\":8,\"prompt_n\":4,\"predicted_n\":5}}\n\n";
  const Result<void> first = co_await exchange.write(piece);
  const Result<void> second = co_await exchange.write(next);
  static_cast<void>(started && first && second);
  if (!to_the_end) {
    exchange.abort();
    co_return;
  }
  const Result<void> end = co_await exchange.finish();
  static_cast<void>(end);
}

// A comment, and no event.
net::Task<void> begin_nothing(net::Exchange& exchange) {
  net::Headers headers{{"Content-Type", "text/event-stream"}};
  const Result<void> started = co_await exchange.start(200, headers);
  const Result<void> commented = co_await exchange.write(":\n\n");
  static_cast<void>(started && commented);
  exchange.abort();
}

net::Task<void> flood(std::shared_ptr<Peer> peer, net::Exchange& exchange) {
  net::Headers headers{{"Content-Type", "text/event-stream"}};
  const Result<void> started = co_await exchange.start(200, headers);
  const std::string piece(flood_piece_bytes, 'x');
  bool good = static_cast<bool>(started);
  while (good && peer->written < flood_bytes) {
    const Result<void> written = co_await exchange.write(piece);
    good = static_cast<bool>(written);
    peer->written += piece.size();
  }
  const Result<void> end = co_await exchange.finish();
  static_cast<void>(end);
}

net::Task<void> stand_still(std::shared_ptr<Peer> peer, net::Exchange& exchange) {
  const auto left = std::make_shared<net::Signal>(exchange.loop());
  exchange.on_disconnect([left] { left->notify(); });
  const bool gone = co_await left->wait(soon);
  if (gone) peer->client_left.set_value();
}

net::Task<void> respond_json(net::Exchange& exchange, int status, std::string text) {
  net::Task<Result<void>> responding = exchange.respond_json(status, std::move(text));
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

std::string what_came(const Peer& peer, const net::Exchange& exchange, std::string_view body) {
  Json headers = Json::array();
  for (const auto& [name, value] : exchange.head().headers) headers.push_back(lower(name));
  return dump_json(Json{{"engine", peer.name}, {"body", body}, {"headers", headers}});
}

// The body's field `act` says what the engine does.
net::Task<void> play_engine(std::shared_ptr<Peer> peer, net::Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body();
  if (!body) co_return;
  const bool first = peer->asked++ == 0 && peer->name == "e1";
  const Result<Json> json = parse_json(*body);
  const std::string act = json ? text_of(*json, "act") : "";
  net::Task<void> doing;
  if (peer->loading-- > 0) {
    doing = respond_json(exchange, 503,
                         R"({"error":{"message":"Loading model","type":"unavailable_error","code":503}})");
  } else if (act == "end before the head" && first) {
    co_return;
  } else if (act == "stream" || act == "cut the stream") {
    doing = stream_words(exchange, act == "stream");
  } else if (act == "lose the first" && peer->name == "e1") {
    doing = begin_nothing(exchange);
  } else if (act == "go on" || act == "never end" || act == "lose the first") {
    doing = stream_text(exchange, act != "never end" && peer->name == "e2");
  } else if (act == "flood") {
    doing = flood(peer, exchange);
  } else if (act == "stand still") {
    doing = stand_still(peer, exchange);
  } else {
    doing = respond_json(exchange, 200, what_came(*peer, exchange, *body));
  }
  co_await doing;
}

// Ends in the middle of it.
net::Task<void> play_download(net::Exchange& exchange) {
  net::Headers headers{{"Content-Type", "text/event-stream"}};
  const Result<void> started = co_await exchange.start(200, headers);
  const std::string event = net::format_sse("progress", R"({"state":"fetching","total":10,"done":5})");
  const Result<void> written = co_await exchange.write(event);
  static_cast<void>(started && written);
  exchange.abort();
}

net::Task<void> play_hive(std::shared_ptr<const std::string> report, net::Exchange& exchange) {
  if (exchange.head().path == "/downloads") {
    net::Task<void> downloading = play_download(exchange);
    co_await downloading;
    co_return;
  }
  if (exchange.head().path != "/events") {
    net::Task<void> answering =
        respond_json(exchange, 404, R"({"error":{"code":"unknown_name","message":"no such thing"}})");
    co_await answering;
    co_return;
  }
  net::Headers headers{{"Content-Type", "text/event-stream"}};
  const Result<void> started = co_await exchange.start(200, headers);
  const std::string event = net::format_sse("report", *report);
  Result<void> written = co_await exchange.write(event);
  const std::string beat = net::format_sse("heartbeat", "{}");
  while (started && written) {
    net::Task<void> resting = net::sleep_for(exchange.loop(), Milliseconds{100});
    co_await resting;
    written = co_await exchange.write(beat);
  }
}

struct Answer {
  int status = 0;
  net::Headers headers;
  std::string body;
  bool whole = false;
};

net::Task<Answer> ask(net::Loop& loop, net::Endpoint to, std::string method, std::string target,
                      std::string body, net::Headers headers) {
  net::ClientRequest request{
      .method = std::move(method), .target = std::move(target), .headers = std::move(headers), .body = body};
  net::Task<Result<net::ClientExchange>> sending =
      net::ClientExchange::send(loop, std::move(to), std::move(request), soon);
  Result<net::ClientExchange> exchange = co_await sending;
  if (!exchange) co_return Answer{};
  Answer answer{exchange->head().status, exchange->head().headers, {}, false};
  while (true) {
    const Result<std::string_view> some = co_await exchange->read_some(soon);
    answer.whole = some && some->empty();
    if (!some || some->empty()) break;
    answer.body += *some;
  }
  co_return answer;
}

class WholeKeeper : public testing::Test {
 protected:
  WholeKeeper() : random_(1), peers_(clock_, 1), runtime_(clock_, 2), client_(clock_) {
    std::string folder = (std::filesystem::temp_directory_path() / "rbee-keeper-XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
    HiveReport report;
    report.hive = "box";
    ModelFile file;
    file.id = "demo-q8";
    file.name = "demo";
    report.models.push_back(file);
    for (int i = 1; i <= 2; ++i) {
      WorkerReport worker;
      worker.name = cat("w", i);
      worker.hive = "box";
      report.workers.push_back(worker);
      EngineReport engine;
      engine.id = cat("e", i);
      engine.worker = worker.name;
      engine.model_id = file.id;
      engine.state = EngineState::ready;
      engine.socket = (folder_ / (engine.id + ".sock")).string();
      engine.incarnation = 1;
      engine.slots = 1;
      report.engines.push_back(engine);
      const auto peer = std::make_shared<Peer>();
      peer->name = engine.id;
      engines_.push_back(peer);
      listen(engine.socket, [peer](net::Exchange& exchange) { return play_engine(peer, exchange); });
    }
    report.version = "test";
    const auto text = std::make_shared<const std::string>(dump_json(to_json(report)));
    const std::string hive_socket = (folder_ / "hive.sock").string();
    listen(hive_socket, [text](net::Exchange& exchange) { return play_hive(text, exchange); });
    write_keys();
    KeeperOptions options{.state_folder = folder_ / "state",
                          .version = "test",
                          .own_hive_socket = hive_socket,
                          .expect_own_hive = true};
    options.listen.port = 0;
    options.sign_of_life = Milliseconds{20};
    keeper_ = std::make_unique<Keeper>(runtime_, clock_, random_, Log::none(), options);
    const Result<void> started = keeper_->start();
    EXPECT_TRUE(started);
    peers_.start();
    runtime_.start();
    until([&] { return get("/readyz").status == 200; });
  }

  ~WholeKeeper() override {
    keeper_->stop();
    runtime_.stop();
    peers_.stop();
    keeper_.reset();
    servers_.clear();
    std::filesystem::remove_all(folder_);
  }

  void write_keys() {
    ApiKeys keys;
    for (const char* name : {"ann", "bob"}) {
      ApiKey key{.name = name, .hash = net::secret_hash(cat("rbee-", name))};
      key.tokens_per_minute = tokens_of_key;
      EXPECT_TRUE(keys.add(key));
    }
    std::filesystem::create_directories(folder_ / "state");
    EXPECT_TRUE(write_file(folder_ / "state" / keys_file, keys.text()));
  }
  void listen(const std::string& path, net::Handler handler) {
    Result<std::unique_ptr<net::HttpServer>> server =
        net::HttpServer::listen(peers_.loops(), net::Endpoint{.unix_path = path}, std::move(handler), {});
    ASSERT_TRUE(server) << server.error().message;
    servers_.push_back(std::move(*server));
  }
  // Each try is a round trip to the keeper, so it gets on meanwhile.
  template <class Condition>
  void until(Condition condition) {
    const Instant end = clock_.now() + soon;
    bool met = condition();
    while (!met && clock_.now() < end) met = condition();
    EXPECT_TRUE(met);
  }
  Answer get(const std::string& target, net::Headers headers = {}) {
    return client_.block_on(ask(client_, keeper_->endpoint(), "GET", target, "", std::move(headers)));
  }
  Answer post(const std::string& target, const std::string& body, net::Headers headers = {}) {
    return client_.block_on(ask(client_, keeper_->endpoint(), "POST", target, body, std::move(headers)));
  }
  Answer act(std::string_view what) {
    return post("/v1/chat/completions", cat(R"({"model":"demo","messages":[],"act":")", what, "\"}"));
  }

  // Asks, and waits for nothing.
  Result<net::ClientExchange> begin_at(std::string target, std::string_view body, net::Headers headers = {}) {
    net::ClientRequest request{
        .method = "POST", .target = std::move(target), .headers = std::move(headers), .body = body};
    return client_.block_on(
        net::ClientExchange::begin(client_, keeper_->endpoint(), std::move(request), soon));
  }
  Result<net::ClientExchange> begin(std::string_view what, net::Headers headers = {}) {
    const std::string body = cat(R"({"model":"demo","messages":[],"act":")", what, "\"}");
    return begin_at("/v1/chat/completions", body, std::move(headers));
  }
  // While those live both engines have no slot free.
  std::vector<net::ClientExchange> keep_busy() {
    std::vector<net::ClientExchange> busy;
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      Result<net::ClientExchange> exchange = begin("stand still", {{"x-rbee-worker", cat("w", i + 1)}});
      EXPECT_TRUE(exchange);
      if (exchange) busy.push_back(std::move(*exchange));
      until([&] { return get("/healthz").status == 200 && engines_[i]->asked > 0; });
    }
    return busy;
  }
  // The first bytes of an answer's body.
  std::string first_of(net::ClientExchange& exchange) {
    const Result<void> head = client_.block_on(exchange.read_head(soon));
    if (!head) return head.error().message;
    const Result<std::string_view> piece = client_.block_on(exchange.read_some(soon));
    return piece ? std::string(*piece) : piece.error().message;
  }
  bool metrics_say(std::string_view line) {
    return get("/metrics").body.find(cat("\n", line, "\n")) != std::string::npos;
  }

  SystemClock clock_;
  Random random_;
  std::filesystem::path folder_;
  net::Runtime peers_;
  net::Runtime runtime_;
  net::Loop client_;
  std::vector<std::shared_ptr<Peer>> engines_;
  std::vector<std::unique_ptr<net::HttpServer>> servers_;
  std::unique_ptr<Keeper> keeper_;
};

TEST_F(WholeKeeper, ABodyGoesToTheEngineAsItCameAndKeysDoNot) {
  const std::string body = "{ \"model\" :\t\"demo\", \"prompt\": [], \"x\": 1.50 }";
  const Answer answer =
      post("/v1/completions", body,
           {{"Authorization", "Bearer k"}, {"X-Conversation-Id", "c"}, {"Content-Type", "application/json"}});
  EXPECT_EQ(answer.status, 200);
  const Result<Json> came = parse_json(answer.body);
  ASSERT_TRUE(came) << answer.body;
  EXPECT_EQ(get_string(*came, "body"), body);
  EXPECT_EQ(dump_json((*came)["headers"]), R"(["host","content-length","content-type"])");
  EXPECT_EQ(answer.headers.find("x-rbee-worker"), "w1");
  EXPECT_EQ(answer.headers.find("x-rbee-request-id")->size(), 12u);
}

TEST_F(WholeKeeper, AStreamComesWholeAndWithoutTheEnginesOwnHeaders) {
  const Answer answer = act("stream");
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(answer.body, "data: one\n\ndata: two\n\ndata: [DONE]\n\n");
  EXPECT_FALSE(answer.headers.find("Server"));
}

TEST_F(WholeKeeper, AnEngineThatEndsBeforeItAnswersIsReplacedUnseen) {
  const Answer answer = act("end before the head");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.find("x-rbee-worker"), "w2");
  EXPECT_EQ(engines_[0]->asked, 1);
}

TEST_F(WholeKeeper, AnEngineThatStillLoadsIsAskedLater) {
  engines_[0]->loading = 1;
  engines_[1]->loading = 1;
  const Answer answer = act("");
  EXPECT_EQ(answer.status, 200);
}

TEST_F(WholeKeeper, AStreamThatBreaksEndsWithAnErrorEvent) {
  const Answer answer = act("cut the stream");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.whole) << "the framing must end well";
  EXPECT_TRUE(answer.body.starts_with("data: one\n\ndata: two\n\ndata: {\"error\"")) << answer.body;
  EXPECT_NE(answer.body.find("worker_lost"), std::string::npos);
  EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos);
}

TEST_F(WholeKeeper, AStreamThatAnotherEngineGoesOnWithIsCountedAsOneAnswer) {
  const Answer answer =
      post("/v1/completions", R"({"model":"demo","stream":true,"act":"go on","prompt":"One"})");
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(answer.headers.find("x-rbee-worker"), "w1");
  // By the second engine's words 5 tokens behind a prompt of 12, in which the first one's 2 were.
  until([&] { return metrics_say(R"(rbee_generated_tokens_total{model="demo"} 7)"); });
  EXPECT_TRUE(metrics_say(R"(rbee_prompt_tokens_total{model="demo"} 10)")) << answer.body;
}

// Each is told of as 5 tokens behind a prompt of 12.
TEST_F(WholeKeeper, SeveralAnswersToOneRequestAreCountedAll) {
  const Answer answer =
      post("/v1/completions", R"({"model":"demo","stream":true,"act":"go on","prompt":"One","n":3})",
           {{"x-rbee-worker", "w2"}});
  EXPECT_TRUE(answer.whole);
  until([&] { return metrics_say(R"(rbee_generated_tokens_total{model="demo"} 15)"); });
  EXPECT_TRUE(metrics_say(R"(rbee_prompt_tokens_total{model="demo"} 12)"));
}

TEST_F(WholeKeeper, AStreamThatNobodyGoesOnWithIsChargedToItsKey) {
  const auto ask_as = [&](std::string_view name, std::string_view body) {
    return post("/v1/completions", std::string(body), {{"Authorization", cat("Bearer rbee-", name)}});
  };
  const std::string prompt(tokens_of_key * 8, 'x');
  const auto lost = [&](std::string_view name, std::string_view act) {
    const Answer answer = ask_as(
        name, cat(R"({"model":"demo","stream":true,"act":")", act, R"(","prompt":")", prompt, R"("})"));
    return answer.body.find("worker_lost") != std::string::npos;
  };
  // No engine has it, so nothing is spent on it.
  const auto is_over = [&](std::string_view name) {
    return ask_as(name, R"({"model":"nobodys","prompt":""})").status == 429;
  };
  // One is no text that could go on; of the other each engine breaks off.
  EXPECT_TRUE(lost("ann", "cut the stream"));
  until([&] { return is_over("ann"); });
  EXPECT_TRUE(lost("bob", "never end"));
  until([&] { return is_over("bob"); });
}

TEST_F(WholeKeeper, AClientThatLeavesFreesTheEngine) {
  std::future<void> left = engines_[0]->client_left.get_future();
  {
    Result<net::ClientExchange> exchange = begin("stand still");
    ASSERT_TRUE(exchange);
    until([&] { return get("/healthz").status == 200 && engines_[0]->asked > 0; });
    exchange->close();
  }
  EXPECT_EQ(left.wait_for(soon), std::future_status::ready);
  until([&] { return get("/metrics").body.find("rbee_requests_running 0") != std::string::npos; });
  EXPECT_NE(get("/metrics").body.find("outcome=\"client_gone\""), std::string::npos);
}

TEST_F(WholeKeeper, AClientThatLeavesAfterItsEngineWasLostIsToldAsOneThatLeft) {
  const Result<net::ClientExchange> busy = begin("stand still", {{"x-rbee-worker", "w2"}});
  ASSERT_TRUE(busy);
  until([&] { return get("/healthz").status == 200 && engines_[1]->asked > 0; });
  {
    Result<net::ClientExchange> exchange = begin("end before the head");
    ASSERT_TRUE(exchange);
    until([&] { return metrics_say("rbee_requests_waiting 1"); });
    exchange->close();
  }
  until([&] {
    return metrics_say(R"(rbee_requests_total{model="demo",outcome="client_gone",worker="w1"} 1)");
  });
}

TEST_F(WholeKeeper, EachStreamOfEventsHasSignsThatItWaits) {
  const std::vector<net::ClientExchange> busy = keep_busy();
  for (const auto& [target, more] : std::to_array<std::pair<const char*, const char*>>({
           {"/v1/chat/completions", R"("messages":[])"},
           {"/completion", R"("prompt":"x")"},
           {"/v1/responses", R"("input":"x")"},
           {"/v1/completions", R"("logprobs":1,"prompt":"x")"},
           {"/v1/messages", R"("messages":[],"output_config":{"format":{"type":"json_schema","schema":{}}})"},
       })) {
    const std::string body = cat(R"({"model":"demo","stream":true,)", more, "}");
    Result<net::ClientExchange> exchange = begin_at(target, body);
    ASSERT_TRUE(exchange);
    EXPECT_TRUE(first_of(*exchange).starts_with(": waiting\n\n")) << target;
    exchange->close();
  }
}

TEST_F(WholeKeeper, WhatComesWholeHasNoSignsThatItWaitsWhateverItsBodySays) {
  std::vector<net::ClientExchange> busy = keep_busy();
  Result<net::ClientExchange> whole =
      begin_at("/tokenize", R"({"model":"demo","stream":true,"content":"x"})");
  // It came later and waits as well, so the other one would have had a sign before it.
  Result<net::ClientExchange> stream =
      begin_at("/v1/completions", R"({"model":"demo","stream":true,"prompt":"x"})");
  ASSERT_TRUE(whole && stream);
  EXPECT_TRUE(first_of(*stream).starts_with(": waiting\n\n"));
  busy.clear();
  EXPECT_TRUE(first_of(*whole).starts_with("{"));
  EXPECT_EQ(whole->head().headers.find("Content-Type"), "application/json");
}

TEST_F(WholeKeeper, AnEngineLostBeforeItsFirstEventIsReplacedBehindSignsOfWaiting) {
  std::vector<net::ClientExchange> busy = keep_busy();
  Result<net::ClientExchange> exchange =
      begin_at("/v1/completions",
               R"({"model":"demo","stream":true,"logprobs":1,"act":"lose the first","prompt":"x"})");
  ASSERT_TRUE(exchange);
  EXPECT_TRUE(first_of(*exchange).starts_with(": waiting\n\n"));
  busy.erase(busy.begin());
  until([&] { return get("/healthz").status == 200 && engines_[0]->asked == 2; });
  busy.clear();
  const Result<std::string> rest = client_.block_on(exchange->read_all(flood_bytes, soon));
  ASSERT_TRUE(rest) << rest.error().message;
  EXPECT_NE(rest->find("predicted_n"), std::string::npos) << *rest;
  EXPECT_EQ(rest->find("error"), std::string::npos) << *rest;
}

TEST_F(WholeKeeper, AClientThatReadsSlowlyHoldsTheEngineBack) {
  const std::string body = R"({"model":"demo","messages":[],"act":"flood"})";
  net::ClientRequest request{.method = "POST", .target = "/v1/chat/completions", .body = body};
  Result<net::ClientExchange> exchange =
      client_.block_on(net::ClientExchange::send(client_, keeper_->endpoint(), std::move(request), soon));
  ASSERT_TRUE(exchange);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_LT(engines_[0]->written, flood_bytes / 2);
  const Result<std::string> rest = client_.block_on(exchange->read_all(2 * flood_bytes, soon));
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->size(), flood_bytes);
}

TEST_F(WholeKeeper, EachWrongRequestGetsItsAnswer) {
  const auto code = [](const Answer& answer) {
    const Result<Json> json = parse_json(answer.body);
    return cat(answer.status, ' ', json ? text_of(get_array(*json, "error"), "code") : answer.body);
  };
  EXPECT_EQ(code(post("/v1/chat/completions", R"({"model":"dmo","messages":[]})")), "404 unknown_model");
  EXPECT_EQ(code(post("/v1/chat/completions", R"({"model":"demo")")), "400 bad_json");
  EXPECT_EQ(code(post("/v1/chat/completions", "{}")), "400 bad_request");
  EXPECT_EQ(code(post("/v1/audio/speech", R"({"model":"demo"})")), "501 unsupported");
  EXPECT_EQ(code(get("/v1/chat/completions")), "400 bad_request");
  EXPECT_EQ(code(get("/nowhere")), "404 unknown_name");
  EXPECT_EQ(code(get("/healthz", {{"Origin", "https://evil.example"}})), "403 not_allowed");
  EXPECT_EQ(code(get("/api/v1/workers?limit=0")), "400 bad_request");
  EXPECT_EQ(code(get("/api/v1/workers?state=sleepy")), "400 bad_usage");
  EXPECT_EQ(code(get("/api/v1/workers?backend=abacus")), "400 bad_usage");
  EXPECT_EQ(code(post("/api/v1/workers/nobody/stop", "")), "404 unknown_name");
  const Answer unknown = post("/v1/chat/completions", R"({"model":"dmo","messages":[]})");
  EXPECT_EQ(unknown.headers.find("x-should-retry"), "false");
  const Answer anthropic = post("/v1/messages", R"({"model":"dmo","messages":[]})");
  EXPECT_TRUE(anthropic.body.starts_with(R"({"type":"error","error":{"type":"not_found_error")"))
      << anthropic.body;
}

// As a chat its tools have more to them.
TEST_F(WholeKeeper, AMessageThatBecomesAChatHasTheLimitsOfAChat) {
  const auto status = [&](std::size_t tools) {
    std::string list = R"({"name":"t","input_schema":{}})";
    for (std::size_t i = 1; i < tools; ++i) list += R"(,{"name":"t","input_schema":{}})";
    return post("/v1/messages",
                cat(R"({"model":"demo","messages":[],"output_config":{"format":{"type":"json_schema",)",
                    R"("schema":{}}},"tools":[)", list, "]}"))
        .status;
  };
  EXPECT_NE(status(1), 400);
  EXPECT_EQ(status(30'000), 400);
}

TEST_F(WholeKeeper, ADownloadThatItsHiveDoesNotEndIsAFailureToOllamasClients) {
  constexpr std::string_view lost = R"({"error":"Hive 'box' was lost before the download had ended.)";
  const Answer whole = post("/api/pull", R"({"model":"demo","stream":false})");
  EXPECT_EQ(whole.status, 503);
  EXPECT_TRUE(whole.body.starts_with(lost)) << whole.body;
  const Answer streamed = post("/api/pull", R"({"model":"demo"})");
  EXPECT_TRUE(streamed.whole);
  EXPECT_TRUE(streamed.body.starts_with(R"({"status":"pulling model")")) << streamed.body;
  EXPECT_NE(streamed.body.find(cat("\n", lost)), std::string::npos) << streamed.body;
}

TEST_F(WholeKeeper, ListsComeFromTheHivesReport) {
  EXPECT_NE(get("/v1/models").body.find(R"("id":"demo-q8")"), std::string::npos);
  EXPECT_EQ(get("/v1/models/demo").status, 200);
  EXPECT_EQ(get("/v1/models/other").status, 404);
  const Result<Json> status = parse_json(get("/api/v1/status").body);
  ASSERT_TRUE(status);
  EXPECT_EQ((*status)["workers"].size(), 2u);
  EXPECT_EQ((*status)["hives"][0]["state"], "up");
  EXPECT_EQ(get("/api/v1/workers/w1").status, 200);
  EXPECT_EQ(get("/api/v1/hives/box/machine").status, 200);
  EXPECT_EQ(get("/api/v1/openapi.json").status, 200);
}

TEST_F(WholeKeeper, AnAddressOffLoopbackNeedsAnApiKey) {
  KeeperOptions options{.state_folder = folder_ / "other", .version = "test"};
  options.listen = net::Endpoint{.address = "0.0.0.0", .port = 0};
  Keeper other(runtime_, clock_, random_, Log::none(), options);
  const Result<void> started = other.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::not_allowed);
  EXPECT_NE(started.error().hint.find("rbee key add NAME"), std::string::npos);
}

}  // namespace
}  // namespace rbee::keeper
