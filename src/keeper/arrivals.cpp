#include "keeper/arrivals.h"

#include "base/text.h"
#include "domain/link_request.h"
#include "keeper/hive_admin.h"
#include "keeper/pairing.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// An address that does not answer in the house by then leads nowhere from here.
constexpr Milliseconds reached_within{1'000};
// Anybody with a key may send one, so nothing large is read.
constexpr std::uint64_t largest_request_bytes = 16384;
constexpr int status_asking = 202;

net::Task<void> respond(net::Exchange& exchange, int status, Result<Json> json) {
  std::string text = json ? dump_json(*json) : std::string();
  net::Task<Result<void>> responding =
      json ? exchange.respond_json(status, std::move(text)) : exchange.respond_error(json.error());
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

std::optional<KnownHive> hive_with_key(const Core& core, std::string_view key_print) {
  if (key_print.empty()) return std::nullopt;
  for (KnownHive& hive : core.state->known_hives()) {
    if (hive.key_print == key_print) return std::move(hive);
  }
  return std::nullopt;
}

Result<void> take_asking(Core& core, const LinkRequest& request, std::string key_print) {
  if (!request.asking) {
    return Error{ErrorCode::not_allowed, cat("Hive '", request.name, "' does not belong to this keeper."),
                 "`rbee hive join KEEPER` on its machine asks to be let in."};
  }
  for (const KnownHive& hive : core.state->known_hives()) {
    if (hive.name != request.name) continue;
    return Error{ErrorCode::name_taken, cat("There is a hive '", request.name, "' already."),
                 "`rbee hive join KEEPER --name N` asks under another name."};
  }
  const auto before = core.asking.all(core.clock.now());
  Result<void> asked = core.asking.ask({.name = request.name,
                                        .key_print = key_print,
                                        .version = request.version,
                                        .addresses = request.addresses,
                                        .last_asked = core.clock.now()});
  const bool is_new = std::ranges::find(before, key_print, &AskingHive::key_print) == before.end();
  if (asked && is_new) {
    core.log->info(cat("Hive '", request.name, "' with the key ", key_print,
                       " asks to be let in: `rbee hive approve ", request.name, "`."));
  }
  return asked;
}

// The first of its addresses where its key answers; nothing where none does.
net::Task<std::optional<net::Endpoint>> reach(std::shared_ptr<Core> core, net::Loop& loop,
                                              std::string key_print, std::vector<std::string> addresses) {
  for (const std::string& address : addresses) {
    const Result<net::Endpoint> endpoint = net::parse_endpoint(address, default_hive_port);
    if (!endpoint || endpoint->is_unix()) continue;
    net::Endpoint to = *endpoint;
    net::Secure secure{core->tls, key_print};
    net::Task<Result<net::Stream>> connecting =
        net::connect_secure(loop, std::move(to), std::move(secure), reached_within);
    const Result<net::Stream> stream = co_await connecting;
    if (stream) co_return *endpoint;
  }
  co_return std::nullopt;
}

bool is_up(const Core& core, const std::string& hive) {
  const Snapshot snapshot = core.placing->snapshot();
  const auto found = std::ranges::find(snapshot.hives, hive, &HiveView::name);
  return found != snapshot.hives.end() && found->state == HiveState::up;
}

// From now on it is asked there, or over what it lends.
void ask_it_by(Core& core, const std::string& hive, HiveWay way) {
  core.log->info(cat("Hive '", hive, "' ", way.lent ? "dials this keeper" : cat("is at ", way.text()), "."));
  core.hives->set(hive, std::move(way));
  core.links->follow(hive);
}

// Whether the connection is to be lent. Else the hive is reached, or is by now.
net::Task<bool> wants_connection(std::shared_ptr<Core> core, net::Loop& loop, KnownHive hive,
                                 LinkRequest request) {
  const HiveWay way = core->hives->way(hive.name);
  if (request.spare) co_return way.lent;
  const bool up = !way.lent && is_up(*core, hive.name);
  const std::vector<std::string>& told = request.addresses;
  const bool moved = !told.empty() && std::ranges::find(told, way.text()) == told.end();
  if (up && !moved) co_return false;
  net::Task<std::optional<net::Endpoint>> reaching =
      reach(core, loop, hive.key_print, std::move(request.addresses));
  const std::optional<net::Endpoint> there = co_await reaching;
  if (there) {
    if (way.lent || way.endpoint.text() != there->text())
      ask_it_by(*core, hive.name, {.endpoint = *there, .secure = {core->tls, hive.key_print}});
    co_return false;
  }
  if (up) co_return false;
  if (!way.lent) ask_it_by(*core, hive.name, {.secure = {core->tls, hive.key_print}, .lent = true});
  co_return true;
}

net::Task<void> lend(std::shared_ptr<Core> core, net::Exchange& exchange, std::string hive) {
  net::Headers headers{{"Upgrade", "rbee-hive"}};
  net::Task<Result<net::Stream>> handing = exchange.hand_over(std::move(headers));
  Result<net::Stream> stream = co_await handing;
  if (stream) core->hives->lend(hive, std::move(*stream));
}

}  // namespace

net::Task<void> answer_hive(std::shared_ptr<Core> core, net::Exchange& exchange) {
  const std::string key_print = exchange.peer_key();
  const Result<std::string_view> body = co_await exchange.read_body(largest_request_bytes);
  Result<LinkRequest> request = body ? parse_link_request(*body) : body.error();
  if (request && key_print.empty())
    request = Error{ErrorCode::not_allowed, "This is for hives, which show their key."};
  if (request) {
    const Result<void> same = check_versions(core->options.version, request->name, request->version);
    if (!same) request = same.error();
  }
  const std::optional<KnownHive> known = hive_with_key(*core, key_print);
  Result<Json> answer = Json{{"hive", known ? known->name : std::string()}};
  int status = 200;
  const bool may_lend = exchange.head().headers.find("Upgrade").has_value();
  if (!request) {
    answer = request.error();
  } else if (!known) {
    // Its user has typed `hive join`: an earlier no is forgotten.
    if (!may_lend) core->asking.forgive(key_print);
    const Result<void> asked = take_asking(*core, *request, key_print);
    status = status_asking;
    if (!asked) answer = asked.error();
  } else if (may_lend) {
    net::Task<bool> deciding = wants_connection(core, exchange.loop(), *known, std::move(*request));
    const bool wanted = co_await deciding;
    if (wanted) {
      net::Task<void> lending = lend(core, exchange, known->name);
      co_await lending;
      co_return;
    }
  }
  net::Task<void> responding = respond(exchange, status, std::move(answer));
  co_await responding;
}

net::Task<Result<Json>> approve_hive(std::shared_ptr<Core> core, net::Loop& loop, std::string name) {
  const std::vector<AskingHive> all = core->asking.all(core->clock.now());
  const std::optional<AskingHive> asked = core->asking.take(name);
  if (!asked) {
    std::vector<std::string> names;
    for (const AskingHive& one : all) names.push_back(one.name);
    std::string near = did_you_mean(name, names);
    if (near.empty()) near = "`rbee hive list` shows those that ask.";
    co_return Error{ErrorCode::unknown_name, cat("No hive '", name, "' asks to be let in."), std::move(near)};
  }
  KnownHive hive{.name = name,
                 .address = std::string(dials_in),
                 .last_seen_ms = core->clock.unix_ms(),
                 .key_print = asked->key_print,
                 .models = {}};
  core->placing->remember(name, hive.address, {});
  // Before it is known: the hive may come the moment after, and have it asked at its address.
  core->hives->set(name, {.secure = {core->tls, asked->key_print}, .lent = true});
  net::Task<Result<void>> adding = core->state->add_hive(loop, std::move(hive));
  const Result<void> kept = co_await adding;
  if (!kept) {
    core->hives->remove(name);
    core->placing->forget(name);
    co_return kept.error();
  }
  // It may have asked once more in between.
  static_cast<void>(core->asking.take(name));
  if (core->hives->way(name).lent) core->links->follow(name);
  core->log->info(cat("Hive '", name, "' belongs to this system now; its key is ", asked->key_print, "."));
  // It asks every two seconds, and learns then that it is in.
  net::Task<void> waiting = wait_for_report(core, loop, name);
  co_await waiting;
  co_return hive_json(*core, name);
}

Json asking_json(const Core& core) {
  Json rows = Json::array();
  const Instant now = core.clock.now();
  for (const AskingHive& hive : core.asking.all(now)) {
    rows.push_back({{"name", hive.name},
                    {"address", hive.addresses.empty() ? std::string(dials_in) : hive.addresses.front()},
                    {"state", "asking"},
                    {"version", hive.version},
                    {"last_seen_ms", (now - hive.last_asked).count()},
                    {"workers", 0},
                    {"key", hive.key_print}});
  }
  return rows;
}

}  // namespace rbee::keeper
