#include "base/text.h"
#include "model/curl_request.h"
#include "model/web.h"

#include <curl/curl.h>

#include <algorithm>

namespace rbee::model {
namespace {

constexpr std::size_t largest_document_bytes = 32u << 20;
constexpr int longest_poll_ms = 100;
// A document is asked for so often, with half a second more between tries each time.
constexpr int most_tries = 4;
// What a server may ask for by Retry-After: somebody looks on.
constexpr std::uint64_t longest_asked_s = 30;

struct Question {
  std::string url;
  std::string accept;
  std::string range = {};                           // "0-99"; empty: all
  std::size_t most_bytes = largest_document_bytes;  // of its answer; then it is cut off
};

struct Answer {
  AnswerHead head = {};
  std::string body = {};
  std::string failure = {};
  std::uint64_t retry_after_s = 0;
};

using Multi = std::unique_ptr<CURLM, void (*)(CURLM*)>;

// One try, with its redirects. Fails where another one would fail as well.
Result<Answer> ask_once(const Question& question, const WebSettings& settings, const KeepOn& keep_on) {
  Answer answer;
  const Multi multi(::curl_multi_init(), [](CURLM* one) { ::curl_multi_cleanup(one); });
  CurlRequest request(
      settings,
      [&](const AnswerHead& head) {
        answer.head = head;
        answer.retry_after_s = head.retry_after_s.value_or(0);
        return true;
      },
      [&](std::string_view bytes) {
        answer.body += bytes;
        return answer.body.size() <= question.most_bytes;
      });
  if (const Result<void> aimed = request.aim(question.url, question.range, question.accept); !aimed)
    return aimed.error();
  ::curl_multi_add_handle(multi.get(), request.handle());
  Result<Answer> outcome = Error{ErrorCode::cancelled, "The download was cancelled.", {}, {}};
  while (keep_on()) {
    int running = 0;
    ::curl_multi_perform(multi.get(), &running);
    int left = 0;
    const CURLMsg* message = ::curl_multi_info_read(multi.get(), &left);
    if (message == nullptr) {
      ::curl_multi_poll(multi.get(), nullptr, 0, longest_poll_ms, nullptr);
      continue;
    }
    const CURLcode code = message->data.result;
    ::curl_multi_remove_handle(multi.get(), request.handle());
    if (request.refused()) {
      return Error{ErrorCode::not_allowed,
                   cat("'", without_query(request.url()), "' leads into a private network."),
                   "--allow-private allows addresses of private networks."};
    }
    if (code == CURLE_OK) {
      const Result<bool> followed = request.follow();
      if (!followed) return followed.error();
      if (*followed) {
        ::curl_multi_add_handle(multi.get(), request.handle());
        continue;
      }
      request.tell_head();
    }
    answer.failure = request.failure_text(code);
    return answer;
  }
  ::curl_multi_remove_handle(multi.get(), request.handle());
  return outcome;
}

void wait_a_little(int tries, std::uint64_t asked_s, const KeepOn& keep_on) {
  constexpr int polls_each_second = 1000 / longest_poll_ms;
  const int asked = static_cast<int>(std::min(asked_s, longest_asked_s)) * polls_each_second;
  const Multi multi(::curl_multi_init(), [](CURLM* one) { ::curl_multi_cleanup(one); });
  for (int i = 0; i < std::max(tries * 5, asked) && keep_on(); ++i)
    ::curl_multi_poll(multi.get(), nullptr, 0, longest_poll_ms, nullptr);
}

Error no_ranges(std::string_view url) {
  return Error{ErrorCode::bad_model_file, cat("'", without_query(url), "' gives no ranges of its bytes."),
               "Download it: `rbee model fit` then reads its file."};
}

// Until the network and the server let it through, or say something that stands.
Result<Answer> ask(const Question& question, const WebSettings& settings, const KeepOn& keep_on) {
  const std::string_view url = question.url;
  const bool ranged = !question.range.empty();
  std::string why;
  for (int tries = 1; tries <= most_tries; ++tries) {
    Result<Answer> answer = ask_once(question, settings, keep_on);
    if (!answer) return answer.error();
    const int status = answer->head.status;
    // A whole file where a range was asked for is cut off, which is no failure of the network.
    if (ranged && status == 200) return no_ranges(url);
    if (answer->failure.empty() && status == (ranged ? 206 : 200)) return std::move(*answer);
    const bool settled = answer->failure.empty() && status != 429 && status < 500;
    if (settled && (status == 401 || status == 403)) {
      return Error{ErrorCode::not_allowed,
                   cat("The server refuses '", without_query(url), "' (status ", status, ")."),
                   "It does not exist, or is gated: set HF_TOKEN in the hive's environment."};
    }
    if (settled && status == 404) {
      return Error{ErrorCode::unknown_model, cat("There is no '", without_query(url), "'."),
                   "`rbee model search TEXT` lists what there is."};
    }
    why = answer->failure.empty() ? cat("it answers with status ", status) : answer->failure;
    if (settled) break;
    if (tries < most_tries) wait_a_little(tries, answer->retry_after_s, keep_on);
  }
  return Error{ErrorCode::source_unreachable, cat("'", without_query(url), "' cannot be read: ", why, "."),
               "Check the network of the hive's machine, and its proxy."};
}

}  // namespace

Result<std::string> get_document(const std::string& url, const WebSettings& settings,
                                 const std::string& accept, const KeepOn& keep_on) {
  Result<Answer> answer = ask({.url = url, .accept = accept}, settings, keep_on);
  if (!answer) return answer.error();
  return std::move(answer->body);
}

Result<FileRange> get_range(const std::string& url, std::uint64_t offset, std::size_t size,
                            const WebSettings& settings, const KeepOn& keep_on) {
  Result<Answer> answer =
      ask({.url = url, .accept = "*/*", .range = cat(offset, "-", offset + size - 1), .most_bytes = size},
          settings, keep_on);
  if (!answer) return answer.error();
  const AnswerHead& head = answer->head;
  if (!head.range || !head.range_total || head.range->from != offset || answer->body.empty())
    return no_ranges(url);
  return FileRange{std::move(answer->body), *head.range_total, head.etag};
}

}  // namespace rbee::model
