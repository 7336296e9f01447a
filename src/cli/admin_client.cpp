#include "cli/admin_client.h"

#include "base/text.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace rbee::cli {
namespace {

using net::Task;

constexpr Milliseconds connect_within{2'000};
// A keeper passes much on to a hive, which may probe its devices first.
constexpr Milliseconds head_within{60'000};
// An install says nothing while one large file compiles; a log that is followed may stand still for good.
constexpr Milliseconds no_limit{0};
constexpr std::size_t largest_answer_bytes = 64u << 20;

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400: return ErrorCode::bad_request;
    case 401:
    case 403: return ErrorCode::not_allowed;
    case 404: return ErrorCode::unknown_model;
    case 413: return ErrorCode::body_too_large;
    case 429: return ErrorCode::queue_full;
    case 501: return ErrorCode::unsupported;
    case 502: return ErrorCode::worker_lost;
    case 503: return ErrorCode::no_worker;
    default: return ErrorCode::internal;
  }
}

}  // namespace

Error describe_failure(const std::string& url, Error error) {
  if (error.code != ErrorCode::unreachable) return error;
  return Error{ErrorCode::unreachable, cat("No keeper answers at ", url, "."),
               "`rbee up` starts keeper and hive on this machine; --keeper names another one.",
               error.message};
}

Error error_of_answer(int status, std::string_view body) {
  const Result<Json> json = parse_json(body);
  if (json && json->is_object() && json->contains("error")) {
    const Json& inner = json->at("error");
    const std::string hint = text_of(inner, "hint");
    std::string message = text_of(inner, "message");
    // Where an API has no field for it, the hint is also the message's end.
    if (!hint.empty() && message.ends_with(hint))
      message = trim(std::string_view(message).substr(0, message.size() - hint.size()));
    const std::string name = text_of(inner, "code");
    // OpenAI's form has names of its own ("model_not_found"), which the status stands for as well.
    ErrorCode code = error_code_of(name);
    if (code == ErrorCode::internal && name != "internal") code = code_of_status(status);
    if (!message.empty()) return Error{code, message, hint};
  }
  return Error{code_of_status(status), cat("The keeper answered with status ", status, ".")};
}

AdminClient::AdminClient(net::Loop& loop, net::Endpoint keeper, std::string key, net::Secure secure,
                         std::string url)
    : loop_(loop),
      keeper_(std::move(keeper)),
      key_(std::move(key)),
      secure_(std::move(secure)),
      url_(url.empty() ? cat("http://", keeper_.text()) : std::move(url)) {}

Task<Result<net::ClientExchange>> AdminClient::open(net::ClientRequest request, Milliseconds connected_in,
                                                    Milliseconds head_in) {
  net::Task<Result<net::Stream>> connecting = net::connect_secure(loop_, keeper_, secure_, connected_in);
  Result<net::Stream> stream = co_await connecting;
  if (!stream) co_return stream.error();
  request.headers.add("Connection", "close");
  net::Task<Result<net::ClientExchange>> beginning =
      net::ClientExchange::begin_on(std::move(*stream), keeper_, std::move(request), connected_in);
  Result<net::ClientExchange> exchange = co_await beginning;
  if (!exchange) co_return exchange.error();
  net::Task<Result<void>> reading = exchange->read_head(head_in);
  const Result<void> head = co_await reading;
  if (!head) co_return head.error();
  co_return std::move(*exchange);
}

net::Headers AdminClient::headers() const {
  net::Headers headers;
  headers.add("Accept", "*/*");
  if (!key_.empty()) headers.add("Authorization", cat("Bearer ", key_));
  return headers;
}

Task<Result<net::ClientExchange>> AdminClient::send(std::string method, std::string target,
                                                    std::string body) {
  net::ClientRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers = headers();
  if (!body.empty()) request.headers.add("Content-Type", "application/json");
  request.body = body;
  net::Task<Result<net::ClientExchange>> opening = open(std::move(request), connect_within, head_within);
  Result<net::ClientExchange> sent = co_await opening;
  if (!sent) co_return describe_failure(url_, sent.error());
  const int status = sent->head().status;
  if (status < 400) co_return sent;
  const Result<std::string> answer = co_await sent->read_all(largest_answer_bytes, head_within);
  if (!answer) co_return error_of_answer(status, "");
  co_return error_of_answer(status, *answer);
}

Task<Result<Json>> AdminClient::call(std::string method, std::string target, std::string body) {
  Result<net::ClientExchange> sent = co_await send(std::move(method), std::move(target), std::move(body));
  if (!sent) co_return sent.error();
  const Result<std::string> answer = co_await sent->read_all(largest_answer_bytes, head_within);
  if (!answer) co_return describe_failure(url_, answer.error());
  co_return parse_json(*answer);
}

Task<Result<Json>> AdminClient::call_with_progress(std::string target, std::string body,
                                                   OnProgress on_progress) {
  const std::string method = "POST";
  Result<net::ClientExchange> sent = co_await send(method, std::move(target), std::move(body));
  if (!sent) co_return sent.error();
  net::SseReader reader;
  while (true) {
    const Result<std::string_view> bytes = co_await sent->read_some(no_limit);
    if (!bytes) co_return describe_failure(url_, bytes.error());
    if (bytes->empty()) break;
    const Result<void> fed = reader.feed(*bytes);
    if (!fed) co_return fed.error();
    while (const std::optional<net::SseEvent> event = reader.next()) {
      Result<Json> json = parse_json(event->data);
      if (!json) co_return json.error();
      if (event->event == "result") co_return json;
      if (event->event == "error") co_return error_of_answer(500, event->data);
      if (event->event != "progress") continue;
      on_progress(text_of(*json, "message"), static_cast<std::uint64_t>(get_int(*json, "done").value_or(0)),
                  static_cast<std::uint64_t>(get_int(*json, "total").value_or(0)));
    }
  }
  co_return Error{ErrorCode::unreachable, "The hive went away before the work was done.",
                  "`rbee status` says how it is; the same command goes on where it stopped."};
}

Task<Result<void>> AdminClient::read_text(std::string target, OnText on_text) {
  const std::string method = "GET";
  const std::string no_body;
  Result<net::ClientExchange> sent = co_await send(method, std::move(target), no_body);
  if (!sent) co_return sent.error();
  while (true) {
    const Result<std::string_view> bytes = co_await sent->read_some(no_limit);
    if (!bytes) co_return describe_failure(url_, bytes.error());
    if (bytes->empty()) co_return Result<void>();
    on_text(*bytes);
  }
}

Result<Json> AdminClient::get(std::string target) {
  return loop_.block_on(call("GET", std::move(target), ""));
}

Result<Json> AdminClient::post(std::string target, const Json& body) {
  return loop_.block_on(call("POST", std::move(target), dump_json(body)));
}

Result<Json> AdminClient::remove(std::string target) {
  return loop_.block_on(call("DELETE", std::move(target), ""));
}

}  // namespace rbee::cli
