// hive join: on the hive's machine. It asks a keeper to be let in, and pins that keeper's key; the hive that
// runs in this home goes on asking until `rbee hive approve` is typed where the keeper is.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/home_lock.h"
#include "cli/keeper_address.h"
#include "cli/run.h"
#include "cli/running_hive.h"
#include "domain/link_request.h"
#include "domain/model_name.h"
#include "hive/dialler.h"
#include "hive/door.h"
#include "net/identity_files.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

constexpr Milliseconds answers_within{5'000};
constexpr std::size_t largest_answer_bytes = 65536;

struct Asked {
  int status = 0;
  std::string body = {};
  std::string keeper_key = {};
};

// One request over TLS with this hive's key; the keeper's is looked at before anything is said.
net::Task<Result<Asked>> ask(net::Loop& loop, KeeperAddress keeper, net::Secure secure, std::string body) {
  net::Endpoint to = keeper.endpoint;
  net::Task<Result<net::Stream>> connecting =
      net::connect_secure(loop, std::move(to), std::move(secure), answers_within);
  Result<net::Stream> stream = co_await connecting;
  if (!stream) co_return stream.error();
  Asked asked{.keeper_key = stream->peer_key()};
  net::ClientRequest request{.method = "POST",
                             .target = hive::link_path,
                             .headers = {{"Content-Type", "application/json"}},
                             .body = body};
  net::Endpoint named = keeper.endpoint;
  net::Task<Result<net::ClientExchange>> beginning =
      net::ClientExchange::begin_on(std::move(*stream), std::move(named), std::move(request), answers_within);
  Result<net::ClientExchange> exchange = co_await beginning;
  if (!exchange) co_return exchange.error();
  const Result<void> head = co_await exchange->read_head(answers_within);
  if (!head) co_return head.error();
  Result<std::string> text = co_await exchange->read_all(largest_answer_bytes, answers_within);
  if (!text) co_return text.error();
  asked.status = exchange->head().status;
  asked.body = std::move(*text);
  co_return std::move(asked);
}

// A hive belongs to one system: that of its home's keeper, where one runs.
Result<void> check_free(const Context& context, const hive::TrustFiles& trust) {
  if (const std::optional<Holder> holder = find_holder(context.paths.lock)) {
    return Error{
        ErrorCode::in_use,
        cat("This hive is that of the keeper of its own home, where `rbee ", holder->command, "` runs."),
        "`rbee down` ends it; `rbee hive` runs a hive alone, which can join another machine's keeper."};
  }
  const Result<std::optional<hive::KnownKeeper>> keeper = trust.read_keeper();
  if (!keeper) return keeper.error();
  if (!*keeper || (*keeper)->asking) return {};
  return Error{
      ErrorCode::in_use,
      cat("This hive is '", (*keeper)->hive_name, "' of a keeper already (key ", (*keeper)->key_print, ")."),
      "`rbee hive token --revoke` makes it forget that one; then it can join another."};
}

Result<std::string> name_to_ask_for(const Context& context) {
  std::string name = context.options.name;
  if (name.empty()) name = name_of_running_hive(context);
  if (name.empty()) name = context.environment.hostname;
  if (Result<void> good = check_name(name); !good) return good.error();
  return name;
}

Error not_a_keeper(const KeeperAddress& keeper, Error why) {
  if (why.code == ErrorCode::wrong_key) {
    why.message = cat("The keeper at ", keeper.endpoint.text(), " has another key than the one given.");
    why.hint =
        "Compare it with what its log says at its start; if it is the right machine, somebody is in between.";
  } else if (why.code == ErrorCode::unreachable || why.code == ErrorCode::timed_out) {
    why.hint =
        cat("Does a keeper listen there for other machines (listen under [keeper] in rbee.toml), and is "
            "port ",
            keeper.endpoint.port, " open in its firewall?");
  }
  return why;
}

void tell(const Context& context, const hive::KnownKeeper& keeper, const std::string& own_key, bool runs) {
  context.out.document(Json{{"state", keeper.asking ? "asking" : "known"},
                            {"hive", keeper.hive_name},
                            {"keeper", keeper.addresses.front()},
                            {"keeper_key", keeper.key_print},
                            {"key", own_key},
                            {"running", runs}});
  if (!keeper.asking) {
    context.out.line(cat("This hive belongs to that keeper already, as '", keeper.hive_name, "'."));
    return;
  }
  context.out.line(
      cat("This hive asks ", keeper.addresses.front(), " to be let in as '", keeper.hive_name, "'."));
  context.out.note(cat("Next, where the keeper is: rbee hive approve ", keeper.hive_name));
  context.out.note(cat("`rbee hive info ", keeper.hive_name, "` there must show the key ", own_key,
                       ", and `rbee status --json` the keeper's, ", keeper.key_print, "."));
  if (!runs) context.out.note("No hive runs here now: `rbee hive` starts it, and it goes on asking.");
}

}  // namespace

Result<void> run_hive_join(const Context& context) {
  const hive::TrustFiles trust(context.paths.hive_folder);
  if (const Result<void> is_free = check_free(context, trust); !is_free) return is_free;
  std::string given = context.options.source;
  if (given.find("://") == std::string::npos) given = cat("https://", given);
  const Result<KeeperAddress> address = parse_keeper_address(given, "KEEPER");
  if (!address) return address.error();
  const Result<std::string> name = name_to_ask_for(context);
  if (!name) return name.error();
  const Result<net::TlsIdentity> identity = net::open_identity(context.paths.hive_folder, "rbee hive");
  if (!identity) return identity.error();
  const Result<std::string> own_key = net::key_print_of(*identity);
  if (!own_key) return own_key.error();
  const auto tls = net::TlsContext::client(*identity, hive::keepers_name_for_hives);
  if (!tls) return tls.error();
  net::Loop loop(context.clock);
  const LinkRequest request{.name = *name, .version = version, .asking = true};
  const Result<Asked> asked =
      loop.block_on(ask(loop, *address, net::Secure{*tls, address->key_print}, link_request_text(request)));
  if (!asked) return not_a_keeper(*address, asked.error());
  if (asked->status >= 300) return error_of_answer(asked->status, asked->body);
  hive::KnownKeeper keeper{.key_print = asked->keeper_key,
                           .hive_name = *name,
                           .addresses = {address->endpoint.text()},
                           .asking = asked->status == 202};
  if (address->host != address->endpoint.address)
    keeper.name = cat(address->host, ":", address->endpoint.port);
  const Result<Json> answer = parse_json(asked->body);
  const std::string known_as = answer ? text_of(*answer, "hive") : std::string();
  if (!keeper.asking && !known_as.empty()) keeper.hive_name = known_as;
  if (Result<void> kept = write_file(trust.keeper, hive::keeper_text(keeper)); !kept) return kept;
  const Result<bool> runs = tell_hive_of_trust(context);
  if (!runs) return runs.error();
  tell(context, keeper, *own_key, *runs);
  return {};
}

}  // namespace rbee::cli
