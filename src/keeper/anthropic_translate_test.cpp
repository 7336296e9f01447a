#include "base/json.h"
#include "base/text.h"
#include "keeper/anthropic_answer.h"
#include "keeper/anthropic_request.h"
#include "keeper/api_error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace rbee::keeper {
namespace {

constexpr std::string_view wish =
    R"("output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}})";

// What the engine is asked, "nothing", or the name of the error.
std::string asked(std::string_view fields) {
  const Result<std::optional<AnthropicChat>> chat = chat_of_message(cat("{", fields, "}"));
  if (!chat) return std::string(info(chat.error().code).name);
  return *chat ? (*chat)->body : "nothing";
}

TEST(AnthropicRequest, IsAChatOnlyWhereItWantsASchema) {
  EXPECT_EQ(asked(R"("model":"m","messages":[])"), "nothing");
  EXPECT_EQ(asked(R"("output_config":{"effort":"low"},"messages":[])"), "nothing");
  const std::string chat = R"({"model":"m","stream":false,"messages":[],"max_tokens":5,)"
                           R"("response_format":{"type":"json_schema",)"
                           R"("json_schema":{"name":"answer","schema":{"type":"object"}}}})";
  EXPECT_EQ(asked(cat(R"("model":"m","max_tokens":5,"messages":[],)", wish)), chat);
  EXPECT_EQ(asked(R"("model":"m","max_tokens":5,"messages":[],)"
                  R"("output_format":{"type":"json_schema","schema":{"type":"object"}})"),
            chat);
  EXPECT_EQ(asked(R"("messages":[],"output_format":{"type":"xml"})"), "unsupported");
  EXPECT_EQ(asked(cat(R"("messages":7,)", wish)), "bad_request");
}

TEST(AnthropicRequest, HasItsMessagesInAChatsWords) {
  const auto messages = [](std::string_view list, std::string_view more = "") {
    const std::string body = asked(cat(R"("messages":[)", list, "],", more, wish));
    const std::size_t from = body.find(R"("messages":)");
    return body.substr(from, body.find(R"(,"response_format")") - from);
  };
  EXPECT_EQ(messages(R"({"role":"user","content":"a"})", R"("system":[{"type":"text","text":"s"}],)"),
            R"("messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}])");
  EXPECT_EQ(messages(R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})"),
            R"("messages":[{"role":"user","content":"ab"}])");
  EXPECT_EQ(messages(R"({"role":"user","content":[{"type":"image","source":)"
                     R"({"type":"base64","media_type":"image/png","data":"iV"}}]})"),
            R"("messages":[{"role":"user","content":[{"type":"image_url",)"
            R"("image_url":{"url":"data:image/png;base64,iV"}}]}])");
  EXPECT_EQ(messages(R"({"role":"assistant","content":[{"type":"thinking","thinking":"t"},)"
                     R"({"type":"tool_use","id":"1","name":"n","input":{"x":1}}]})"),
            R"("messages":[{"role":"assistant","content":"","tool_calls":[{"id":"1","type":"function",)"
            R"("function":{"name":"n","arguments":"{\"x\":1}"}}],"reasoning_content":"t"}])");
  EXPECT_EQ(
      messages(R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"7"},)"
               R"({"type":"text","text":"so"}]})"),
      R"("messages":[{"role":"tool","tool_call_id":"1","content":"7"},{"role":"user","content":"so"}])");
}

TEST(AnthropicRequest, HasItsToolsAndLimitsInAChatsWords) {
  const std::string body = asked(cat(R"("messages":[],"stream":true,"stop_sequences":["x"],)"
                                     R"("thinking":{"type":"enabled","budget_tokens":9},)"
                                     R"("tools":[{"name":"n","input_schema":{"type":"object"}}],)"
                                     R"("tool_choice":{"type":"any","disable_parallel_tool_use":true},)",
                                     wish));
  for (const char* part : {R"("stream":true)", R"("stream_options":{"include_usage":true})",
                           R"("stop":["x"])", R"("thinking_budget_tokens":9)",
                           R"("function":{"name":"n","description":"","parameters":{"type":"object"}})",
                           R"("tool_choice":"required","parallel_tool_calls":false)"})
    EXPECT_NE(body.find(part), std::string::npos) << part << '\n' << body;
}

TEST(AnthropicAnswers, AreAMessageWhereTheyComeWhole) {
  AnthropicAnswer answer("m");
  const Result<std::string> told = answer.whole(
      R"({"id":"i","choices":[{"finish_reason":"tool_calls","message":{"reasoning_content":"t",)"
      R"("content":"c",)"
      R"("tool_calls":[{"id":"1","function":{"name":"n","arguments":"{\"x\":1}"}}]}}],)"
      R"("usage":{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}})");
  ASSERT_TRUE(told);
  EXPECT_EQ(*told, R"({"id":"i","type":"message","role":"assistant","content":[)"
                   R"({"type":"thinking","thinking":"t","signature":""},{"type":"text","text":"c"},)"
                   R"({"type":"tool_use","id":"1","name":"n","input":{"x":1}}],"model":"m",)"
                   R"("stop_reason":"tool_use","stop_sequence":null,)"
                   R"("usage":{"cache_read_input_tokens":3,"input_tokens":2,"output_tokens":2}})");
  EXPECT_EQ(answer.whole("<html>").error().code, ErrorCode::engine_failed);
  EXPECT_EQ(answer.whole(R"({"choices":[]})").error().code, ErrorCode::engine_failed);
}

std::string chunk(std::string_view delta, std::string_view finish = "null", std::string_view more = "") {
  return cat(R"(data: {"id":"i","choices":[{"finish_reason":)", finish, R"(,"delta":)", delta, "}]", more,
             "}\n\n");
}

// The types of the events, with the index of a block and what grows of it.
std::string outline(std::string_view events) {
  std::string out;
  for (std::size_t at = 0; (at = events.find("data: ", at)) != std::string_view::npos; ++at) {
    const Result<Json> event = parse_json(events.substr(at + 6, events.find('\n', at) - at - 6));
    if (!event) return "no JSON";
    out += cat(out.empty() ? "" : " ", get_string(*event, "type").value_or("?"));
    if (const std::optional<std::int64_t> index = get_int(*event, "index")) out += cat(":", *index);
  }
  return out;
}

TEST(AnthropicAnswers, InAStreamHaveBlocksThatBeginGrowAndEnd) {
  AnthropicAnswer answer("m");
  EXPECT_EQ(answer.events(chunk(R"({"role":"assistant","content":null})")), "");
  EXPECT_EQ(outline(answer.events(chunk(R"({"reasoning_content":"t"})"))),
            "message_start content_block_start:0 content_block_delta:0");
  EXPECT_EQ(outline(answer.events(chunk(R"({"content":"c"})") + chunk(R"({"content":"d"})"))),
            "content_block_delta:0 content_block_stop:0 content_block_start:1 content_block_delta:1 "
            "content_block_delta:1");
  EXPECT_EQ(outline(answer.events(
                chunk(R"({"tool_calls":[{"index":0,"id":"1","function":{"name":"n","arguments":"{"}}]})") +
                chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"}"}}]})") +
                chunk(R"({"tool_calls":[{"index":1,"id":"2","function":{"name":"n"}}]})"))),
            "content_block_stop:1 content_block_start:2 content_block_delta:2 content_block_delta:2 "
            "content_block_stop:2 content_block_start:3");
  const std::string end =
      answer.events(chunk("{}", R"("length")") +
                    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n"
                    "data: [DONE]\n\n");
  EXPECT_EQ(outline(end), "content_block_stop:3 message_delta message_stop");
  EXPECT_NE(end.find(R"("stop_reason":"max_tokens")"), std::string::npos) << end;
  EXPECT_NE(end.find(R"("output_tokens":2)"), std::string::npos) << end;
}

TEST(AnthropicAnswers, TellOfThePromptAsTheyBegin) {
  AnthropicAnswer answer("m");
  const std::string begun =
      answer.events(chunk(R"({"content":"c"})", "null", R"(,"timings":{"cache_n":3,"prompt_n":4})"));
  EXPECT_NE(begun.find(R"("usage":{"cache_read_input_tokens":3,"input_tokens":4)"), std::string::npos)
      << begun;
}

TEST(AnthropicAnswers, EndWithTheErrorOfAnEngineAndNothingBehindIt) {
  AnthropicAnswer answer("m");
  EXPECT_EQ(answer.events("data: {\"error\":{\"message\":\"No.\"}}\n\ndata: [DONE]\n\n"),
            error_event(Api::anthropic, Error{ErrorCode::engine_failed, "No.", {}, {}}));
}

TEST(AnthropicAnswers, ThatBeginAnewForgetWhatAnotherEngineBegan) {
  AnthropicAnswer answer("m");
  static_cast<void>(answer.events(chunk(R"({"content":"c"})")));
  answer.begin_again();
  EXPECT_EQ(outline(answer.events(chunk(R"({"content":"c"})"))),
            "message_start content_block_start:0 content_block_delta:0");
}

}  // namespace
}  // namespace rbee::keeper
