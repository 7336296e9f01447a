// Asks a keeper: its admin API, and the clients' API where a command needs an answer of a model.
#pragma once

#include "base/json.h"
#include "net/client.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace rbee::cli {

using OnProgress = std::function<void(std::string_view message, std::uint64_t done, std::uint64_t total)>;
using OnText = std::function<void(std::string_view text)>;

class AdminClient {
 public:
  // All tasks run on `loop`, which must outlive it. `url`: what the user is told of the keeper.
  AdminClient(net::Loop& loop, net::Endpoint keeper, std::string key, net::Secure secure = {},
              std::string url = {});

  // All fail with unreachable, naming the address, where no keeper answers, or with the keeper's own error.
  net::Task<Result<Json>> call(std::string method, std::string target, std::string body);
  // For answers that are server-sent events: `progress`, then one `result` or `error`.
  net::Task<Result<Json>> call_with_progress(std::string target, std::string body, OnProgress on_progress);
  // A text as it comes, without end where the keeper goes on.
  net::Task<Result<void>> read_text(std::string target, OnText on_text);

  // The same, blocking.
  [[nodiscard]] Result<Json> get(std::string target);
  [[nodiscard]] Result<Json> post(std::string target, const Json& body);
  [[nodiscard]] Result<Json> remove(std::string target);

  [[nodiscard]] net::Loop& loop() { return loop_; }
  [[nodiscard]] const std::string& url() const { return url_; }
  // By its address: a path means the same to it.
  [[nodiscard]] bool is_on_this_machine() const { return keeper_.is_unix() || net::is_loopback(keeper_); }
  [[nodiscard]] net::Headers headers() const;
  // As ClientExchange::send, to this keeper.
  net::Task<Result<net::ClientExchange>> open(net::ClientRequest request, Milliseconds connected_in,
                                              Milliseconds head_in);

 private:
  net::Task<Result<net::ClientExchange>> send(std::string method, std::string target, std::string body);
  net::Loop& loop_;
  net::Endpoint keeper_;
  std::string key_;
  net::Secure secure_;
  std::string url_;
};

// Where nobody answers at `url`, the sentence for the user; any other error as it is.
[[nodiscard]] Error describe_failure(const std::string& url, Error error);
// The error in an answer's body, in rbee's form or OpenAI's; by the status where the body has none.
[[nodiscard]] Error error_of_answer(int status, std::string_view body);

}  // namespace rbee::cli
