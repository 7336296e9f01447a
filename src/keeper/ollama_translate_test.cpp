#include "base/json.h"
#include "base/text.h"
#include "keeper/ollama_answer.h"
#include "keeper/ollama_request.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace rbee::keeper {
namespace {

// What the engine is asked, or the name of the error.
std::string asked(OllamaAsk ask, std::string_view body) {
  const Result<OllamaRequest> request = translate_ollama(ask, body);
  return request ? cat(request->target, ' ', request->body) : std::string(info(request.error().code).name);
}

TEST(OllamaRequest, IsAChatInAnEnginesWords) {
  EXPECT_EQ(asked(OllamaAsk::chat,
                  R"({"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false,
                      "options":{"temperature":0,"num_predict":5,"num_gpu":99,"stop":["x"]}})"),
            R"(/v1/chat/completions {"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}],)"
            R"("temperature":0,"stop":["x"],"max_tokens":5})");
}

TEST(OllamaRequest, StreamsUnlessItSaysNo) {
  const Result<OllamaRequest> request =
      translate_ollama(OllamaAsk::chat, R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->stream);
  EXPECT_NE(request->body.find(R"("stream_options":{"include_usage":true})"), std::string::npos);
}

TEST(OllamaRequest, GivesEachCallOfAToolAnIdAndItsAnswerTheSame) {
  const std::string body = asked(OllamaAsk::chat, R"({"model":"m","stream":false,"messages":[
      {"role":"assistant","content":"","thinking":"hm","tool_calls":[
        {"function":{"name":"a","arguments":{"x":1}}},{"function":{"name":"b","arguments":{}}}]},
      {"role":"tool","tool_name":"a","content":"1"},{"role":"tool","content":"2"}]})");
  EXPECT_NE(body.find(R"("reasoning_content":"hm")"), std::string::npos) << body;
  EXPECT_NE(body.find(R"({"id":"call_1","type":"function","function":{"name":"a","arguments":"{\"x\":1}"}})"),
            std::string::npos)
      << body;
  EXPECT_NE(body.find(R"("content":"1","tool_call_id":"call_1","name":"a")"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("content":"2","tool_call_id":"call_2")"), std::string::npos) << body;
}

TEST(OllamaRequest, KeepsTheIdsThatCallsAndTheirAnswersHave) {
  const std::string body = asked(OllamaAsk::chat, R"({"model":"m","stream":false,"messages":[
      {"role":"assistant","content":"","tool_calls":[{"id":"one","function":{"name":"a","arguments":{}}},
        {"id":"two","function":{"name":"b","arguments":{}}},{"function":{"name":"c","arguments":{}}}]},
      {"role":"tool","tool_call_id":"two","content":"2"},{"role":"tool","tool_call_id":"one","content":"1"},
      {"role":"tool","content":"3"}]})");
  for (const char* part :
       {R"({"id":"one","type":"function","function":{"name":"a")", R"({"id":"call_3","type":"function")",
        R"("content":"2","tool_call_id":"two")", R"("content":"1","tool_call_id":"one")",
        R"("content":"3","tool_call_id":"call_3")"})
    EXPECT_NE(body.find(part), std::string::npos) << part << "\n" << body;
}

TEST(OllamaRequest, ShowsImagesByWhatTheyBeginWith) {
  const std::string body =
      asked(OllamaAsk::generate, R"({"model":"m","prompt":"what","images":["/9j/4A","iVBORx"]})");
  EXPECT_NE(body.find("data:image/jpeg;base64,/9j/4A"), std::string::npos) << body;
  EXPECT_NE(body.find("data:image/png;base64,iVBORx"), std::string::npos) << body;
}

TEST(OllamaRequest, WantsJsonBySchemaOrAnyAndThinkingOrNot) {
  const auto chat = [](std::string_view more) {
    return asked(OllamaAsk::chat,
                 cat(R"({"model":"m","messages":[{"role":"user","content":""}],)", more, "}"));
  };
  EXPECT_NE(chat(R"("format":"json")").find(R"("response_format":{"type":"json_object"})"),
            std::string::npos);
  EXPECT_NE(chat(R"("format":{"type":"object"})").find(R"("schema":{"type":"object"})"), std::string::npos);
  EXPECT_NE(chat(R"("think":false)").find(R"("enable_thinking":false)"), std::string::npos);
  EXPECT_NE(chat(R"("think":"high")").find(R"("reasoning_effort":"high")"), std::string::npos);
  EXPECT_EQ(chat(R"("format":7)"), "bad_request");
  EXPECT_EQ(chat(R"("think":7)"), "bad_request");
}

TEST(OllamaRequest, WantsLogProbabilitiesOfEachTokenAndOfOthersWhereItSaysHowMany) {
  const auto chat = [](std::string_view more) {
    return asked(OllamaAsk::chat,
                 cat(R"({"model":"m","messages":[{"role":"user","content":""}],)", more, "}"));
  };
  EXPECT_NE(chat(R"("logprobs":true,"top_logprobs":3)").find(R"("logprobs":true,"top_logprobs":3)"),
            std::string::npos);
  // An engine that is asked for no others tells nothing.
  EXPECT_NE(chat(R"("logprobs":true)").find(R"("logprobs":true,"top_logprobs":1)"), std::string::npos);
  EXPECT_NE(chat(R"("logprobs":true,"top_logprobs":0)").find(R"("top_logprobs":1)"), std::string::npos);
  EXPECT_EQ(chat(R"("logprobs":false,"top_logprobs":3)").find("logprobs"), std::string::npos);
  EXPECT_EQ(chat(R"("logprobs":true,"top_logprobs":"3")"), "bad_request");
  EXPECT_NE(asked(OllamaAsk::generate, R"({"model":"m","prompt":"p","raw":true,"logprobs":true})")
                .find(R"("logprobs":1)"),
            std::string::npos);
}

TEST(OllamaRequest, WithToolsAndLogProbabilitiesIsAskedForWhole) {
  const Result<OllamaRequest> request =
      translate_ollama(OllamaAsk::chat, R"({"model":"m","messages":[{"role":"user","content":"hi"}],
        "tools":[{"type":"function","function":{"name":"a"}}],"logprobs":true})");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->stream);
  EXPECT_NE(request->body.find(R"("stream":false)"), std::string::npos) << request->body;
  EXPECT_EQ(request->body.find("stream_options"), std::string::npos) << request->body;
}

TEST(OllamaRequest, IsAPlainTextWhereItIsRawAndAnInfillWhereItHasAnEnd) {
  EXPECT_EQ(asked(OllamaAsk::generate, R"({"model":"m","prompt":"p","raw":true,"stream":false})"),
            R"(/v1/completions {"model":"m","stream":false,"prompt":"p"})");
  EXPECT_EQ(asked(OllamaAsk::generate, R"({"model":"m","prompt":"p","suffix":"s","stream":false,
                                           "options":{"num_predict":3}})"),
            R"(/infill {"model":"m","stream":false,"input_prefix":"p","input_suffix":"s","n_predict":3})");
}

TEST(OllamaRequest, IsRefusedWhereItAsksForWhatNobodyDoes) {
  EXPECT_EQ(asked(OllamaAsk::generate, R"({"model":"m","prompt":"p","template":"t"})"), "unsupported");
  EXPECT_EQ(asked(OllamaAsk::generate, R"({"model":"m","prompt":"p","context":[1]})"), "unsupported");
  EXPECT_EQ(asked(OllamaAsk::generate, R"({"model":"m","prompt":"p","raw":true,"images":["iVBORx"]})"),
            "unsupported");
  EXPECT_EQ(asked(OllamaAsk::generate, R"({"model":"m","prompt":"p","suffix":"s","images":["iVBORx"]})"),
            "unsupported");
  EXPECT_EQ(asked(OllamaAsk::embed, R"({"model":"m","input":"p","dimensions":-1})"), "bad_request");
  EXPECT_EQ(asked(OllamaAsk::chat, R"({"model":"m","messages":[{"content":"x"}]})"), "bad_request");
  EXPECT_EQ(asked(OllamaAsk::chat, R"({"model":"m","messages":[7]})"), "bad_request");
}

TEST(OllamaRequest, ThatSaysNothingIsAboutTheModel) {
  EXPECT_TRUE(translate_ollama(OllamaAsk::chat, R"({"model":"m","messages":[]})")->nothing_to_say);
  EXPECT_TRUE(translate_ollama(OllamaAsk::generate, R"({"model":"m"})")->nothing_to_say);
  EXPECT_FALSE(translate_ollama(OllamaAsk::generate, R"({"model":"m","prompt":"x"})")->nothing_to_say);
}

class OllamaAnswers : public testing::Test {
 protected:
  std::string streamed(OllamaAsk ask, std::string_view events) {
    OllamaAnswer answer({.ask = ask, .model = "m", .target = {}, .body = {}}, clock_);
    clock_.advance(Milliseconds{10});
    return answer.events(events);
  }
  std::string whole(OllamaAsk ask, std::string_view body) {
    OllamaAnswer answer({.ask = ask, .model = "m", .target = {}, .body = {}, .stream = false}, clock_);
    const Result<std::string> told = answer.whole(body);
    return told ? *told : std::string(info(told.error().code).name);
  }
  ManualClock clock_;
};

TEST_F(OllamaAnswers, AreALineForEachEventAndOneWithTheFigures) {
  EXPECT_EQ(
      streamed(OllamaAsk::chat,
               "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n"
               "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"
               "data: {\"choices\":[{\"delta\":{\"content\":\"gr\xc3\xbcn\"}}]}\n\n"
               "data: {\"choices\":[{\"finish_reason\":\"length\",\"delta\":{}}]}\n\n"
               "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2},"
               "\"timings\":{\"prompt_ms\":3,\"predicted_ms\":4,\"prompt_n\":1,\"predicted_n\":2}}\n\n"
               "data: [DONE]\n\n"),
      R"({"model":"m","created_at":"1970-01-01T00:00:00.010Z",)"
      R"("message":{"role":"assistant","content":"","thinking":"hm"},"done":false})"
      "\n"
      R"({"model":"m","created_at":"1970-01-01T00:00:00.010Z",)"
      R"("message":{"role":"assistant","content":"grün"},"done":false})"
      "\n"
      R"({"model":"m","created_at":"1970-01-01T00:00:00.010Z",)"
      R"("message":{"role":"assistant","content":""},"done":true,)"
      R"("done_reason":"length","total_duration":10000000,"load_duration":3000000,"prompt_eval_count":5,)"
      R"("prompt_eval_duration":3000000,"eval_count":2,"eval_duration":4000000})"
      "\n");
}

TEST_F(OllamaAnswers, HaveCallsOfToolsWhole) {
  const std::string lines = streamed(
      OllamaAsk::chat,
      R"(data: {"choices":[{"delta":{"tool_calls":)"
      R"([{"index":0,"id":"x","function":{"name":"count","arguments":"{\"o"}}]}}]})"
      "\n\n"
      R"(data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"f\":7}"}}]}}]})"
      "\n\n"
      R"(data: {"choices":[{"finish_reason":"tool_calls","delta":{}}]})"
      "\n\ndata: [DONE]\n\n");
  EXPECT_NE(lines.find(R"("tool_calls":[{"id":"x","function":{"name":"count","arguments":{"of":7}}}]},)"
                       R"("done":false})"),
            std::string::npos)
      << lines;
  EXPECT_NE(lines.find(R"("done":true,"done_reason":"stop")"), std::string::npos);
}

TEST_F(OllamaAnswers, TellOfOtherTokensOnlyWhereTheyWereAskedFor) {
  const std::string body =
      R"({"choices":[{"message":{"content":"a"},"logprobs":{"content":[)"
      R"({"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-1}]}]}}]})";
  for (const bool alternatives : {false, true}) {
    OllamaAnswer answer({.ask = OllamaAsk::chat,
                         .model = "m",
                         .target = {},
                         .body = {},
                         .stream = false,
                         .alternatives = alternatives},
                        clock_);
    const Result<std::string> whole = answer.whole(body);
    ASSERT_TRUE(whole);
    const std::string& told = *whole;
    EXPECT_NE(told.find(R"("logprobs":[{"token":"a","logprob":-1,"bytes":[97])"), std::string::npos) << told;
    EXPECT_EQ(told.find("top_logprobs") != std::string::npos, alternatives) << told;
  }
}

TEST_F(OllamaAnswers, EndWithTheErrorOfAnEngineAndNothingBehindIt) {
  EXPECT_EQ(streamed(OllamaAsk::generate,
                     "data: {\"error\":{\"code\":500,\"message\":\"Context size has been exceeded.\"}}\n\n"
                     "data: [DONE]\n\n"),
            "{\"error\":\"Context size has been exceeded.\"}\n");
}

TEST_F(OllamaAnswers, OfAnInfillAreInTheEnginesOwnWords) {
  const std::string lines = streamed(
      OllamaAsk::generate,
      "data: {\"content\":\"ab\",\"stop\":false}\n\n"
      "data: {\"content\":\"\",\"stop\":true,\"stop_type\":\"limit\",\"timings\":{\"predicted_n\":1}}\n\n");
  EXPECT_NE(lines.find(R"("response":"ab","done":false)"), std::string::npos) << lines;
  EXPECT_NE(lines.find(R"("done":true,"done_reason":"length")"), std::string::npos) << lines;
}

TEST_F(OllamaAnswers, ThatMakeNoSenseAreTheEnginesFailure) {
  EXPECT_EQ(whole(OllamaAsk::chat, "<html>"), "engine_failed");
  EXPECT_EQ(whole(OllamaAsk::embed, "[]"), "engine_failed");
}

TEST_F(OllamaAnswers, ThatBeginAnewForgetWhatAnotherEngineBegan) {
  OllamaAnswer answer({.ask = OllamaAsk::chat, .model = "m", .target = {}, .body = {}}, clock_);
  const std::string call = R"(data: {"choices":[{"delta":{"tool_calls":)"
                           R"([{"index":0,"function":{"name":"count","arguments":"{}"}}]}}]})"
                           "\n\n";
  EXPECT_EQ(answer.events(call), "");
  answer.begin_again();
  EXPECT_NE(answer.events(call + "data: [DONE]\n\n").find(R"("name":"count","arguments":{})"),
            std::string::npos);
}

TEST(WholeEvents, KeepTheTailOfACutEventAndOfACutCharacter) {
  WholeEvents events;
  EXPECT_EQ(*events.take("data: a\n\nda"), "data: a\n\n");
  EXPECT_EQ(*events.take("ta: gr\xc3"), "");
  EXPECT_EQ(*events.take("\xbcn\n"), "");
  EXPECT_EQ(*events.take("\ndata: b\n\n"), "data: gr\xc3\xbcn\n\ndata: b\n\n");
}

TEST(WholeEvents, RefuseOneThatDoesNotEnd) {
  WholeEvents events;
  ASSERT_TRUE(events.take(std::string(WholeEvents::longest_event_bytes, 'x')));
  EXPECT_EQ(events.take("x").error().code, ErrorCode::engine_failed);
}

}  // namespace
}  // namespace rbee::keeper
