#include "keeper/hive_admin.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"
#include "keeper/arrivals.h"
#include "keeper/listening.h"
#include "keeper/pairing.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// A hive that was let in reports at once; who waits for the answer is told without it after this.
constexpr Milliseconds first_report_within{5'000};
constexpr Milliseconds look_every{20};
// On a unix socket, and from memory.
constexpr Milliseconds own_hive_answers_within{2'000};
// A hive that is let out is told so, if it answers.
constexpr Milliseconds farewell_within{2'000};

Result<PairWith> wanted_of(const Json& body, const Core& core) {
  PairWith with{.name = text_of(body, "name"),
                .hive = {},
                .token = {},
                .version = core.options.version,
                .addresses = {}};
  if (Result<void> good = check_name(with.name); !good) return good.error();
  const std::string address = text_of(body, "address");
  Result<net::Endpoint> endpoint = net::parse_endpoint(address, default_hive_port);
  if (!endpoint || endpoint->is_unix()) {
    return Error{ErrorCode::bad_request, cat("'", address, "' is no address of a machine."),
                 "Write it as numbers, like 192.168.1.100 or 192.168.1.100:7835."};
  }
  if (endpoint->text() == core.address.text()) {
    return Error{ErrorCode::bad_request,
                 cat(address, " is this keeper's own address, where no hive listens."),
                 cat("A hive's port is ", default_hive_port,
                     " unless it was told another: `rbee hive token` on its machine names it.")};
  }
  with.hive = std::move(*endpoint);
  Result<HiveToken> token = parse_token(text_of(body, "token"));
  if (!token) return token.error();
  with.token = std::move(*token);
  with.addresses = addresses_for_hives(core.options, core.address);
  return with;
}

// By whatever address it is called: its key tells.
net::Task<Result<void>> check_not_own(std::shared_ptr<Core> core, net::Loop& loop, PairWith with) {
  const std::string own(own_hive);
  if (!core->hives->way(own).is_known) co_return Result<void>{};
  net::ClientRequest request{.method = "GET", .target = "/identity"};
  net::Task<Result<net::ClientResponse>> asking =
      HiveConnections::fetch(core->hives, loop, own, std::move(request), own_hive_answers_within);
  const Result<net::ClientResponse> answer = co_await asking;
  const Result<Json> identity = answer ? parse_json(answer->body) : answer.error();
  // It does not run: then nobody comes in by its token either.
  if (!identity || get_string(*identity, "key") != with.token.key_print) co_return Result<void>{};
  co_return Error{
      ErrorCode::in_use,
      cat("The hive at ", with.hive.text(), " is the keeper's own: it is in this system already."),
      "Nothing needs to be added: `rbee hive list` shows it, `rbee worker deploy` uses it."};
}

// A hive is known by its key: the same one under another name, or another one under that name, is an error.
Result<void> check_new(const Core& core, const PairWith& with) {
  for (const KnownHive& known : core.state->known_hives()) {
    const bool same_key = known.key_print == with.token.key_print;
    if (known.name == with.name && !same_key) {
      return Error{ErrorCode::name_taken,
                   cat("There is a hive '", with.name, "' already, at ", known.address, "."),
                   cat("Choose another name, or `rbee hive remove ", with.name, "` first.")};
    }
    if (known.name != with.name && same_key) {
      return Error{ErrorCode::in_use,
                   cat("The hive at ", with.hive.text(), " is '", known.name, "' already."),
                   cat("`rbee hive remove ", known.name, "` first, to give it another name.")};
    }
  }
  return {};
}

}  // namespace

net::Task<void> wait_for_report(std::shared_ptr<Core> core, net::Loop& loop, std::string name) {
  const Instant deadline = loop.clock().now() + first_report_within;
  while (loop.clock().now() < deadline) {
    if (core->placing->is_up(name)) co_return;
    net::Task<void> resting = net::sleep_for(loop, look_every);
    co_await resting;
  }
}

net::Task<Result<Json>> add_hive(std::shared_ptr<Core> core, net::Exchange& exchange) {
  const Result<std::string_view> text = co_await exchange.read_body();
  if (!text) co_return text.error();
  const Result<Json> body = parse_json(*text);
  if (!body) co_return body.error();
  Result<PairWith> with = wanted_of(*body, *core);
  if (!with) co_return with.error();
  if (const Result<void> fresh = check_new(*core, *with); !fresh) co_return fresh.error();
  net::Task<Result<void>> checking = check_not_own(core, exchange.loop(), *with);
  const Result<void> foreign = co_await checking;
  if (!foreign) co_return foreign.error();
  const std::string name = with->name;
  const net::Endpoint address = with->hive;
  net::Task<Result<std::string>> pairing = pair(exchange.loop(), core->tls, std::move(*with));
  const Result<std::string> key = co_await pairing;
  if (!key) co_return key.error();
  KnownHive hive{.name = name,
                 .address = address.text(),
                 .last_seen_ms = core->clock.unix_ms(),
                 .key_print = *key,
                 .models = {}};
  core->placing->remember(name, hive.address, {});
  net::Task<Result<void>> adding = core->state->add_hive(exchange.loop(), std::move(hive));
  const Result<void> kept = co_await adding;
  if (!kept) co_return kept.error();
  core->hives->set(name, {.endpoint = address, .secure = {core->tls, *key}});
  core->links->follow(name);
  core->log->info(cat("Hive '", name, "' at ", address.text(), " belongs to this system now."));
  net::Task<void> waiting = wait_for_report(core, exchange.loop(), name);
  co_await waiting;
  co_return hive_json(*core, name);
}

net::Task<Result<Json>> remove_hive(std::shared_ptr<Core> core, net::Loop& loop, std::string name) {
  // One that only asks hears it when it asks again.
  if (core->asking.refuse(name)) co_return Json{{"removed", name}, {"told", false}};
  const Result<Json> known = hive_json(*core, name);
  if (!known) co_return known.error();
  if (core->hives->is_own(name)) {
    co_return Error{ErrorCode::not_allowed, cat("'", name, "' is the hive of the keeper's own machine."),
                    "`rbee worker stop` takes its workers out of service."};
  }
  net::ClientRequest request{.method = "DELETE", .target = "/keeper"};
  net::Task<Result<net::ClientResponse>> telling =
      HiveConnections::fetch(core->hives, loop, name, std::move(request), farewell_within);
  const Result<net::ClientResponse> told = co_await telling;
  net::Task<Result<void>> erasing = core->state->remove_hive(loop, name);
  const Result<void> erased = co_await erasing;
  if (!erased) co_return erased.error();
  core->links->forget(name);
  core->hives->remove(name);
  core->placing->forget(name);
  core->log->info(cat("Hive '", name, "' does not belong to this system any more."));
  co_return Json{{"removed", name}, {"told", told && told->status < 300}};
}

Result<Json> hive_json(const Core& core, const std::string& name) {
  const Snapshot snapshot = core.placing->snapshot();
  for (Json& row : hives_json(snapshot, core.clock.now())) {
    if (row.value("name", "") != name) continue;
    const HiveWay way = core.hives->way(name);
    row["key"] = way.secure.pinned_key.empty() ? Json() : Json(way.secure.pinned_key);
    row["secure"] = way.secure.context != nullptr;
    row["own"] = way.endpoint.is_unix();
    row["dials"] = way.lent;
    return std::move(row);
  }
  for (Json& row : asking_json(core)) {
    if (row.value("name", "") == name) return std::move(row);
  }
  return unknown_hive(snapshot, name);
}

}  // namespace rbee::keeper
