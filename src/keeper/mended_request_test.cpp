#include "keeper/mended_request.h"

#include "base/text.h"

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

constexpr std::string_view chat = "/v1/chat/completions";
constexpr std::string_view responses = "/v1/responses";
constexpr std::string_view messages = "/v1/messages";

// The body as it goes on, "as it is", or the name of the error.
std::string mended(std::string_view path, std::string_view body) {
  const Result<std::optional<std::string>> request = mended_request(path, body);
  if (!request) return std::string(info(request.error().code).name);
  return request->value_or("as it is");
}

TEST(MendedRequest, LeavesAloneWhatAnEngineReads) {
  for (const std::string_view path : {chat, responses, messages, std::string_view("/v1/completions")}) {
    EXPECT_EQ(mended(path, R"({"model":"m","messages":[]})"), "as it is");
    EXPECT_EQ(mended(path, R"({"tools":[],"tool_choice":"auto"})"), "as it is") << path;
    EXPECT_EQ(mended(path, R"(["tool_choice"])"), "as it is");
    EXPECT_EQ(mended(path, R"("tool_choice)"), "as it is");
  }
  EXPECT_EQ(mended("/tokenize", R"({"tool_choice":{"type":"tool"}})"), "as it is");
}

TEST(MendedRequest, OffersOfToolsOnlyTheOneThatIsToBeCalled) {
  EXPECT_EQ(mended(chat, R"({"tools":[{"type":"function","function":{"name":"a"}},)"
                         R"({"type":"function","function":{"name":"b"}}],)"
                         R"("tool_choice":{"type":"function","function":{"name":"b"}}})"),
            R"({"tools":[{"type":"function","function":{"name":"b"}}],"tool_choice":"required"})");
  EXPECT_EQ(mended(responses, R"({"tools":[{"type":"function","name":"a"},{"type":"function","name":"b"}],)"
                              R"("tool_choice":{"type":"function","name":"a"}})"),
            R"({"tools":[{"type":"function","name":"a"}],"tool_choice":"required"})");
  EXPECT_EQ(mended(messages, R"({"tools":[{"name":"a"},{"type":"custom","name":"b"}],)"
                             R"("tool_choice":{"type":"tool","name":"b"}})"),
            R"({"tools":[{"type":"custom","name":"b"}],"tool_choice":{"type":"any"}})");
}

TEST(MendedRequest, OffersOnlyTheToolsThatAreAllowed) {
  EXPECT_EQ(mended(chat, R"({"tools":[{"type":"function","function":{"name":"a"}},)"
                         R"({"type":"function","function":{"name":"b"}}],)"
                         R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":)"
                         R"([{"type":"function","function":{"name":"a"}}]}}})"),
            R"({"tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":"auto"})");
  EXPECT_EQ(mended(responses, R"({"tools":[{"type":"function","name":"a"},{"type":"function","name":"b"}],)"
                              R"("tool_choice":{"type":"allowed_tools","mode":"required","tools":)"
                              R"([{"type":"function","name":"b"}]}})"),
            R"({"tools":[{"type":"function","name":"b"}],"tool_choice":"required"})");
}

TEST(MendedRequest, IsWrongWhereItNamesAToolThatItDoesNotOffer) {
  EXPECT_EQ(mended(chat, R"({"tools":[{"type":"function","function":{"name":"a"}}],)"
                         R"("tool_choice":{"type":"function","function":{"name":"b"}}})"),
            "bad_request");
  EXPECT_EQ(mended(messages, R"({"tool_choice":{"type":"tool","name":"b"}})"), "bad_request");
}

TEST(MendedRequest, IsRefusedWhereItOffersToolsThatNobodyRuns) {
  EXPECT_EQ(mended(chat, R"({"tools":[{"type":"custom","custom":{"name":"a"}}]})"), "unsupported");
  EXPECT_EQ(mended(responses, R"({"tools":[{"type":"web_search"}]})"), "unsupported");
  EXPECT_EQ(mended(responses, R"({"tool_choice":{"type":"file_search"}})"), "unsupported");
  EXPECT_EQ(mended(messages, R"({"tools":[{"type":"web_search_20250305","name":"web_search"}]})"),
            "unsupported");
}

TEST(MendedRequest, OfAChatIsRefusedWhereAnEngineWouldSayNothingOfIt) {
  EXPECT_EQ(mended(chat, R"({"functions":[{"name":"a"}]})"), "unsupported");
  EXPECT_EQ(mended(chat, R"({"modalities":["text","audio"]})"), "unsupported");
  EXPECT_EQ(mended(chat, R"({"modalities":["text"]})"), "as it is");
  EXPECT_EQ(mended(chat, R"({"web_search_options":{}})"), "unsupported");
  EXPECT_EQ(mended(chat, R"({"functions":null,"modalities":null})"), "as it is");
}

TEST(MendedRequest, AsksForOneAlternativeWhereWithNoneNothingWouldBeTold) {
  EXPECT_EQ(mended(chat, R"({"logprobs":true,"top_logprobs":0})"), R"({"logprobs":true,"top_logprobs":1})");
  EXPECT_EQ(mended(chat, R"({"logprobs":false,"top_logprobs":0})"), "as it is");
}

TEST(MendedRequest, OfACompletionIsRefusedWhereAnEngineWouldSayNothingOfIt) {
  constexpr std::string_view completions = "/v1/completions";
  for (const char* body : {R"({"echo":true})", R"({"suffix":"s"})", R"({"best_of":3,"n":2})"})
    EXPECT_EQ(mended(completions, body), "unsupported") << body;
  EXPECT_EQ(mended(completions, R"({"echo":false,"suffix":"","best_of":2,"n":2,"logprobs":3})"), "as it is");
  EXPECT_EQ(mended(completions, R"({"logprobs":0})"), R"({"logprobs":1})");
  EXPECT_EQ(mended(completions, R"({"suffix":null,"logprobs":null})"), "as it is");
}

TEST(MendedRequest, OfResponsesIsRefusedWhereItWantsWhatIsNotKept) {
  for (const char* body :
       {R"({"previous_response_id":"r"})", R"({"conversation":"c"})", R"({"background":true})",
        R"({"top_logprobs":2})", R"({"include":["message.output_text.logprobs"]})"})
    EXPECT_EQ(mended(responses, body), "unsupported") << body;
  EXPECT_EQ(mended(responses, R"({"background":false,"top_logprobs":0,"include":[]})"), "as it is");
}

TEST(MendedRequest, OfResponsesHasItemsThatAnEngineKnows) {
  EXPECT_EQ(
      mended(responses, R"({"input":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})"),
      R"({"input":[{"role":"user","content":"a"},{"role":"assistant","content":"b","type":"message"}]})");
  EXPECT_EQ(mended(responses, R"({"input":[{"type":"reasoning","summary":[]},)"
                              R"({"type":"reasoning","summary":[],"content":[{"text":"t"}]}],"tools":null})"),
            R"({"input":[{"type":"reasoning","summary":[],"content":[{"text":"t"}]}]})");
  EXPECT_EQ(mended(responses, R"({"text":{"format":{"type":"json_object"}}})"),
            R"({"text":{"format":{"type":"json_object"}},"response_format":{"type":"json_object"}})");
  EXPECT_EQ(mended(responses, R"({"text":{"format":{"type":"json_schema","name":"a","schema":{}}}})"),
            R"({"text":{"format":{"type":"json_schema","name":"a","schema":{}}},)"
            R"("response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}})");
  EXPECT_EQ(mended(responses, R"({"text":{"format":{"type":"text"}},"input":"json_"})"), "as it is");
}

TEST(MendedRequest, OfMessagesCallsNoToolAndThinksNotWhereItSaysSo) {
  EXPECT_EQ(mended(messages, R"({"max_tokens":1,"tools":[{"name":"a"}],"tool_choice":{"type":"none"}})"),
            R"({"max_tokens":1})");
  EXPECT_EQ(mended(messages, R"({"thinking":{"type":"disabled"}})"),
            R"({"thinking":{"type":"disabled"},"chat_template_kwargs":{"enable_thinking":false}})");
  EXPECT_EQ(mended(messages, R"({"output_config":{"effort":"low"},"chat_template_kwargs":{"a":1}})"),
            R"({"output_config":{"effort":"low"},"chat_template_kwargs":{"a":1,"reasoning_effort":"low"}})");
  EXPECT_EQ(mended(messages, R"({"thinking":{"type":"enabled","x":"disabled"}})"), "as it is");
}

TEST(MendedRequest, OfMessagesHasTheTextOfDocuments) {
  const auto message = [](std::string_view blocks) {
    return cat(R"({"messages":[{"role":"user","content":[)", blocks, "]}]}");
  };
  const std::string text = R"({"type":"text","text":"t"})";
  EXPECT_EQ(mended(messages, message(R"({"type":"document","source":{"type":"text","data":"t"}})")),
            message(text));
  EXPECT_EQ(mended(messages, message(R"({"type":"document","source":{"type":"content","content":"t"}})")),
            message(text));
  EXPECT_EQ(mended("/v1/messages/count_tokens",
                   message(cat(R"({"type":"document","source":{"type":"content","content":[)", text, "]}}"))),
            message(text));
  EXPECT_EQ(mended(messages, message(R"({"type":"tool_result","tool_use_id":"a","content":[)"
                                     R"({"type":"document","source":{"type":"text","data":"t"}}]})")),
            message(cat(R"({"type":"tool_result","tool_use_id":"a","content":[)", text, "]}")));
  EXPECT_EQ(mended(messages, message(R"({"type":"document","source":{"type":"base64","data":"JVBE"}})")),
            "unsupported");
  EXPECT_EQ(mended(messages, message(R"({"type":"image","source":{"type":"file","file_id":"f"}})")),
            "unsupported");
}

TEST(MendedRequest, OfMessagesIsRefusedWhereItWantsWhatNoEngineDoesThere) {
  for (const char* body : {R"({"mcp_servers":[{"url":"x"}]})", R"({"container":"c"})"})
    EXPECT_EQ(mended(messages, body), "unsupported") << body;
  EXPECT_EQ(mended(messages, R"({"mcp_servers":[],"container":null})"), "as it is");
}

}  // namespace
}  // namespace rbee::keeper
