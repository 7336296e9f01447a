#include "keeper/catch_up.h"

#include "net/client.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// Between two looks at the copy: a report is parsed in less.
constexpr Milliseconds look_every{2};

net::Task<Result<HiveReport>> ask_report(net::Loop& loop, net::Endpoint hive) {
  net::ClientRequest request{.target = "/report"};
  net::Task<Result<net::ClientResponse>> fetching =
      net::fetch(loop, std::move(hive), std::move(request), longest_catch_up);
  const Result<net::ClientResponse> response = co_await fetching;
  if (!response) co_return response.error();
  const Result<Json> json = parse_json(response->body);
  if (!json) co_return json.error();
  co_return report_from_json(*json);
}

bool is_as_new(const Snapshot& snapshot, const HiveReport& report) {
  return std::ranges::any_of(snapshot.hives, [&](const HiveView& hive) {
    return hive.name == report.hive && hive.reported && hive.report.sequence >= report.sequence;
  });
}

}  // namespace

net::Task<void> catch_up(std::shared_ptr<Core> core, net::Loop& loop) {
  const Instant deadline = loop.clock().now() + longest_catch_up;
  net::Endpoint hive = core->own_hive;
  net::Task<Result<HiveReport>> asking = ask_report(loop, std::move(hive));
  const Result<HiveReport> report = co_await asking;
  if (!report) co_return;
  while (!is_as_new(core->placing->snapshot(), *report) && loop.clock().now() < deadline) {
    co_await net::sleep_for(loop, look_every);
  }
}

}  // namespace rbee::keeper
