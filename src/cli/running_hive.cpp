#include "cli/running_hive.h"

#include "net/client.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

constexpr Milliseconds answers_within{5'000};

Result<net::ClientResponse> ask(const Context& context, std::string method, std::string target) {
  net::Loop loop(context.clock);
  net::ClientRequest request{.method = std::move(method), .target = std::move(target)};
  return loop.block_on(net::fetch(loop, net::Endpoint{.unix_path = context.paths.hive_socket.string()},
                                  std::move(request), answers_within));
}

}  // namespace

Result<bool> tell_hive_of_trust(const Context& context) {
  const Result<net::ClientResponse> answer = ask(context, "POST", "/trust");
  if (!answer && answer.error().code == ErrorCode::unreachable) return false;
  if (!answer) return answer.error();
  if (answer->status == 200) return true;
  return error_of_answer(answer->status, answer->body);
}

std::string name_of_running_hive(const Context& context) {
  const Result<net::ClientResponse> answer = ask(context, "GET", "/report");
  if (!answer || answer->status != 200) return {};
  const Result<Json> report = parse_json(answer->body);
  return report ? text_of(*report, "hive") : std::string();
}

}  // namespace rbee::cli
