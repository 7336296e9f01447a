#include "keeper/resume.h"

#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <charconv>

namespace rbee::keeper {
namespace {

using ::testing::HasSubstr;

// Events as an engine writes them, shortened to what matters.
std::string event(std::string_view data) { return cat("data: ", data, "\n\n"); }
std::string delta(std::string_view delta, std::string_view id = "chatcmpl-1") {
  return event(cat(R"({"choices":[{"finish_reason":null,"index":0,"delta":)", delta,
                   R"(}],"created":7,"id":")", id, R"(","model":"m","object":"chat.completion.chunk"})"));
}
std::string said(std::string_view text, std::string_view id = "chatcmpl-1") {
  return delta(cat(R"({"content":")", text, R"("})"), id);
}
std::string opening(std::string_view id = "chatcmpl-1") {
  return delta(R"({"role":"assistant","content":null})", id);
}
std::string chunk(std::string_view bytes) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, bytes.size(), 16).ptr;
  return cat(std::string_view(digits, end), "\r\n", bytes, "\r\n");
}

ToldSoFar told_by(std::string_view events, Dialect dialect = Dialect::chat) {
  StreamSoFar so_far(dialect);
  so_far.add(events, false);
  return so_far.told();
}

constexpr std::string_view asked =
    R"({"model":"m","stream":true,"max_tokens":10,"messages":[{"role":"user","content":"Hi"}]})";

// The last message and the limit of what would be asked for, or why nothing is.
std::string continued(std::string_view body, const ToldSoFar& told, Dialect dialect = Dialect::chat) {
  const Result<std::string> request = continued_request(dialect, body, told);
  if (!request) return request.error().message;
  const Json json = *parse_json(*request);
  return json.contains("messages") ? cat(dump_json(json["messages"].back()), " ", json["messages"].size())
                                   : dump_json(json);
}

// All that the client gets of the second stream, fed in pieces of `size` bytes.
std::string passed(const ToldSoFar& told, std::string_view stream, std::size_t size = 1 << 20,
                   Dialect dialect = Dialect::chat) {
  Seam seam(dialect, told);
  std::string out;
  while (!stream.empty()) {
    const std::string_view piece = stream.substr(0, size);
    stream.remove_prefix(piece.size());
    const Result<std::string> part = seam.pass(piece, false);
    if (!part) return part.error().message;
    out += *part;
  }
  const Result<std::string> end = seam.pass("", true);
  return end ? out + *end : end.error().message;
}

TEST(StreamSoFar, ChunksAndPlainEventsGiveTheSame) {
  StreamSoFar so_far(Dialect::chat);
  so_far.add(cat(chunk(opening()), chunk(said("One "))), true);
  so_far.add(chunk(said("two")), true);
  so_far.add(said(" three"), false);
  const ToldSoFar& told = so_far.told();
  EXPECT_EQ(told.text, "One two three");
  EXPECT_EQ(told.tokens, 3u);
  EXPECT_EQ(told.id, R"("chatcmpl-1")");
  EXPECT_TRUE(told.begun);
  EXPECT_FALSE(told.ended);
  EXPECT_EQ(told.obstacle, "");
}

TEST(StreamSoFar, ALongAnswerIsFoldedAndCostsItsTextAlone) {
  StreamSoFar so_far(Dialect::chat);
  const std::string one = chunk(said("word "));
  const std::size_t count = 3 * StreamSoFar::fold_at_bytes / one.size();
  for (std::size_t i = 0; i < count; ++i) so_far.add(one, true);
  EXPECT_EQ(so_far.told().text.size(), count * 5);
  EXPECT_EQ(so_far.told().tokens, count);
}

TEST(StreamSoFar, TextBeyondTheLimitIsNotKept) {
  StreamSoFar so_far(Dialect::chat);
  const std::string big = said(std::string(1u << 20, 'x'));
  for (std::size_t i = 0; i <= StreamSoFar::most_text_bytes >> 20; ++i) so_far.add(big, false);
  EXPECT_THAT(so_far.told().obstacle, HasSubstr("longer than"));
  EXPECT_EQ(so_far.told().text, "");
}

TEST(StreamSoFar, AnEventThatIsCutIsAnObstacle) {
  EXPECT_EQ(told_by(cat(said("One"), "data: {\"cho")).obstacle, "an event of it is cut");
  StreamSoFar cut_chunk(Dialect::chat);
  cut_chunk.add("ff\r\ndata: {", true);
  EXPECT_EQ(cut_chunk.told().obstacle, "an event of it is cut");
}

TEST(StreamSoFar, WhatEndedHasNothingToGoOnWith) {
  const std::string end = event(R"({"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"id":"x"})");
  EXPECT_TRUE(told_by(cat(said("One"), end)).ended);
  EXPECT_TRUE(told_by(cat(said("One"), event("[DONE]"))).ended);
  EXPECT_TRUE(told_by(event(R"({"error":{"message":"Context size has been exceeded."}})")).ended);
}

TEST(Resume, TextSoFarIsTheBeginningOfTheAnswer) {
  EXPECT_EQ(continued(asked, told_by(cat(opening(), said("Hello"), said(" you")))),
            R"({"role":"assistant","content":"Hello you"} 2)");
}

TEST(Resume, NothingSaidIsAskedAsItWas) {
  const Result<std::string> request = continued_request(Dialect::chat, asked, told_by(opening()));
  ASSERT_TRUE(request);
  EXPECT_EQ(*request, asked);
}

TEST(Resume, AThoughtIsGivenBackWithTheText) {
  const std::string thought = delta(R"({"reasoning_content":"Hm."})");
  EXPECT_EQ(continued(asked, told_by(cat(opening(), thought))),
            R"({"role":"assistant","reasoning_content":"Hm.","content":""} 2)");
  EXPECT_EQ(continued(asked, told_by(cat(opening(), thought, said("So")))),
            R"({"role":"assistant","reasoning_content":"Hm.","content":"So"} 2)");
}

// The engine repeats a client's beginning, so that it is part of what came.
TEST(Resume, AClientsOwnBeginningIsNotSaidTwice) {
  const std::string_view body =
      R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Dear "}]})";
  EXPECT_EQ(continued(body, told_by(said("Dear friend"))),
            R"({"role":"assistant","content":"Dear friend"} 2)");
}

TEST(Resume, LimitIsLessByWhatCame) {
  const Result<std::string> request =
      continued_request(Dialect::chat, asked, told_by(cat(opening(), said("a"), said("b"), said("c"))));
  ASSERT_TRUE(request);
  EXPECT_EQ(get_int(*parse_json(*request), "max_tokens"), 7);
}

// An engine makes at least one token.
TEST(Resume, WhereAllTokensCameOneMoreIsAskedForAndKeptBack) {
  const ToldSoFar all = told_by(cat(said("a"), said("b")));
  const std::string_view two = R"({"messages":[],"max_completion_tokens":2})";
  EXPECT_TRUE(has_all_tokens(two, all));
  EXPECT_FALSE(has_all_tokens(R"({"messages":[],"max_tokens":3})", all));
  EXPECT_FALSE(has_all_tokens(R"({"messages":[],"max_tokens":-1})", all));
  EXPECT_FALSE(has_all_tokens(R"({"messages":[]})", all));
  const Result<std::string> request = continued_request(Dialect::chat, two, all);
  ASSERT_TRUE(request);
  EXPECT_EQ(get_int(*parse_json(*request), "max_completion_tokens"), 1);
}

TEST(Resume, CompletionsGoOnBehindTheirPrompt) {
  const ToldSoFar told = told_by(event(R"({"choices":[{"text":" upon","index":0,"finish_reason":null}]})"),
                                 Dialect::completions);
  EXPECT_EQ(continued(R"({"prompt":"Once"})", told, Dialect::completions), R"({"prompt":"Once upon"})");
  EXPECT_THAT(continued(R"({"prompt":["a","b"]})", told, Dialect::completions), HasSubstr("no single text"));
}

TEST(Resume, WhatCannotGoOnSaysWhy) {
  const ToldSoFar told = told_by(said("x"));
  struct Case {
    std::string_view more, why;
  };
  for (const Case& c : {Case{R"("n":2)", "several answers"}, Case{R"("logprobs":true)", "log probabilities"},
                        Case{R"("grammar":"root ::= x")", "grammar"},
                        Case{R"("tool_choice":"required")", "must call a tool"}}) {
    const std::string body = cat(R"({"messages":[],)", c.more, "}");
    EXPECT_THAT(continued(body, told), HasSubstr(c.why)) << body;
  }
  EXPECT_THAT(continued(asked, told_by(delta(R"({"tool_calls":[{"index":0}]})"))),
              HasSubstr("it calls tools"));
  EXPECT_THAT(continued(asked, told_by(cat(said("x"), event("[DONE]")))), HasSubstr("it had ended"));
  // What does not stand against it.
  for (const std::string_view more : {R"("n":1)", R"("logprobs":false)", R"("tools":[],"tool_choice":"auto")",
                                      R"("response_format":{"type":"json_object"})"}) {
    EXPECT_THAT(continued(cat(R"({"messages":[],)", more, "}"), told), HasSubstr("assistant")) << more;
  }
}

TEST(Seam, SecondStreamGoesOnUnderTheNameOfTheFirst) {
  const ToldSoFar told = told_by(cat(opening(), said("One"), said(" two")));
  const std::string second = cat(opening("chatcmpl-2"), said("One two three", "chatcmpl-2"),
                                 said(" four", "chatcmpl-2"), event("[DONE]"));
  const std::string expected = cat(said(" three"), said(" four"), event("[DONE]"));
  for (const std::size_t size : {1u, 7u, 1u << 20}) EXPECT_EQ(passed(told, second, size), expected) << size;
}

TEST(Seam, WhereNothingWasSaidTheOpeningIsNotRepeated) {
  EXPECT_EQ(passed(told_by(opening()), cat(opening("chatcmpl-2"), said("One", "chatcmpl-2"))), said("One"));
  EXPECT_EQ(passed({}, cat(opening(), said("One"))), cat(opening(), said("One")));
}

TEST(Seam, ThoughtAndTextAreBothCutOff) {
  const ToldSoFar told = told_by(cat(opening(), delta(R"({"reasoning_content":"Hm."})"), said("So")));
  const std::string second = cat(delta(R"({"reasoning_content":"Hm."})"), said("So it"));
  EXPECT_EQ(passed(told, second), said(" it"));
}

TEST(Seam, AnotherTextIsNotPassedOnAsTheSameAnswer) {
  const ToldSoFar told = told_by(said("One two"));
  EXPECT_THAT(passed(told, said("One or two")), HasSubstr("did not repeat"));
  EXPECT_THAT(passed(told, said("One")), HasSubstr("did not repeat"));
}

TEST(Seam, UsageIsThatOfOneAnswer) {
  const ToldSoFar told = told_by(cat(said("a"), said("b"), said("c")));
  const std::string usage =
      event(R"({"choices":[],"usage":{"completion_tokens":5,"prompt_tokens":23,"total_tokens":28}})");
  EXPECT_EQ(
      passed(told, cat(said("abcd"), usage)),
      cat(said("d"),
          event(R"({"choices":[],"usage":{"completion_tokens":8,"prompt_tokens":20,"total_tokens":28}})")));
}

ToldSoFar complete(ToldSoFar told) {
  told.complete = true;
  return told;
}

TEST(Seam, OfAStreamThatHasAllItsTokensOnlyTheEndFollows) {
  const ToldSoFar told = complete(told_by(cat(opening(), said("One"), said(" two"))));
  const auto end = [](std::string_view reason) {
    return event(
        cat(R"({"choices":[{"finish_reason":")", reason, R"(","index":0,"delta":{}}],"id":"chatcmpl-1"})"));
  };
  const auto usage = [](int prompt, int made) {
    return event(cat(R"({"choices":[],"usage":{"completion_tokens":)", made, R"(,"prompt_tokens":)", prompt,
                     R"(,"total_tokens":)", prompt + made, "}}"));
  };
  for (const std::string_view reason : {"length", "stop"}) {
    const std::string second =
        cat(opening(), said("One two three"), end(reason), usage(12, 1), event("[DONE]"));
    EXPECT_EQ(passed(told, second), cat(end("length"), usage(10, 2), event("[DONE]")));
  }
}

TEST(Seam, AnthropicsBlockStaysOpen) {
  const auto typed = [](std::string_view type, std::string_view rest) {
    return net::format_sse(type, cat(R"({"type":")", type, "\"", rest, "}"));
  };
  const std::string start = typed("message_start", R"(,"message":{"id":"msg_1"})");
  const std::string block =
      typed("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})");
  const auto text = [&](std::string_view words) {
    return typed("content_block_delta",
                 cat(R"(,"index":0,"delta":{"type":"text_delta","text":")", words, R"("})"));
  };
  const std::string stop = typed("content_block_stop", R"(,"index":0)");
  const auto end = [&](int tokens) {
    return typed("message_delta",
                 cat(R"(,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":)", tokens, "}"));
  };
  const ToldSoFar told = told_by(cat(start, block, text("One"), text(" two")), Dialect::messages);
  EXPECT_EQ(told.text, "One two");
  const std::string second = cat(start, block, text("One two three"), stop, end(1));
  EXPECT_EQ(passed(told, second, 11, Dialect::messages), cat(text(" three"), stop, end(3)));
  EXPECT_EQ(
      continued(R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":9})", told, Dialect::messages),
      R"({"role":"assistant","content":[{"type":"text","text":"One two"}]} 2)");
}

// Anthropic's events, and those of /v1/responses, name their type twice.
std::string typed(std::string_view type, std::string_view rest) {
  return net::format_sse(type, cat(R"({"type":")", type, "\"", rest, "}"));
}

TEST(Seam, AnthropicsThoughtGoesOnInItsBlockAndTheTextInItsOwn) {
  const std::string start = typed("message_start", R"(,"message":{"id":"msg_1"})");
  const auto opens = [](int index, std::string_view kind) {
    return typed("content_block_start",
                 cat(R"(,"index":)", index, R"(,"content_block":{"type":")", kind, R"("})"));
  };
  const auto says = [](int index, std::string_view key, std::string_view words) {
    return typed("content_block_delta",
                 cat(R"(,"index":)", index, R"(,"delta":{")", key, R"(":")", words, R"("})"));
  };
  const ToldSoFar thinks =
      told_by(cat(start, opens(0, "thinking"), says(0, "thinking", "Hm")), Dialect::messages);
  EXPECT_EQ(thinks.obstacle, "");
  EXPECT_EQ(continued(R"({"messages":[{"role":"user","content":"Hi"}]})", thinks, Dialect::messages),
            R"({"role":"assistant","content":[{"type":"thinking","thinking":"Hm"}]} 2)");
  const std::string second =
      cat(start, opens(0, "thinking"), says(0, "thinking", "Hm."), opens(1, "text"), says(1, "text", "So"));
  EXPECT_EQ(passed(thinks, second, 9, Dialect::messages),
            cat(says(0, "thinking", "."), opens(1, "text"), says(1, "text", "So")));
  const ToldSoFar both = told_by(second, Dialect::messages);
  EXPECT_EQ(both.text, "So");
  EXPECT_EQ(passed(both, cat(second, says(1, "text", " it")), 9, Dialect::messages), says(1, "text", " it"));
}

std::string response_opening(std::string_view number) {
  return cat(
      typed("response.created", cat(R"(,"response":{"id":"resp_)", number, R"("})")),
      typed("response.in_progress", cat(R"(,"response":{"id":"resp_)", number, R"("})")),
      typed("response.output_item.added", cat(R"(,"item":{"id":"msg_)", number, R"(","type":"message"})")),
      typed("response.content_part.added", cat(R"(,"item_id":"msg_)", number, R"(","part":{})")));
}
std::string response_text(std::string_view number, std::string_view words) {
  return typed("response.output_text.delta",
               cat(R"(,"item_id":"msg_)", number, R"(","delta":")", words, "\""));
}

TEST(Seam, AResponseGoesOnUnderItsOwnIds) {
  const ToldSoFar told = told_by(
      cat(response_opening("1"), response_text("1", "One"), response_text("1", " two")), Dialect::responses);
  EXPECT_EQ(told.text, "One two");
  EXPECT_EQ(told.tokens, 2u);
  const auto end = [](std::string_view number, int in, int out) {
    return cat(
        typed("response.output_item.done", cat(R"(,"item":{"id":"msg_)", number, R"(","type":"message"})")),
        typed("response.completed", cat(R"(,"response":{"id":"resp_)", number, R"(","output":[{"id":"msg_)",
                                        number, R"("}],"usage":{"input_tokens":)", in, R"(,"output_tokens":)",
                                        out, R"(,"total_tokens":14}})")));
  };
  const std::string second = cat(response_opening("2"), response_text("2", "One two three"), end("2", 10, 4));
  EXPECT_EQ(passed(told, second, 13, Dialect::responses), cat(response_text("1", " three"), end("1", 8, 6)));
}

TEST(Seam, OfAResponseThatHasAllItsTokensOnlyTheEndFollows) {
  const ToldSoFar told =
      complete(told_by(cat(response_opening("1"), response_text("1", "One")), Dialect::responses));
  const auto end = [](std::string_view text, int in, int out) {
    return cat(typed("response.output_text.done", cat(R"(,"item_id":"msg_1","text":")", text, "\"")),
               typed("response.completed", cat(R"(,"response":{"id":"resp_1","usage":{"input_tokens":)", in,
                                               R"(,"output_tokens":)", out, "}}")));
  };
  const std::string second = cat(response_opening("1"), response_text("1", "One two"), end("One two", 6, 1));
  EXPECT_EQ(passed(told, second, 13, Dialect::responses), end("One", 5, 1));
}

TEST(Seam, OfAMessageThatHasAllItsTokensOnlyTheEndFollows) {
  const std::string start = typed("message_start", R"(,"message":{"id":"msg_1"})");
  const std::string block = typed("content_block_start", R"(,"content_block":{"type":"text","text":""})");
  const auto says = [](std::string_view words) {
    return typed("content_block_delta", cat(R"(,"delta":{"type":"text_delta","text":")", words, R"("})"));
  };
  const auto end = [](std::string_view reason) {
    return cat(typed("content_block_stop", ""),
               typed("message_delta",
                     cat(R"(,"delta":{"stop_reason":")", reason, R"("},"usage":{"output_tokens":1})")));
  };
  const ToldSoFar told = complete(told_by(cat(start, block, says("One")), Dialect::messages));
  EXPECT_EQ(passed(told, cat(start, block, says("One two"), end("end_turn")), 11, Dialect::messages),
            end("max_tokens"));
}

TEST(Resume, AResponseIsAskedOnWithItsTextAsAnItem) {
  const ToldSoFar told = told_by(cat(response_opening("1"), response_text("1", "One")), Dialect::responses);
  const Result<std::string> request =
      continued_request(Dialect::responses, R"({"input":"Hi","max_output_tokens":5})", told);
  ASSERT_TRUE(request);
  EXPECT_EQ(*request, R"({"input":[{"role":"user","content":"Hi"},{"role":"assistant","type":"message",)"
                      R"("content":[{"type":"output_text","text":"One"}]}],"max_output_tokens":4})");
  const std::string call =
      typed("response.output_item.added", R"(,"item":{"id":"fc_1","type":"function_call"})");
  EXPECT_EQ(told_by(call, Dialect::responses).obstacle, "it calls tools");
}

TEST(Resume, WhateverSaidNothingYetBeginsAnew) {
  const std::string body = R"({"messages":[],"logprobs":true,"tool_choice":"required"})";
  const Result<std::string> request = continued_request(Dialect::chat, body, told_by(opening()));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(*request, body);
}

// A character that is made of three tokens is one piece of text.
TEST(StreamSoFar, CountsAsTheEngineDoesWhereItTellsTheCount) {
  EXPECT_EQ(told_by(event(R"({"choices":[{"index":0,"delta":{"content":"x"}}],"timings":{"predicted_n":3}})"))
                .tokens,
            3u);
}

TEST(Seam, TemplateMustEndWhereTheTextEnds) {
  const auto prompt = [](std::string_view text) { return dump_json(Json{{"prompt", text}}); };
  const std::string plain = prompt("<user>How many bees?<bot>");
  EXPECT_TRUE(
      template_goes_on(plain, prompt("<user>How many bees?<bot>Seven bees,\n and an eighth "), false));
  EXPECT_FALSE(
      template_goes_on(plain, prompt("<user>How many bees?<bot>Seven bees,\n and an eighth"), false));
  EXPECT_FALSE(template_goes_on(
      plain, prompt("<user>How many bees?<b<think></think>Seven bees,\n and an eighth "), false));
  EXPECT_TRUE(template_goes_on(
      plain,
      prompt("<user>How many bees?<bot><think>Let me count the bees</think>Seven bees,\n and an eighth "),
      true));
  EXPECT_FALSE(template_goes_on("", "{}", false));
}

}  // namespace
}  // namespace rbee::keeper
