#include "keeper/catch_up.h"

#include "net/client.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// Between two looks at the copy: a report is parsed in less.
constexpr Milliseconds look_every{2};

net::Task<Result<HiveReport>> ask_report(std::shared_ptr<Core> core, net::Loop& loop, std::string hive) {
  net::ClientRequest request{.target = "/report"};
  net::Task<Result<net::ClientResponse>> fetching =
      HiveConnections::fetch(core->hives, loop, std::move(hive), std::move(request), longest_catch_up);
  const Result<net::ClientResponse> response = co_await fetching;
  if (!response) co_return response.error();
  const Result<Json> json = parse_json(response->body);
  if (!json) co_return json.error();
  co_return report_from_json(*json);
}

bool is_as_new(const Snapshot& snapshot, const std::string& name, const HiveReport& report) {
  return std::ranges::any_of(snapshot.hives, [&](const HiveView& hive) {
    return hive.name == name && hive.reported && hive.report.sequence >= report.sequence;
  });
}

}  // namespace

net::Task<void> catch_up(std::shared_ptr<Core> core, net::Loop& loop, std::string hive) {
  const Instant deadline = loop.clock().now() + longest_catch_up;
  net::Task<Result<HiveReport>> asking = ask_report(core, loop, hive);
  const Result<HiveReport> report = co_await asking;
  if (!report) co_return;
  while (!is_as_new(core->placing->snapshot(), hive, *report) && loop.clock().now() < deadline) {
    co_await net::sleep_for(loop, look_every);
  }
}

}  // namespace rbee::keeper
