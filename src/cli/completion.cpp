#include "cli/completion.h"

#include "base/text.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>

namespace rbee::cli {
namespace {

constexpr Milliseconds connect_within{2'000};
// The engine may have to be loaded first, and a large model may come from a slow disk: no limit but the
// user's.
constexpr Milliseconds no_limit{0};
constexpr std::size_t largest_error_bytes = 1u << 20;

// What the events of one stream add up to.
class AnswerReader {
 public:
  AnswerReader(const Clock& clock, OnText on_text)
      : clock_(clock), begun_us_(clock.now_us()), on_text_(std::move(on_text)) {}

  Result<void> take(const Json& event) {
    if (event.is_object() && event.contains("error")) return error_of_answer(500, dump_json(event));
    if (const auto model = get_string(event, "model")) answer_.model = *model;
    for (const Json& choice : get_array(event, "choices")) take_delta(get_array(choice, "delta"));
    const Json& usage = get_array(event, "usage");
    if (const auto tokens = get_int(usage, "prompt_tokens")) answer_.prompt_tokens = *tokens;
    if (const auto tokens = get_int(usage, "completion_tokens")) answer_.tokens = *tokens;
    if (const auto speed = get_number(get_array(event, "timings"), "predicted_per_second"))
      engine_speed_ = speed;
    return {};
  }

  Answer finish(std::string worker) {
    answer_.worker = std::move(worker);
    if (first_us_) answer_.ttft_ms = static_cast<double>(*first_us_ - begun_us_) / 1000;
    const double seconds = first_us_ ? static_cast<double>(last_us_ - *first_us_) / 1e6 : 0;
    const double measured = seconds > 0 ? static_cast<double>(answer_.tokens - 1) / seconds : 0;
    // The engine's own figure is free of what the network bunches together.
    answer_.speed = engine_speed_.value_or(measured);
    return std::move(answer_);
  }

 private:
  void take_delta(const Json& delta) {
    const std::string text = text_of(delta, "content");
    const bool thought = !text_of(delta, "reasoning_content").empty();
    if (text.empty() && !thought) return;
    last_us_ = clock_.now_us();
    if (!first_us_) first_us_ = last_us_;
    if (text.empty()) return;
    answer_.text += text;
    on_text_(text);
  }

  const Clock& clock_;
  std::int64_t begun_us_;
  std::optional<std::int64_t> first_us_;
  std::int64_t last_us_ = 0;
  std::optional<double> engine_speed_;
  OnText on_text_;
  Answer answer_;
};

// True once the last event came.
Result<bool> take_events(net::SseReader& events, AnswerReader& reader) {
  while (const std::optional<net::SseEvent> event = events.next()) {
    if (event->data == "[DONE]") return true;
    const Result<Json> json = parse_json(event->data);
    if (!json) return json.error();
    const Result<void> taken = reader.take(*json);
    if (!taken) return taken.error();
  }
  return false;
}

}  // namespace

net::Task<Result<Answer>> ask(AdminClient& client, const Clock& clock, Question question, OnText on_text) {
  AnswerReader reader(clock, std::move(on_text));
  net::ClientRequest request;
  request.method = "POST";
  request.target = "/v1/chat/completions";
  request.headers = client.headers();
  request.headers.add("Content-Type", "application/json");
  if (!question.worker.empty()) request.headers.add("x-rbee-worker", question.worker);
  request.body = question.body;
  const std::string keeper = client.url();
  net::Task<Result<net::ClientExchange>> opening = client.open(std::move(request), connect_within, no_limit);
  Result<net::ClientExchange> sent = co_await opening;
  if (!sent) co_return describe_failure(keeper, sent.error());
  const int status = sent->head().status;
  if (status != 200) {
    const Result<std::string> body = co_await sent->read_all(largest_error_bytes, connect_within);
    co_return error_of_answer(status, body ? *body : std::string());
  }
  const std::string worker(sent->head().headers.find("x-rbee-worker").value_or(""));
  net::SseReader events;
  while (true) {
    const Result<std::string_view> bytes = co_await sent->read_some(no_limit);
    if (!bytes) co_return describe_failure(keeper, bytes.error());
    if (bytes->empty()) break;
    const Result<void> fed = events.feed(*bytes);
    if (!fed) co_return fed.error();
    const Result<bool> ended = take_events(events, reader);
    if (!ended) co_return ended.error();
    if (*ended) co_return reader.finish(worker);
  }
  co_return Error{ErrorCode::worker_lost, "The answer broke off before its end."};
}

}  // namespace rbee::cli
