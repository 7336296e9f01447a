#include "engine/health.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::engine {
namespace {

constexpr std::size_t largest_health_bytes = 64u << 10;
// 2 kB a slot with its sampling parameters: room for 2,000 slots.
constexpr std::size_t largest_slots_bytes = 4u << 20;

net::Endpoint at(std::string socket) { return net::Endpoint{.unix_path = std::move(socket)}; }

net::ClientRequest get(std::string target) {
  net::ClientRequest request;
  request.target = std::move(target);
  request.headers.add("Connection", "close");
  return request;
}

Error not_understood(std::string_view what, std::string detail) {
  return Error{.code = ErrorCode::engine_failed,
               .message = cat("The engine's ", what, " is not what llama-server of this release says."),
               .detail = std::move(detail)};
}

std::uint64_t unsigned_field(const Json& object, std::string_view key) {
  const std::int64_t value = get_int(object, key).value_or(0);
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

}  // namespace

int SlotsView::busy() const {
  return static_cast<int>(std::ranges::count_if(slots, [](const SlotView& slot) { return slot.busy; }));
}

net::Task<Result<HealthState>> check_health(net::Loop& loop, std::string socket, Milliseconds within) {
  net::Endpoint to = at(std::move(socket));
  net::ClientRequest request = get("/health");
  auto answer = co_await net::fetch(loop, to, request, within, largest_health_bytes);
  if (!answer) {
    const ErrorCode code = answer.error().code;
    if (code == ErrorCode::unreachable || code == ErrorCode::timed_out) co_return HealthState::no_answer;
    co_return answer.error();
  }
  if (answer->status == 200) co_return HealthState::ready;
  if (answer->status == 503) co_return HealthState::loading;
  co_return not_understood("health", cat("status ", answer->status, ": ", answer->body.substr(0, 200)));
}

Result<SlotsView> parse_slots(std::string_view body) {
  const Result<Json> json = parse_json(body);
  if (!json || !json->is_array()) return not_understood("list of slots", std::string(body.substr(0, 200)));
  SlotsView view;
  for (const Json& slot : *json) {
    if (!slot.is_object()) return not_understood("list of slots", std::string(body.substr(0, 200)));
    SlotView row{.id = static_cast<int>(get_int(slot, "id").value_or(0) & 0xffff),
                 .busy = get_bool(slot, "is_processing").value_or(false),
                 .prompt_processed = unsigned_field(slot, "n_prompt_tokens_processed")};
    const Json& next = get_array(slot, "next_token");
    if (next.is_array() && !next.empty()) row.decoded = unsigned_field(next.front(), "n_decoded");
    view.slots.push_back(row);
  }
  return view;
}

net::Task<Result<SlotsView>> read_slots(net::Loop& loop, std::string socket, Milliseconds within) {
  net::Endpoint to = at(std::move(socket));
  net::ClientRequest request = get("/slots");
  auto answer = co_await net::fetch(loop, to, request, within, largest_slots_bytes);
  if (!answer) co_return answer.error();
  if (answer->status != 200) {
    co_return not_understood("list of slots",
                             cat("status ", answer->status, ": ", answer->body.substr(0, 200)));
  }
  co_return parse_slots(answer->body);
}

}  // namespace rbee::engine
