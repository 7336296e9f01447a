#include "keeper/carry_model.h"

#include "base/text.h"
#include "net/identity_files.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// A hive takes bodies of 64 MB, and an answer that is read whole has at most 16: half of that, so that both
// ends work while a piece is on its way.
constexpr std::uint64_t piece_bytes = std::uint64_t{8} << 20;
constexpr Milliseconds answers_within{10'000};
constexpr Milliseconds piece_within{60'000};
// A file that nobody knows the checksum of is read first, and at the end once more: 100 GB from a slow disk.
constexpr Milliseconds checks_within{15 * 60'000};
constexpr Milliseconds between_events{200};

struct Carrying {
  std::shared_ptr<Core> core;
  net::Exchange& exchange;
  CarriedModel what;
  std::string ticket = {};
  std::string upload = {};
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::optional<Instant> told_at = {};
};

net::Task<Result<std::string>> ask(Carrying& carrying, std::string hive, net::ClientRequest request,
                                   Milliseconds within) {
  net::Task<Result<net::ClientResponse>> fetching = HiveConnections::fetch(
      carrying.core->hives, carrying.exchange.loop(), std::move(hive), std::move(request), within);
  Result<net::ClientResponse> response = co_await fetching;
  if (!response) co_return response.error();
  if (response->status >= 300) co_return error_of_hive(response->body);
  co_return std::move(response->body);
}

net::Task<Result<Json>> ask_json(Carrying& carrying, std::string hive, std::string target, std::string body,
                                 Milliseconds within) {
  net::ClientRequest request{.method = "POST", .target = std::move(target), .headers = {}, .body = body};
  net::Task<Result<std::string>> asking = ask(carrying, std::move(hive), std::move(request), within);
  const Result<std::string> text = co_await asking;
  if (!text) co_return text.error();
  co_return parse_json(*text);
}

// False: the client is gone. What has come stays.
net::Task<bool> tell(Carrying& carrying) {
  const Instant now = carrying.core->clock.now();
  if (carrying.told_at && now - *carrying.told_at < between_events) co_return true;
  carrying.told_at = now;
  const std::string message = cat(carrying.what.model, " ", bytes_text(carrying.done), " of ",
                                  bytes_text(carrying.total), ", through the keeper");
  const std::string event = net::format_sse(
      "progress", dump_json(Json{{"message", message}, {"done", carrying.done}, {"total", carrying.total}}));
  const Result<void> written = co_await carrying.exchange.write(event);
  co_return written.has_value();
}

net::Task<Result<void>> carry_file(Carrying& carrying, std::size_t number, std::uint64_t have,
                                   std::uint64_t bytes) {
  carrying.done += have;
  while (have < bytes) {
    const std::uint64_t end = std::min(bytes, have + piece_bytes);
    net::ClientRequest get{.method = "GET", .target = cat("/files/", carrying.ticket, "/", number)};
    get.headers.add("Range", cat("bytes=", have, "-", end - 1));
    net::Task<Result<std::string>> getting = ask(carrying, carrying.what.from, std::move(get), piece_within);
    const Result<std::string> piece = co_await getting;
    if (!piece) co_return piece.error();
    std::string target = cat("/uploads/", carrying.upload, "/", number, "/", have);
    net::Task<Result<Json>> putting =
        ask_json(carrying, carrying.what.to, std::move(target), *piece, piece_within);
    const Result<Json> taken = co_await putting;
    if (!taken) co_return taken.error();
    have = end;
    carrying.done += piece->size();
    net::Task<bool> telling = tell(carrying);
    const bool looks_on = co_await telling;
    if (!looks_on) co_return Error{ErrorCode::cancelled, "Nobody looks on any more.", {}, {}};
  }
  co_return Result<void>{};
}

// By the socket of this home no key is shown.
Result<std::string> own_key(const Core& core, const std::string& hive) {
  if (core.hives->is_own(hive)) return std::string();
  const Result<net::TlsIdentity> identity = net::open_identity(core.options.state_folder, "rbee keeper");
  if (!identity) return identity.error();
  return net::key_print_of(*identity);
}

// The files that are to be brought, with how much of each is there.
net::Task<Result<Json>> begin(Carrying& carrying) {
  const Result<std::string> key = own_key(*carrying.core, carrying.what.from);
  if (!key) co_return key.error();
  std::string wish = dump_json(Json{{"model", carrying.what.model}, {"for_key", *key}});
  net::Task<Result<Json>> asking =
      ask_json(carrying, carrying.what.from, "/tickets", std::move(wish), checks_within);
  const Result<Json> ticket = co_await asking;
  if (!ticket) co_return ticket.error();
  carrying.ticket = text_of(*ticket, "ticket");
  std::string order = dump_json(*ticket);
  asking = ask_json(carrying, carrying.what.to, "/uploads", std::move(order), answers_within);
  const Result<Json> upload = co_await asking;
  if (!upload) co_return upload.error();
  carrying.upload = text_of(*upload, "id");
  Json files = Json::array();
  const Json& have = get_array(*upload, "have");
  for (const Json& file : get_array(*ticket, "files")) {
    const std::uint64_t bytes = file.value("bytes", std::uint64_t{0});
    const std::uint64_t there = files.size() < have.size() ? have.at(files.size()).get<std::uint64_t>() : 0;
    carrying.total += bytes;
    files.push_back({{"bytes", bytes}, {"have", std::min(there, bytes)}});
  }
  co_return files;
}

net::Task<Result<Json>> bring(Carrying& carrying, Json files) {
  for (std::size_t number = 0; number < files.size(); ++number) {
    const Json& file = files.at(number);
    net::Task<Result<void>> carrying_one = carry_file(carrying, number, file.at("have").get<std::uint64_t>(),
                                                      file.at("bytes").get<std::uint64_t>());
    const Result<void> carried = co_await carrying_one;
    if (!carried) co_return carried.error();
  }
  std::string target = cat("/uploads/", carrying.upload, "/done");
  std::string nothing = "{}";
  net::Task<Result<Json>> ending =
      ask_json(carrying, carrying.what.to, std::move(target), std::move(nothing), checks_within);
  const Result<Json> ended = co_await ending;
  co_return ended;
}

}  // namespace

net::Task<void> carry(std::shared_ptr<Core> core, net::Exchange& exchange, CarriedModel what) {
  Carrying carrying{.core = core, .exchange = exchange, .what = std::move(what)};
  net::Task<Result<Json>> beginning = begin(carrying);
  const Result<Json> files = co_await beginning;
  if (!files) {
    net::Task<Result<void>> refusing = exchange.respond_error(files.error());
    const Result<void> ignored = co_await refusing;
    static_cast<void>(ignored);
    co_return;
  }
  net::Headers headers{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}};
  const Result<void> started = co_await exchange.start(200, headers);
  if (!started) co_return;
  net::Task<Result<Json>> bringing = bring(carrying, *files);
  const Result<Json> brought = co_await bringing;
  const std::string event = brought ? net::format_sse("result", dump_json(*brought))
                                    : net::format_sse("error", dump_json(error_json(brought.error())));
  const Result<void> told = co_await exchange.write(event);
  if (!told) co_return;
  const Result<void> ended = co_await exchange.finish();
  static_cast<void>(ended);
}

}  // namespace rbee::keeper
