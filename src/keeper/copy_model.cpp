#include "keeper/copy_model.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"
#include "keeper/carry_model.h"
#include "keeper/relay.h"
#include "model/source.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr Milliseconds connects_within{2'000};
constexpr Milliseconds answers_within{10'000};
// A file that nobody knows the checksum of is read first: 100 GB from a slow disk.
constexpr Milliseconds ticket_within{15 * 60'000};
// Of a file whose checksum is known: who does not answer at once is no help.
constexpr Milliseconds peer_within{3'000};
// The first that is there serves; a second is for when it goes away.
constexpr std::size_t most_peers = 2;

struct Wanted {
  std::string model;
  std::string from;
  std::string to;
};

Result<const HiveView*> hive_of(const Snapshot& snapshot, const std::string& name) {
  const auto at = std::ranges::find(snapshot.hives, name, &HiveView::name);
  if (at == snapshot.hives.end()) return unknown_hive(snapshot, name);
  if (!at->answers()) return Error{ErrorCode::unreachable, cat("Hive '", name, "' does not answer."), {}, {}};
  return &*at;
}

// The id of its model; `model` may be any of its names.
Result<std::string> model_of(const HiveView& hive, const std::string& model) {
  std::vector<std::string> ids;
  for (const ModelFile& file : hive.report.models) {
    if (answers_to(file, model)) return file.id;
    ids.push_back(file.id);
  }
  return Error{ErrorCode::unknown_model, cat("Hive '", hive.name, "' has no model '", model, "'."),
               did_you_mean(model, ids)};
}

Result<Wanted> check(const Core& core, const Result<std::string_view>& body, std::string to) {
  if (!body) return body.error();
  const Result<Json> json = parse_json(*body);
  if (!json) return json.error();
  Wanted wanted{text_of(*json, "model"), text_of(*json, "from"), std::move(to)};
  if (wanted.from == wanted.to)
    return Error{ErrorCode::bad_request, "A copy goes from one hive to another.", {}, {}};
  const Snapshot snapshot = core.placing->snapshot();
  const Result<const HiveView*> target = hive_of(snapshot, wanted.to);
  if (!target) return target.error();
  const Result<const HiveView*> source = hive_of(snapshot, wanted.from);
  if (!source) return source.error();
  const Result<std::string> id = model_of(**source, wanted.model);
  if (!id) return id.error();
  wanted.model = *id;
  return wanted;
}

net::Task<Result<Json>> ask(std::shared_ptr<Core> core, net::Loop& loop, std::string hive,
                            net::ClientRequest request, Milliseconds within) {
  net::Task<Result<net::ClientResponse>> fetching =
      HiveConnections::fetch(core->hives, loop, std::move(hive), std::move(request), within);
  const Result<net::ClientResponse> response = co_await fetching;
  if (!response) co_return response.error();
  if (response->status >= 300) co_return error_of_hive(response->body);
  co_return parse_json(response->body);
}

// What a hive tells of a model's files, for whoever has that key.
net::Task<Result<Json>> ticket_of(std::shared_ptr<Core> core, net::Loop& loop, Wanted wanted,
                                  std::string for_key, Milliseconds within) {
  const std::string body = dump_json(Json{{"model", wanted.model}, {"for_key", for_key}});
  net::ClientRequest order{.method = "POST", .target = "/tickets", .headers = {}, .body = body};
  net::Task<Result<Json>> asking = ask(core, loop, wanted.from, std::move(order), within);
  const Result<Json> ticket = co_await asking;
  co_return ticket;
}

// What the taking hive is asked for: where the files are, and by which keys.
net::Task<Result<std::string>> prepare(std::shared_ptr<Core> core, net::Loop& loop, Wanted wanted,
                                       Milliseconds ticket_in) {
  net::ClientRequest who{.method = "GET", .target = "/identity"};
  net::Task<Result<Json>> asking = ask(core, loop, wanted.to, std::move(who), answers_within);
  const Result<Json> identity = co_await asking;
  if (!identity) co_return identity.error();
  asking = ticket_of(core, loop, wanted, text_of(*identity, "key"), ticket_in);
  Result<Json> ticket = co_await asking;
  if (!ticket) co_return ticket.error();
  (*ticket)["address"] = core->hives->way(wanted.from).endpoint.text();
  (*ticket)["hive"] = wanted.from;
  co_return dump_json(Json{{"source", cat("hive:", wanted.from, "/", wanted.model)}, {"from", *ticket}});
}

// Whether the one can dial the other.
net::Task<bool> can_reach(std::shared_ptr<Core> core, net::Loop& loop, Wanted wanted) {
  const HiveWay way = core->hives->way(wanted.from);
  if (way.endpoint.is_unix()) co_return false;
  const std::string body = dump_json(Json{{"address", way.endpoint.text()}, {"key", way.secure.pinned_key}});
  net::ClientRequest question{.method = "POST", .target = "/reach", .headers = {}, .body = body};
  net::Task<Result<Json>> asking = ask(core, loop, wanted.to, std::move(question), answers_within);
  const Result<Json> answer = co_await asking;
  co_return answer&& get_bool(*answer, "reached").value_or(false);
}

// A ticket for that hive's key, with where its files are; nothing where they cannot be had.
net::Task<Result<Json>> peer_of(std::shared_ptr<Core> core, net::Loop& loop, Wanted wanted) {
  net::Task<Result<std::string>> preparing = prepare(core, loop, std::move(wanted), peer_within);
  const Result<std::string> body = co_await preparing;
  if (!body) co_return body.error();
  const Result<Json> json = parse_json(*body);
  if (!json) co_return json.error();
  co_return json->at("from");
}

// Who may have what a download is of: by its name, and by a checksum that is known already. Whether it is the
// same the hive finds out.
std::vector<Wanted> peers_for(const Core& core, const Json& body, const std::string& to) {
  std::vector<Wanted> peers;
  const Result<model::Source> source =
      model::parse_source(text_of(body, "source"), text_of(body, "quant"), model::catalog());
  if (!source) return peers;
  for (const HiveView& hive : core.placing->snapshot().hives) {
    if (hive.name == to || !hive.answers() || core.hives->is_own(hive.name)) continue;
    for (const ModelFile& file : hive.report.models) {
      const bool quant = source->quant.empty() || equal_ignoring_case(source->quant, file.quant);
      if (peers.size() >= most_peers || file.sha256.empty() || !quant) continue;
      if (answers_to(file, source->name)) peers.push_back({file.id, hive.name, to});
    }
  }
  return peers;
}

net::Task<void> refuse_copy(net::Exchange& exchange, Error error) {
  net::Task<Result<void>> refusing = exchange.respond_error(std::move(error));
  const Result<void> ignored = co_await refusing;
  static_cast<void>(ignored);
}

net::Task<void> copy_directly(std::shared_ptr<Core> core, net::Exchange& exchange, Wanted wanted) {
  const std::string target = wanted.to;
  net::Task<void> refusing;
  net::Task<Result<std::string>> preparing = prepare(core, exchange.loop(), std::move(wanted), ticket_within);
  const Result<std::string> body = co_await preparing;
  if (!body) {
    refusing = refuse_copy(exchange, body.error());
    co_await refusing;
    co_return;
  }
  net::ClientRequest request{.method = "POST",
                             .target = "/downloads",
                             .headers = {{"Content-Type", "application/json"}},
                             .body = *body};
  net::Task<Result<net::ClientExchange>> asking = HiveConnections::ask(
      core->hives, exchange.loop(), target, std::move(request), connects_within, answers_within);
  Result<net::ClientExchange> from = co_await asking;
  const Error lost{
      ErrorCode::unreachable, cat("Hive '", target, "' went away before it had answered."), {}, {}};
  if (!from) {
    refusing = refuse_copy(exchange, lost);
    co_await refusing;
    co_return;
  }
  const HiveConnections::Flight flight(core->hives, exchange.loop(), target, *from);
  bool gone = false;
  net::ClientExchange* hive = &*from;
  exchange.on_disconnect([&gone, hive] {
    gone = true;
    hive->close();
  });
  RelayJob job{.api = Api::rbee, .when_lost = [lost] { return lost; }};
  Relayed relayed;
  net::Task<void> relaying = relay(exchange, *from, job, gone, relayed);
  co_await relaying;
  if (relayed.end != RelayEnd::lost_before) co_return;
  refusing = refuse_copy(exchange, lost);
  co_await refusing;
}

}  // namespace

net::Task<void> copy_model(std::shared_ptr<Core> core, net::Exchange& exchange, std::string to) {
  const Result<std::string_view> text = co_await exchange.read_body();
  Result<Wanted> wanted = check(*core, text, std::move(to));
  net::Task<void> answering;
  if (!wanted) {
    answering = refuse_copy(exchange, wanted.error());
    co_await answering;
    co_return;
  }
  net::Task<bool> reaching = can_reach(core, exchange.loop(), *wanted);
  const bool direct = co_await reaching;
  if (direct)
    answering = copy_directly(core, exchange, std::move(*wanted));
  else
    answering = carry(core, exchange, CarriedModel{wanted->model, wanted->from, wanted->to});
  co_await answering;
}

net::Task<std::string> with_peers(std::shared_ptr<Core> core, net::Loop& loop, std::string to,
                                  std::string body) {
  Result<Json> json = parse_json(body);
  if (!json || !json->is_object() || json->contains("peers") || json->contains("from")) co_return body;
  for (Wanted& peer : peers_for(*core, *json, to)) {
    net::Task<Result<Json>> asking = peer_of(core, loop, std::move(peer));
    const Result<Json> told = co_await asking;
    if (told) (*json)["peers"].push_back(*told);
  }
  co_return dump_json(*json);
}

}  // namespace rbee::keeper
