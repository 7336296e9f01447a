#include "keeper/grow.h"

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

TEST(TooLong, TheEnginesOwnCountIsRead) {
  const auto told = too_long(R"({"error":{"code":400,"message":"...","type":"exceed_context_size_error",)"
                             R"("n_prompt_tokens":1405,"n_ctx":512}})");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->prompt_tokens, 1405u);
  EXPECT_EQ(told->context, 512u);
}

TEST(TooLong, AnyOther400IsNot) {
  for (const char* body :
       {R"({"error":{"code":400,"type":"invalid_request_error"}})", "{}", "no", "[]",
        R"({"error":"exceed_context_size_error"})",
        R"({"error":{"type":"exceed_context_size_error","n_prompt_tokens":-1,"n_ctx":5}})"})
    EXPECT_FALSE(too_long(body)) << body;
}

TEST(ContextFor, UpToWhatTheModelWasTrainedWith) {
  EXPECT_EQ(context_for(1000, 512, 2048, 0), 1000u);
  EXPECT_EQ(context_for(2048, 512, 2048, 0), 2048u);
  EXPECT_EQ(context_for(2049, 512, 2048, 0), std::nullopt);
  EXPECT_EQ(context_for(3000, 2048, 2048, 0), std::nullopt);
}

TEST(ContextFor, TheConfigurationsWordIsTheMostThatARequestMayUse) {
  EXPECT_EQ(context_for(1000, 512, 8192, 512), std::nullopt);
  EXPECT_EQ(context_for(1000, 512, 8192, 1024), 1000u);
}

TEST(ContextFor, AModelThatDoesNotSayWhatItWasTrainedWithGetsNoMore) {
  EXPECT_EQ(context_for(1000, 512, 0, 0), std::nullopt);
}

}  // namespace
}  // namespace rbee::keeper
