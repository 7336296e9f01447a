#include "keeper/completion_answer.h"

#include "base/text.h"

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

std::string answered(std::string_view tokens) {
  return cat(R"({"choices":[{"text":"x","index":0,"logprobs":{"content":[)", tokens, "]}}]}");
}

constexpr std::string_view green = R"({"id":1,"token":"grün","logprob":-1.5,"top_logprobs":[)"
                                   R"({"token":"grün","logprob":-1.5},{"token":"rot","logprob":-2.5}]})";
constexpr std::string_view dot = R"({"id":2,"token":".","logprob":0,"top_logprobs":[]})";

TEST(CompletionAnswer, HasFourListsSideBySide) {
  CompletionAnswer answer;
  const Result<std::string> told = answer.whole(answered(cat(green, ",", dot)));
  ASSERT_TRUE(told);
  EXPECT_EQ(*told, R"({"choices":[{"text":"x","index":0,"logprobs":{"tokens":["grün","."],)"
                   R"("token_logprobs":[-1.5,0.0],"top_logprobs":[{"grün":-1.5,"rot":-2.5},{}],)"
                   R"("text_offset":[0,4]}}]})");
}

TEST(CompletionAnswer, CountsTheTextOverTheEventsOfAStream) {
  CompletionAnswer answer;
  const auto offset = [&](std::string_view token) {
    const std::string told = answer.events(cat("data: ", answered(token), "\n\n"));
    return told.substr(told.find("\"text_offset\""), 18);
  };
  EXPECT_EQ(offset(green), R"("text_offset":[0]})");
  EXPECT_EQ(offset(dot), R"("text_offset":[4]})");
  answer.begin_again();
  EXPECT_EQ(offset(dot), R"("text_offset":[0]})");
  EXPECT_EQ(answer.events("data: [DONE]\n\n"), "data: [DONE]\n\n");
  EXPECT_EQ(answer.events("data: {\"error\":{\"message\":\"No.\"}}\n\n"),
            "data: {\"error\":{\"message\":\"No.\"}}\n\n");
}

TEST(CompletionAnswer, PassesAsItComesWhereNoneIsAskedFor) {
  EXPECT_EQ(CompletionAnswer::for_request(R"({"prompt":"p"})"), nullptr);
  EXPECT_EQ(CompletionAnswer::for_request(R"({"logprobs":null})"), nullptr);
  EXPECT_NE(CompletionAnswer::for_request(R"({"logprobs":0})"), nullptr);
  CompletionAnswer answer;
  EXPECT_EQ(*answer.whole(R"({"choices":[{"logprobs":null}]})"), R"({"choices":[{"logprobs":null}]})");
  EXPECT_EQ(answer.whole("<html>").error().code, ErrorCode::engine_failed);
}

}  // namespace
}  // namespace rbee::keeper
