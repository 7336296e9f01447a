#include "keeper/responses_answer.h"

#include "base/text.h"
#include "keeper/api_error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace rbee::keeper {
namespace {

std::string event(std::string_view fields) { return cat("event: x\ndata: {", fields, "}\n\n"); }

// What each of the events has, in one line.
std::string outline(std::string_view events) {
  std::string out;
  for (std::size_t at = 0; (at = events.find("data: ", at)) != std::string_view::npos; ++at) {
    const Result<Json> json = parse_json(events.substr(at + 6, events.find('\n', at) - at - 6));
    if (!json) return "no JSON";
    const std::string type = get_string(*json, "type").value_or("?");
    out += cat(out.empty() ? "" : " ", type.substr(type.find('.') + 1));
    for (const char* key : {"sequence_number", "output_index", "content_index"}) {
      if (const std::optional<std::int64_t> number = get_int(*json, key)) out += cat(":", *number);
    }
  }
  return out;
}

TEST(ResponsesAnswer, HasTheNumberAndThePlaceOfEachEvent) {
  ResponsesAnswer answer("m", 5, 7);
  EXPECT_EQ(outline(answer.events(event(R"("type":"response.created","response":{"id":"r"})"))), "created:0");
  EXPECT_EQ(outline(answer.events(
                event(R"("type":"response.output_item.added","item":{"id":"rs","type":"reasoning"})") +
                event(R"("type":"response.reasoning_text.delta","item_id":"rs","delta":"t")"))),
            "output_item.added:1:0 reasoning_text.delta:2:0:0");
  EXPECT_EQ(outline(answer.events(
                event(R"("type":"response.output_item.added","item":{"id":"fc","type":"function_call"})") +
                event(R"("type":"response.function_call_arguments.delta","item_id":"fc","delta":"{}")"))),
            "output_item.added:3:1 function_call_arguments.delta:4:1");
  EXPECT_EQ(outline(answer.events(
                event(R"("type":"response.output_item.done","item":{"id":"rs","type":"reasoning",)"
                      R"("content":[{"text":"t"}]})") +
                event(R"("type":"response.output_item.done","item":{"id":"fc","type":"function_call"})"))),
            "reasoning_text.done:5:0:0 output_item.done:6:0 function_call_arguments.done:7:1 "
            "output_item.done:8:1");
}

TEST(ResponsesAnswer, BeginsWithTheListsThatItsClientFills) {
  ResponsesAnswer answer("m", 5, 7);
  EXPECT_EQ(answer.events(event(R"("type":"response.created","response":{"id":"r","status":"in_progress"})")),
            "event: response.created\ndata: "
            R"({"type":"response.created","response":{"id":"r","status":"in_progress","created_at":7,)"
            R"("model":"m","output":[],"tools":[],"metadata":{},"error":null,"incomplete_details":null,)"
            R"("instructions":null},"sequence_number":0})"
            "\n\n");
}

TEST(ResponsesAnswer, IsIncompleteWhereItIsAsLongAsItMightBe) {
  ResponsesAnswer answer("m", 5, 7);
  const Result<std::string> cut = answer.whole(R"({"status":"completed","usage":{"output_tokens":5}})");
  ASSERT_TRUE(cut);
  EXPECT_NE(cut->find(R"("status":"incomplete")"), std::string::npos) << *cut;
  EXPECT_NE(cut->find(R"("incomplete_details":{"reason":"max_output_tokens"})"), std::string::npos) << *cut;
  const Result<std::string> all = answer.whole(R"({"status":"completed","usage":{"output_tokens":4}})");
  ASSERT_TRUE(all);
  EXPECT_NE(all->find(R"("status":"completed")"), std::string::npos) << *all;
  const std::string last =
      event(R"("type":"response.completed","response":{"status":"completed","usage":{"output_tokens":5}})");
  EXPECT_EQ(outline(answer.events(last)), "incomplete:0");
  ResponsesAnswer endless("m", 0, 7);
  EXPECT_EQ(outline(endless.events(last)), "completed:0");
}

TEST(ResponsesAnswer, TellsOfAnEnginesErrorInItsApisForm) {
  ResponsesAnswer answer("m", 5, 7);
  EXPECT_EQ(answer.events("data: {\"error\":{\"message\":\"No.\"}}\n\n"),
            error_event(Api::responses, Error{ErrorCode::engine_failed, "No.", {}, {}}));
  EXPECT_EQ(answer.whole("<html>").error().code, ErrorCode::engine_failed);
}

TEST(ResponsesAnswer, ThatBeginsAnewCountsFromTheBeginning) {
  ResponsesAnswer answer("m", 5, 7);
  const std::string begin = event(R"("type":"response.output_item.added","item":{"id":"a"})");
  EXPECT_EQ(outline(answer.events(begin)), "output_item.added:0:0");
  answer.begin_again();
  EXPECT_EQ(outline(answer.events(event(R"("type":"response.output_item.added","item":{"id":"b"})"))),
            "output_item.added:0:0");
}

}  // namespace
}  // namespace rbee::keeper
