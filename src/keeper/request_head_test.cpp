#include "keeper/request_head.h"

#include "base/text.h"
#include "keeper/request_limits.h"
#include "net/read_buffer.h"

#include <gtest/gtest.h>

namespace rbee::keeper {
namespace {

std::string check(std::string_view body) {
  const Result<RequestHead> head = read_request_head(body);
  if (!head) return std::string(info(head.error().code).name);
  return cat(head->model, head->stream ? " stream" : "", " n=", head->answers());
}

TEST(RequestHead, ModelStreamAndNAreReadWhereverTheyStand) {
  EXPECT_EQ(check(R"({"model":"a"})"), "a n=1");
  EXPECT_EQ(check(R"({"messages":[{"role":"user","model":"x"}],"stream":true,"n":3,"model":"a"})"),
            "a stream n=3");
  EXPECT_EQ(check(R"({"mod\u0065l":"\u0061"})"), "a n=1");
}

TEST(RequestHead, HowLongTheAnswerMayBeIsReadInEveryDialect) {
  for (const char* key : {"max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"}) {
    const Result<RequestHead> head = read_request_head(cat(R"({"model":"m",")", key, R"(":5})"));
    ASSERT_TRUE(head);
    EXPECT_EQ(head->max_tokens, 5) << key;
  }
}

TEST(RequestHead, WhatTheEngineShouldJudgeIsLeftToIt) {
  EXPECT_EQ(check(R"({"model":"a","stream":"yes","n":"many"})"), "a n=1");
  EXPECT_EQ(check(R"({"model":"a","n":-4})"), "a n=1");
  EXPECT_EQ(check(R"({"model":"a","n":99999999999})"), cat("a n=", largest_n));
}

// An engine makes as many answers as it reads there, each in a slot of its own.
TEST(RequestHead, AnswersAreCountedByAllThatAsksForSeveral) {
  EXPECT_EQ(check(R"({"model":"a","n_cmpl":3})"), "a n=3");
  EXPECT_EQ(check(R"({"model":"a","n_cmpl":3,"n":2})"), "a n=3");
  EXPECT_EQ(check(R"({"model":"a","prompt":["x","y"]})"), "a n=2");
  EXPECT_EQ(check(R"({"model":"a","prompt":[[1,2],[3]],"n":2})"), "a n=4");
  EXPECT_EQ(check(R"({"model":"a","prompt":["x"]})"), "a n=1");
  EXPECT_EQ(check(R"({"model":"a","prompt":[]})"), "a n=1");
  EXPECT_EQ(check(R"({"model":"a","prompt":[12,"x",34]})"), "a n=1");
  EXPECT_EQ(check(R"({"model":"a","prompt":["x","y"],"n":1024})"), cat("a n=", largest_n));
}

TEST(RequestHead, WhatAnEngineWouldFailOfIsTheClientsMistake) {
  for (const char* fields :
       {R"("messages":5)", R"("messages":{})", R"("messages":["hello"])", R"("messages":[{"content":"x"}])",
        R"("messages":[{"role":5}])", R"("messages":null)", R"("tools":5)", R"("tools":["x"])"}) {
    EXPECT_EQ(check(cat(R"({"model":"a",)", fields, "}")), "bad_request") << fields;
  }
  for (const char* fields : {R"("messages":[])", R"("messages":[{"role":"user"}])", R"("tools":null)",
                             R"("tools":[])", R"("tools":[{}])"}) {
    EXPECT_EQ(check(cat(R"({"model":"a",)", fields, "}")), "a n=1") << fields;
  }
}

TEST(RequestHead, BrokenJsonIsFoundWhereverItBreaks) {
  for (const char* body :
       {"", " ", "{", "nonsense", "[]", "\"model\"", "3", R"({"model":"a"} x)", R"({"model":"a",})",
        R"({"model":"a","messages":[{]})", R"({"model":"a","x":tru})", R"({"model":"a","x":"\ud800"})"}) {
    EXPECT_EQ(check(body), "bad_json") << body;
  }
}

TEST(RequestHead, TextThatIsNoUtf8OrBeginsWithAByteOrderMarkIsRefused) {
  EXPECT_EQ(check("\xef\xbb\xbf{\"model\":\"a\"}"), "bad_json");
  EXPECT_EQ(check("{\"model\":\"a\",\"x\":\"\xff\"}"), "bad_json");
  EXPECT_EQ(check("{\"model\":\"a\",\"x\":\"\xe2\x82\"}"), "bad_json");
}

TEST(RequestHead, AModelIsNamedOnceAndAsText) {
  EXPECT_EQ(check("{}"), "bad_request");
  EXPECT_EQ(check(R"({"model":""})"), "bad_request");
  EXPECT_EQ(check(R"({"model":7})"), "bad_request");
  EXPECT_EQ(check(R"({"model":"a","model":"b"})"), "bad_request");
  EXPECT_EQ(check(R"({"model":"a","mod\u0065l":"b"})"), "bad_request");
  EXPECT_EQ(check(cat(R"({"model":")", std::string(longest_model_name, 'm'), "\"}")),
            cat(std::string(longest_model_name, 'm'), " n=1"));
  EXPECT_EQ(check(cat(R"({"model":")", std::string(longest_model_name + 1, 'm'), "\"}")), "bad_request");
}

TEST(RequestHead, DeepNestingEndsInAnErrorNotInTheStack) {
  EXPECT_EQ(check(cat(R"({"model":"a","x":)", std::string(100'000, '['), std::string(100'000, ']'), "}")),
            "bad_json");
}

TEST(RequestHead, ToolsImagesAndSoundAreSeenInEveryForm) {
  const auto plain =
      read_request_head(R"({"model":"m","tools":[],"messages":[{"role":"user","content":"an image"}]})");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->has_tools);
  EXPECT_FALSE(plain->has_images);
  const auto tools = read_request_head(R"({"model":"m","tools":[{"type":"function"}]})");
  ASSERT_TRUE(tools);
  EXPECT_TRUE(tools->has_tools);
  for (const char* type : {"image_url", "input_image", "image"}) {
    const auto image = read_request_head(
        cat(R"({"model":"m","messages":[{"role":"user","content":[{"type":"text"},{"type":")", type,
            R"("}]}]})"));
    ASSERT_TRUE(image);
    EXPECT_TRUE(image->has_images) << type;
    EXPECT_FALSE(image->has_sound) << type;
  }
  const auto within = read_request_head(
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","content":[)"
      R"({"type":"document","source":)"
      R"({"type":"content","content":[{"type":"image","source":{"type":"base64","data":""}}]}}]}]}]})");
  ASSERT_TRUE(within);
  EXPECT_TRUE(within->has_images);
  const auto sound = read_request_head(R"({"model":"m","messages":[{"role":"user","content":[)"
                                       R"({"type":"input_audio","input_audio":{"data":""}}]}]})");
  ASSERT_TRUE(sound);
  EXPECT_TRUE(sound->has_sound);
  EXPECT_FALSE(sound->has_images);
}

std::string with(std::string_view more) { return check(cat(R"({"model":"a",)", more, "}")); }

TEST(RequestHead, NumbersThatWouldHurtAnEngineAreRefusedAtTheirLimits) {
  EXPECT_EQ(with(R"("max_tokens":2147483647)"), "a n=1");
  EXPECT_EQ(with(R"("max_tokens":2147483648)"), "bad_request");
  EXPECT_EQ(with(R"("n_predict":18446744073709551615)"), "bad_request");
  EXPECT_EQ(with(R"("max_tokens":-1)"), "a n=1");
  EXPECT_EQ(with(R"("max_completion_tokens":1e300)"), "bad_request");
  EXPECT_EQ(with(R"("n_discard":-1)"), "bad_request");
  EXPECT_EQ(with(R"("n_discard":0)"), "a n=1");
  EXPECT_EQ(with(R"("n_probs":128)"), "a n=1");
  EXPECT_EQ(with(R"("n_probs":129)"), "bad_request");
  EXPECT_EQ(with(R"("top_logprobs":1000000)"), "bad_request");
  EXPECT_EQ(with(R"("logprobs":true)"), "a n=1");
  EXPECT_EQ(with(R"("id_slot":-1)"), "a n=1");
  EXPECT_EQ(with(R"("id_slot":0)"), "bad_request");
  EXPECT_EQ(with(R"("max_tokens":1e999)"), "bad_json");
  EXPECT_EQ(with(R"("temperature":NaN)"), "bad_json");
}

TEST(RequestHead, GrammarsAndSchemasHaveASizeAndADepth) {
  const auto grammar = [](std::size_t size) { return cat(R"("grammar":")", std::string(size, 'x'), "\""); };
  EXPECT_EQ(with(grammar(largest_grammar_bytes)), "a n=1");
  EXPECT_EQ(with(grammar(largest_grammar_bytes + 1)), "bad_request");
  const auto nested = [](int depth) {
    std::string text = "1";
    for (int i = 0; i < depth; ++i) text = cat(R"({"a":)", text, "}");
    return text;
  };
  // Tools are a list, which is a level.
  EXPECT_EQ(with(cat(R"("tools":[)", nested(deepest_schema - 1), "]")), "a n=1");
  EXPECT_EQ(with(cat(R"("tools":[)", nested(deepest_schema), "]")), "bad_request");
  EXPECT_EQ(with(cat(R"("tools":[{"a":")", std::string(largest_schema_bytes, 'x'), "\"}]")), "bad_request");
  for (const char* key :
       {"json_schema", "response_format", "format", "text", "output_format", "output_config"}) {
    EXPECT_EQ(with(cat("\"", key, "\":", nested(deepest_schema))), "a n=1") << key;
    EXPECT_EQ(with(cat("\"", key, "\":", nested(deepest_schema + 1))), "bad_request") << key;
    EXPECT_EQ(with(cat("\"", key, R"(":{"a":")", std::string(largest_schema_bytes, 'x'), "\"}")),
              "bad_request")
        << key;
  }
}

// An engine would fetch it, from wherever its machine reaches.
TEST(RequestHead, APictureComesWithTheRequestOrNotAtAll) {
  const auto picture = [](std::string_view part) {
    return with(cat(R"("messages":[{"role":"user","content":[)", part, "]}]"));
  };
  EXPECT_EQ(picture(R"({"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}})"), "a n=1");
  EXPECT_EQ(picture(R"({"type":"image","source":{"type":"base64","data":"iVBO"}})"), "a n=1");
  for (const char* url :
       {"http://10.0.0.1/", "https://x/", "file:///etc/passwd", "HTTP://x/", "gopher://x"}) {
    EXPECT_EQ(picture(cat(R"({"type":"image_url","image_url":{"url":")", url, R"("}})")), "bad_request")
        << url;
    EXPECT_EQ(picture(cat(R"({"type":"image_url","image_url":")", url, R"("})")), "bad_request") << url;
    EXPECT_EQ(picture(cat(R"({"type":"image","source":{"type":"url","url":")", url, R"("}})")),
              "bad_request");
    EXPECT_EQ(picture(cat(R"({"type":"tool_result","content":[{"type":"image","source":{"url":")", url,
                          R"("}}]})")),
              "bad_request");
    EXPECT_EQ(with(cat(R"("input":[{"content":[{"type":"input_image","image_url":")", url, R"("}]}])")),
              "bad_request");
    EXPECT_EQ(picture(cat(R"({"type":"document","source":{"type":"content","content":[{"type":"image",)",
                          R"("source":{"type":"url","url":")", url, R"("}}]}})")),
              "bad_request");
  }
  EXPECT_EQ(with(R"("messages":[{"role":"user","content":"see http://10.0.0.1/"}])"), "a n=1");
}

// An engine reads the last of them, whichever is looked up here.
TEST(RequestHead, APicturesPlaceIsCheckedHoweverOftenItIsNamed) {
  constexpr std::string_view data = R"("url":"data:image/png;base64,iVBO")";
  constexpr std::string_view elsewhere = R"("url":"http://10.0.0.1/")";
  const auto named = [](std::string_view one, std::string_view other) {
    return with(cat(R"("messages":[{"role":"user","content":[{"type":"image_url","image_url":{)", one, ",",
                    other, "}}]}]"));
  };
  EXPECT_EQ(named(data, data), "a n=1");
  EXPECT_EQ(named(data, elsewhere), "bad_request");
  EXPECT_EQ(named(elsewhere, data), "bad_request");
}

TEST(RequestHead, WhatIsOddButNoHarmIsTheEnginesToJudge) {
  EXPECT_EQ(with(R"("seed":-0,"temperature":-0.0)"), "a n=1");
  EXPECT_EQ(with(R"("temperature":1,"temperature":2)"), "a n=1");
}

TEST(RequestHead, OllamasOwnWishesAreRead) {
  const auto head =
      read_request_head(R"({"model":"m","keep_alive":"5m","options":{"num_ctx":8192,"seed":1}})");
  ASSERT_TRUE(head);
  ASSERT_TRUE(head->keep_alive);
  EXPECT_EQ(head->keep_alive->time, Milliseconds{300'000});
  EXPECT_EQ(head->num_ctx, 8192u);
  const auto plain = read_request_head(R"({"model":"m","options":[1]})");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->keep_alive);
  EXPECT_EQ(plain->num_ctx, 0u);
}

TEST(KeepAlive, SecondsDurationsAndForEver) {
  const auto time = [](std::string_view text) {
    const auto wish = parse_keep_alive(text);
    return !wish ? -2 : wish->time ? wish->time->count() : -1;
  };
  EXPECT_EQ(time("30"), 30'000);
  EXPECT_EQ(time("0"), 0);
  EXPECT_EQ(time("1h30m"), 5'400'000);
  EXPECT_EQ(time("1.5s"), 1'500);
  EXPECT_EQ(time("-1"), -1);
  EXPECT_EQ(time("-1m"), -1);
  for (const char* none : {"", "m", "5 minutes", "5m x", "1e99"}) EXPECT_EQ(time(none), -2) << none;
}

// With what net::ReadBuffer promises behind it.
std::string read_again(RequestReader& reader, std::string body, Instant now) {
  const std::size_t bytes = body.size();
  body += std::string(net::ReadBuffer::readable_behind, '"');
  const Result<RequestHead> head = reader.read(std::string_view(body).substr(0, bytes), now);
  return head ? head->model : std::string(info(head.error().code).name);
}

TEST(RequestReader, ReadsOneBodyAfterTheOtherWhateverTheirLength) {
  RequestReader reader;
  const Instant now{};
  const std::string picture(6u << 20, 'x');
  EXPECT_EQ(read_again(reader, R"({"model":"a"})", now), "a");
  EXPECT_EQ(read_again(reader, cat(R"({"prompt":")", picture, R"(","model":"b"})"), now), "b");
  EXPECT_EQ(read_again(reader, R"({"model":"c")", now), "bad_json");
  EXPECT_EQ(read_again(reader, "", now), "bad_json");
  EXPECT_EQ(read_again(reader, R"({"model":"d"})", now), "d");
  reader.let_go(now + Milliseconds{60'000});
  EXPECT_EQ(read_again(reader, R"({"model":"e"})", now), "e");
}

TEST(RequestHead, APictureIsNoTextInAnyDialect) {
  const std::string base64(4096, 'A');
  const auto text_bytes = [](std::string_view part) {
    const Result<RequestHead> head =
        read_request_head(cat(R"({"model":"m","messages":[{"role":"user","content":[)", part, "]}]}"));
    return head ? head->prompt.text_bytes : std::size_t{0};
  };
  for (const std::string& part :
       {cat(R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)", base64, R"("}})"),
        cat(R"({"type":"input_image","image_url":"data:image/png;base64,)", base64, R"("})"),
        cat(R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":")", base64,
            R"("}})"),
        cat(R"({"type":"tool_result","content":[{"type":"image","source":{"type":"base64","data":")", base64,
            R"("}}]})"),
        cat(R"({"type":"input_audio","input_audio":{"data":")", base64, R"(","format":"wav"}})")})
    EXPECT_LT(text_bytes(part), 100u) << part;
  EXPECT_GT(text_bytes(cat(R"({"type":"document","source":{"type":"text","data":")", base64, R"("}})")),
            4096u);
}

}  // namespace
}  // namespace rbee::keeper
