#include "keeper/cors.h"

namespace rbee::keeper {
namespace {

// A browser asks again after ten minutes: a page that is no longer allowed is not for long.
constexpr const char* asks_again_after_s = "600";

}  // namespace

bool is_preflight(const net::RequestHead& head) {
  return head.method == "OPTIONS" && head.headers.find("Origin") &&
         head.headers.find("Access-Control-Request-Method");
}

void let_page_read(net::Exchange& exchange) {
  const std::optional<std::string_view> origin = exchange.head().headers.find("Origin");
  if (!origin) return;
  exchange.add_to_answer("Access-Control-Allow-Origin", std::string(*origin));
  exchange.add_to_answer("Vary", "Origin");
  exchange.add_to_answer("Access-Control-Expose-Headers",
                         "x-rbee-worker, x-rbee-request-id, x-rbee-overhead-us, Retry-After");
}

net::Task<void> answer_preflight(net::Exchange& exchange) {
  const net::Headers& asked = exchange.head().headers;
  net::Headers headers{{"Access-Control-Allow-Methods", "GET, POST, DELETE"},
                       {"Access-Control-Max-Age", asks_again_after_s}};
  if (const auto fields = asked.find("Access-Control-Request-Headers"))
    headers.add("Access-Control-Allow-Headers", std::string(*fields));
  if (asked.find("Access-Control-Request-Private-Network"))
    headers.add("Access-Control-Allow-Private-Network", "true");
  const std::string nothing;
  net::Task<Result<void>> responding = exchange.respond(204, std::move(headers), nothing);
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

}  // namespace rbee::keeper
