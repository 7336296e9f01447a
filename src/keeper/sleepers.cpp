#include "keeper/sleepers.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"
#include "keeper/hive_connections.h"
#include "net/wake_on_lan.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr Milliseconds look_every{10};
constexpr std::uint16_t wake_port = 9;
// Everybody in the keeper's own network: routers pass it on to nobody.
net::Endpoint everybody() { return {.unix_path = {}, .address = "255.255.255.255", .port = wake_port}; }

bool holds(const HiveView& hive, std::string_view model) {
  return std::ranges::any_of(hive.report.models,
                             [&](const ModelFile& file) { return answers_to(file, model); });
}

bool shares_a_card(const HiveView& one, const HiveView& other) {
  return std::ranges::find_first_of(one.report.mac_addresses, other.report.mac_addresses) !=
         one.report.mac_addresses.end();
}

// One on loopback is this machine, which does not sleep while the keeper asks. One that dials in has no
// address: it is this machine where another hive that is here has the same network card.
bool is_elsewhere(const Snapshot& snapshot, const HiveView& hive) {
  if (hive.address != dials_in) {
    const Result<net::Endpoint> address = net::parse_endpoint(hive.address, default_hive_port);
    return address && !address->is_unix() && !net::is_loopback(*address);
  }
  return std::ranges::none_of(snapshot.hives, [&](const HiveView& other) {
    return other.address != dials_in && shares_a_card(hive, other) && !is_elsewhere(snapshot, other);
  });
}

Result<void> send(const Core& core, const std::vector<std::string>& mac_addresses) {
  const net::Endpoint to = core.options.wake_address.value_or(everybody());
  Result<void> sent;
  for (const std::string& text : mac_addresses) {
    const std::optional<net::MacAddress> mac = net::parse_mac(text);
    if (mac) sent = net::send_wake_packet(to, net::wake_packet(*mac));
    if (!sent) return sent;
  }
  return sent;
}

bool is_served(const Snapshot& snapshot, std::string_view model) {
  return std::ranges::any_of(snapshot.hives, [&](const HiveView& hive) {
    return hive.state == HiveState::up && holds(hive, model);
  });
}

bool all_have_reported(const Snapshot& snapshot, const Core& core) {
  if (!core.options.own_hive_socket.empty() && snapshot.hives.empty()) return false;
  return std::ranges::all_of(snapshot.hives, &HiveView::reported);
}

}  // namespace

std::vector<Sleeper> sleepers_with(const Snapshot& snapshot, std::string_view model, bool any_address) {
  std::vector<Sleeper> sleepers;
  if (is_served(snapshot, model)) return sleepers;
  for (const HiveView& hive : snapshot.hives) {
    if (hive.state != HiveState::gone || hive.report.mac_addresses.empty() || !holds(hive, model)) continue;
    if (any_address || is_elsewhere(snapshot, hive))
      sleepers.push_back({hive.name, hive.report.mac_addresses});
  }
  return sleepers;
}

bool may_lack_reports(const Core& core) { return core.clock.recent() - core.started < first_reports_within; }

net::Task<void> wait_for_first_reports(std::shared_ptr<Core> core, net::Loop& loop, std::string model) {
  while (may_lack_reports(*core)) {
    const Snapshot snapshot = core->placing->snapshot();
    if (all_have_reported(snapshot, *core) || is_served(snapshot, model)) co_return;
    net::Task<void> resting = net::sleep_for(loop, look_every);
    co_await resting;
  }
}

net::Task<Woken> wake_holders(std::shared_ptr<Core> core, net::Loop& loop, std::string model,
                              const bool& client_left) {
  const bool any_address = core->options.wake_address.has_value();
  const std::vector<Sleeper> sleepers = sleepers_with(core->placing->snapshot(), model, any_address);
  if (sleepers.empty()) co_return Woken::nobody;
  const Instant begun = core->clock.now();
  Instant next = begun;
  while (!client_left && core->clock.now() - begun < wakes_within) {
    if (core->clock.now() >= next) {
      next += wake_again_every;
      for (const Sleeper& sleeper : sleepers) {
        const Result<void> sent = send(*core, sleeper.mac_addresses);
        core->log->info(sent ? cat("'", model, "' is asked for: hive '", sleeper.hive, "' is woken.")
                             : sent.error().message);
      }
    }
    net::Task<void> resting = net::sleep_for(loop, 10 * look_every);
    co_await resting;
    if (is_served(core->placing->snapshot(), model)) co_return Woken::there;
  }
  co_return Woken::not_yet;
}

Result<Json> wake_hive(const Core& core, const std::string& name) {
  const Snapshot snapshot = core.placing->snapshot();
  const auto hive = std::ranges::find(snapshot.hives, name, &HiveView::name);
  if (hive == snapshot.hives.end()) return unknown_hive(snapshot, name);
  Json answer{{"hive", name}, {"state", hive_state_name(hive->shown_state())}};
  if (hive->answers()) return answer;
  if (hive->report.mac_addresses.empty()) {
    return Error{
        ErrorCode::unsupported,
        cat("Hive '", name, "' has not told the address of a network card by which it could be woken."),
        "A hive tells it when it reports; start the machine by hand once."};
  }
  if (!core.options.wake_address && !is_elsewhere(snapshot, *hive)) {
    return Error{ErrorCode::unsupported, cat("Hive '", name, "' runs on the keeper's own machine."),
                 "`rbee hive` starts it there."};
  }
  if (Result<void> sent = send(core, hive->report.mac_addresses); !sent) return sent.error();
  answer["mac_addresses"] = hive->report.mac_addresses;
  return answer;
}

}  // namespace rbee::keeper
