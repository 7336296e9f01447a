// What clients are told, and what passes between them and engines: error forms, header fields, the Host
// check, routes and usage.
#include "base/text.h"
#include "keeper/api_error.h"
#include "keeper/header_filter.h"
#include "keeper/host_check.h"
#include "keeper/routes.h"
#include "keeper/usage.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace rbee::keeper {
namespace {

TEST(ApiError, EachApiHasItsForm) {
  EXPECT_EQ(api_of("/v1/chat/completions"), Api::openai);
  EXPECT_EQ(api_of("/tokenize"), Api::openai);
  EXPECT_EQ(api_of("/v1/messages"), Api::anthropic);
  EXPECT_EQ(api_of("/v1/messages/count_tokens"), Api::anthropic);
  EXPECT_EQ(api_of("/v1/messagesx"), Api::openai);
  EXPECT_EQ(api_of("/api/v1/status"), Api::rbee);
  EXPECT_EQ(api_of("/api/tags"), Api::ollama);
  const Error error{ErrorCode::unknown_model, "There is no model 'x'.", "Did you mean 'y'?", {}};
  EXPECT_EQ(
      error_body(Api::openai, error),
      R"({"error":{"message":"There is no model 'x'. Did you mean 'y'?","type":"invalid_request_error",)"
      R"("param":"model","code":"unknown_model","hint":"Did you mean 'y'?"}})");
  EXPECT_EQ(error_body(Api::anthropic, error), R"({"type":"error","error":{"type":"not_found_error",)"
                                               R"("message":"There is no model 'x'. Did you mean 'y'?"}})");
  EXPECT_EQ(
      error_body(Api::rbee, error),
      R"({"error":{"code":"unknown_model","message":"There is no model 'x'.","hint":"Did you mean 'y'?"}})");
}

TEST(ApiError, AnEnginesRefusalIsInTheFormOfTheApi) {
  const std::string_view own =
      R"({"error":{"code":400,"message":"Too long.","type":"exceed_context_size_error"}})";
  EXPECT_EQ(engine_error_body(Api::openai, 400, own),
            R"({"error":{"message":"Too long.","type":"exceed_context_size_error","param":null,)"
            R"("code":"context_length_exceeded","hint":""}})");
  EXPECT_EQ(engine_error_body(Api::rbee, 400, own), std::nullopt);
  EXPECT_EQ(engine_error_body(Api::ollama, 400, own), R"({"error":"Too long."})");
  EXPECT_EQ(engine_error_body(Api::anthropic, 400, own),
            R"({"type":"error","error":{"type":"invalid_request_error","message":"Too long."}})");
  EXPECT_EQ(engine_error_body(Api::anthropic, 500, "<html>"), std::nullopt);
}

TEST(ApiError, WhatAnEngineSaysOfHowItIsStartedIsLeftOut) {
  const std::string_view own =
      R"({"error":{"code":501,"type":"not_supported_error",)"
      R"("message":"This server does not support embeddings. Start it with `--embeddings`"}})";
  EXPECT_EQ(engine_error_body(Api::openai, 501, own),
            R"({"error":{"message":"This server does not support embeddings.","type":"not_supported_error",)"
            R"("param":null,"code":"unsupported","hint":""}})");
  EXPECT_EQ(engine_error_body(Api::ollama, 501, own),
            R"({"error":"This server does not support embeddings."})");
}

TEST(ApiError, AnEnginesErrorInAStreamIsFoundWhateverStandsBeforeIt) {
  const std::string_view events =
      "event: ping\ndata: {}\n\n"
      "event: error\ndata: {\"code\":500,\"message\":\"Full.\"}\n\n";
  const std::optional<Error> error = engine_error_in(events);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->message, "Full.");
  EXPECT_FALSE(engine_error_in("event: ping\ndata: {\"x\":\"event: error\"}\n\n"));
}

TEST(ApiError, AnEngineThatFailsWithoutAWordIsToldAsAFailure) {
  for (const std::string_view error : {"{}", R"({"message":""})", R"({"message":5})"}) {
    const std::optional<Error> told = engine_error_in(cat("event: error\ndata: ", error, "\n\n"));
    ASSERT_TRUE(told) << error;
    EXPECT_EQ(told->message, "The engine failed.") << error;
    EXPECT_EQ(engine_error_body(Api::ollama, 500, cat(R"({"error":)", error, "}")),
              R"({"error":"The engine failed."})")
        << error;
  }
}

TEST(ApiError, AStreamOfResponsesIsToldByItsOwnEvent) {
  EXPECT_EQ(error_event(Api::responses, {ErrorCode::worker_lost, "Gone.", "Again.", {}}),
            "event: error\ndata: "
            R"({"type":"error","code":"worker_lost","message":"Gone. Again.","param":null})"
            "\n\n");
  EXPECT_EQ(error_event(Api::ollama, {ErrorCode::worker_lost, "Gone.", "Again.", {}}),
            "{\"error\":\"Gone. Again.\"}\n");
}

TEST(ApiError, AStreamIsToldInOneEvent) {
  const std::string event = error_event(Api::openai, {ErrorCode::worker_lost, "Gone.", "Again.", {}});
  EXPECT_TRUE(event.starts_with("data: {\"error\"")) << event;
  EXPECT_TRUE(event.ends_with("\n\n"));
  EXPECT_EQ(std::ranges::count(event, '\n'), 2);
  EXPECT_TRUE(
      error_event(Api::anthropic, {ErrorCode::worker_lost, "Gone."}).starts_with("event: error\ndata: "));
}

std::string passed(const net::Headers& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += cat(name, '=', value, ' ');
  return names;
}

TEST(HeaderFilter, AnEngineSeesNoKeysNoCookiesAndNoConversation) {
  EXPECT_EQ(passed(to_engine({{"Content-Type", "application/json"},
                              {"ACCEPT", "*/*"},
                              {"Authorization", "Bearer k"},
                              {"Cookie", "c"},
                              {"x-api-key", "k"},
                              {"X-Conversation-Id", "i"},
                              {"Host", "h"},
                              {"Connection", "close"},
                              {"Content-Length", "3"},
                              {"User-Agent", "u"}})),
            "Content-Type=application/json ACCEPT=*/* ");
}

TEST(HeaderFilter, AClientSeesNothingOfTheEnginesOwnConnection) {
  EXPECT_EQ(passed(to_client({{"Server", "llama.cpp"},
                              {"Keep-Alive", "timeout=5"},
                              {"Connection", "close"},
                              {"Access-Control-Allow-Origin", "*"},
                              {"Content-Type", "text/event-stream"},
                              {"Transfer-Encoding", "chunked"},
                              {"X-Accel-Buffering", "no"},
                              {"X-Rbee-Worker", "fake"}})),
            "Content-Type=text/event-stream Transfer-Encoding=chunked X-Accel-Buffering=no ");
}

bool meant_for_us(net::Headers headers, int minor_version = 1) {
  net::RequestHead head;
  head.headers = std::move(headers);
  head.minor_version = minor_version;
  return static_cast<bool>(check_host(head));
}

std::string page(net::Headers headers, const std::vector<std::string>& allowed = {}) {
  net::RequestHead head;
  head.headers = std::move(headers);
  const Result<Page> found = page_of(head, allowed);
  if (!found) return std::string(info(found.error().code).name);
  return *found == Page::none ? "none" : *found == Page::own ? "own" : "allowed";
}

TEST(HostCheck, OnlyNamesOfThisMachinePass) {
  for (const char* host :
       {"localhost", "LocalHost:7833", "127.0.0.1", "127.0.0.1:80", "127.1.2.3:1", "[::1]", "[::1]:7833"}) {
    EXPECT_TRUE(meant_for_us({{"Host", host}})) << host;
  }
  for (const char* host :
       {"evil.example", "evil.example:7833", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1",
        "0.0.0.0", "", "[::2]:80", "127.0.0.1:x", "localhost:99999", "[::1"}) {
    EXPECT_FALSE(meant_for_us({{"Host", host}})) << host;
  }
  EXPECT_TRUE(meant_for_us({}, 0)) << "HTTP/1.0 knows no Host";
  EXPECT_FALSE(meant_for_us({}, 1));
}

TEST(HostCheck, APageOfAnotherSiteMayNotAsk) {
  EXPECT_EQ(page({{"Host", "localhost"}}), "none");
  EXPECT_EQ(page({{"Host", "localhost"}, {"Origin", "http://localhost:3000"}}), "own");
  EXPECT_EQ(page({{"Host", "10.0.0.1:7833"}, {"Origin", "https://10.0.0.1:7833"}}), "own");
  for (const char* other : {"https://evil.example", "null", "", "http://localhost.evil.example", "localhost"})
    EXPECT_EQ(page({{"Host", "localhost"}, {"Origin", other}}), "not_allowed") << other;
  EXPECT_EQ(page({{"Host", "10.0.0.1"}, {"Origin", "http://localhost:3000"}}), "not_allowed");
}

TEST(HostCheck, PagesThatTheUserNamedMayAsk) {
  const std::vector<std::string> chat = {"https://chat.example"};
  EXPECT_EQ(page({{"Host", "localhost"}, {"Origin", "https://Chat.example"}}, chat), "allowed");
  for (const char* other : {"http://chat.example", "https://chat.example:8443", "https://chat.example.evil"})
    EXPECT_EQ(page({{"Host", "localhost"}, {"Origin", other}}, chat), "not_allowed") << other;
  EXPECT_EQ(page({{"Host", "localhost"}, {"Origin", "null"}}, {"*"}), "allowed");
}

TEST(Routes, NamesAreTakenOutOfThePath) {
  const RouteResult found = route("DELETE", "/api/v1/hives/box/models/llama-q4");
  ASSERT_NE(found.routed(), nullptr);
  EXPECT_EQ(found.routed()->id, RouteId::model_remove);
  EXPECT_EQ(found.routed()->names, (std::vector<std::string>{"box", "llama-q4"}));
}

TEST(Routes, AnotherMethodIsToldApartFromNoPath) {
  EXPECT_EQ(route("GET", "/v1/chat/completions").allowed(), "POST");
  EXPECT_EQ(route("POST", "/v1/audio/speech").allowed(), "");
  EXPECT_EQ(route("GET", "/api/v1/workers/").routed(), nullptr);
}

TEST(Routes, TheDescriptionNamesEveryPath) {
  const std::string text = openapi("1.2.3");
  for (const char* part : {R"("/v1/chat/completions":{"post")", R"("/api/v1/workers/{worker}":{"get")",
                           R"("delete")", R"("version":"1.2.3")", R"("name":"worker","in":"path")"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

TEST(Usage, TheLastTimingsCountHoweverTheyAreCut) {
  const std::string answer = cat(
      R"({"timings":{"cache_n":1,"prompt_n":2,"predicted_n":3}})", std::string(3000, 'x'),
      R"({"timings":{"cache_n":16,"prompt_n":1,"prompt_ms":2.5,"predicted_n":64}})", "\n\ndata: [DONE]\n\n");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, answer.size()}) {
    UsageReader reader;
    for (std::size_t at = 0; at < answer.size(); at += piece)
      reader.pass(std::string_view(answer).substr(at, piece));
    EXPECT_EQ(reader.usage().prompt_tokens, 17u) << piece;
    EXPECT_EQ(reader.usage().tokens, 64u) << piece;
  }
  EXPECT_EQ(UsageReader().usage().tokens, 0u);
}

// "prompt/cached/made", the same however the answer is cut.
std::string told_by(std::string_view answer) {
  std::string told;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, answer.size()}) {
    UsageReader reader;
    for (std::size_t at = 0; at < answer.size(); at += piece) reader.pass(answer.substr(at, piece));
    const Usage usage = reader.usage();
    const std::string now = cat(usage.prompt_tokens, '/', usage.cached_tokens, '/', usage.tokens);
    if (!told.empty() && now != told) return cat(told, " but in pieces of ", piece, ' ', now);
    told = now;
  }
  return told;
}

// As llama-server writes them, shortened.
TEST(Usage, AnAnswerWithoutTimingsIsCountedByItsUsage) {
  EXPECT_EQ(told_by(R"({"content":[{"text":"\"usage\":{"}],"stop_sequence":null,"usage":)"
                    R"({"cache_read_input_tokens":16,"input_tokens":1,"output_tokens":4}})"),
            "17/16/4");
  EXPECT_EQ(told_by(cat(R"(data: {"type":"message_start","message":{"content":[],"usage":)",
                        R"({"cache_read_input_tokens":16,"input_tokens":1,"output_tokens":0}}})", "\n\n",
                        R"(data: {"type":"content_block_delta","delta":{"text":"a"}})", "\n\n",
                        R"(data: {"type":"message_delta","delta":{},"usage":{"output_tokens":4}})", "\n\n")),
            "17/16/4");
  EXPECT_EQ(told_by(R"({"object":"response","usage":{"input_tokens":17,"output_tokens":4,"total_tokens":21,)"
                    R"("input_tokens_details":{"cached_tokens":16}}})"),
            "17/16/4");
  EXPECT_EQ(told_by(R"({"object":"list","usage":{"prompt_tokens":3,"total_tokens":3},"data":[]})"), "3/0/0");
}

TEST(Usage, TimingsCountBeforeUsageWhicheverComesLast) {
  constexpr std::string_view timings = R"("timings":{"cache_n":16,"prompt_n":1,"predicted_n":4})";
  constexpr std::string_view usage = R"("usage":{"completion_tokens":9,"prompt_tokens":9})";
  EXPECT_EQ(told_by(cat("{", usage, ",", timings, "}")), "17/16/4");
  EXPECT_EQ(told_by(cat("{", timings, ",", usage, "}")), "17/16/4");
}

TEST(Usage, AFigureThatIsNoCountIsNone) {
  UsageReader reader;
  reader.pass(
      R"({"timings":{"cache_n":-1,"prompt_n":2,"prompt_ms":nan,"predicted_n":3,"predicted_ms":-inf}})");
  const Usage usage = reader.usage();
  EXPECT_EQ(usage.prompt_tokens, 2u);
  EXPECT_EQ(usage.prompt_ms, 0);
  EXPECT_EQ(usage.tokens_ms, 0);
}

}  // namespace
}  // namespace rbee::keeper
