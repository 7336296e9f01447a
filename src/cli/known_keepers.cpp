#include "cli/known_keepers.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/line_input.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

constexpr Milliseconds meets_within{5'000};
// Some hundred keepers.
constexpr std::size_t largest_known_bytes = 1u << 20;

std::string name_of(const KeeperAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return cat(v6 ? cat("[", address.host, "]") : address.host, ":", address.endpoint.port);
}

Result<KnownKeepers> read_known(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return KnownKeepers();
  const Result<std::string> text = read_file(file, largest_known_bytes);
  if (!text) return text.error();
  return parse_known_keepers(*text);
}

// What its certificate says, before anything is said to it.
struct Met {
  std::string key_print;
  bool is_certified = false;
};

Result<Met> meet(net::Loop& loop, const KeeperAddress& address) {
  const auto context = net::TlsContext::public_client(address.host, net::TlsContext::Certificates::looked_at);
  if (!context) return context.error();
  Result<net::Stream> stream =
      loop.block_on(net::connect_secure(loop, address.endpoint, net::Secure{*context, {}}, meets_within));
  if (!stream) {
    Error error = stream.error();
    error.hint = cat("Does a keeper listen there, and with TLS? Without it, it is http://",
                     address.endpoint.text(), ".");
    return error;
  }
  return Met{stream->peer_key(), stream->is_certified()};
}

Error not_known(const KeeperAddress& address, const std::string& key) {
  return Error{ErrorCode::not_allowed,
               cat("The keeper at ", address.url(), " is not known here; its key is ", key, "."),
               cat("If its log (or `rbee status --json` there, keeper.key) says the same, write --keeper '",
                   address.secure ? "https://" : "", name_of(address), "#", key, "' once.")};
}

Error changed(const Context& context, const KeeperAddress& address, const std::string& known) {
  return Error{ErrorCode::wrong_key,
               cat("The keeper at ", address.url(), " has another key than ", known, "."),
               cat("If it was set up anew, take '", name_of(address), "' out of ",
                   context.paths.known_keepers.string(), "; if not, somebody is in between."),
               {}};
}

bool user_agrees(const Context& context, const KeeperAddress& address, const std::string& key) {
  const bool can_ask =
      context.environment.stdin_terminal && context.environment.stderr_terminal && !context.options.json;
  if (!can_ask) return false;
  context.out.note(cat("The keeper at ", address.url(), " is not known here. Its key is ", key, "."));
  LineInput input(true);
  const std::optional<std::string> word = input.next("Is it that keeper's (yes/no)? ");
  return word && equal_ignoring_case(trim(*word), "yes");
}

Result<net::Secure> pinned_to(const std::string& key) {
  const auto context = net::TlsContext::public_client({}, net::TlsContext::Certificates::looked_at);
  if (!context) return context.error();
  return net::Secure{*context, key};
}

}  // namespace

Result<KnownKeepers> parse_known_keepers(std::string_view text) {
  const Result<Json> json = parse_json(text);
  KnownKeepers known;
  bool good = json && json->is_object();
  if (good) {
    for (const auto& [name, key] : json->items()) {
      good = good && key.is_string() && key.get<std::string>().size() == net::key_print_length;
      if (good) known.emplace(name, key.get<std::string>());
    }
  }
  if (good) return known;
  return Error{ErrorCode::bad_config, "The file of known keepers cannot be read.",
               "Move known_keepers.json away: keepers are asked about anew."};
}

std::string known_keepers_text(const KnownKeepers& known) {
  Json json = Json::object();
  for (const auto& [name, key] : known) json[name] = key;
  return dump_json_indented(json);
}

Result<net::Secure> secure_for(const Context& context, net::Loop& loop, const KeeperAddress& address) {
  if (!address.secure) return net::Secure{};
  Result<KnownKeepers> known = read_known(context.paths.known_keepers);
  if (!known) return known.error();
  const std::string name = name_of(address);
  const auto before = known->find(name);
  const std::string& given = address.key_print;
  if (given.empty() && before != known->end()) {
    // So that the sentence is about this keeper, not about a connection.
    const Result<Met> met = meet(loop, address);
    if (!met) return met.error();
    if (met->key_print != before->second) return changed(context, address, before->second);
    return pinned_to(before->second);
  }
  const Result<Met> met = meet(loop, address);
  if (!met) return met.error();
  if (!given.empty() && met->key_print != given) return changed(context, address, given);
  if (given.empty() && met->is_certified) {
    const auto strict = net::TlsContext::public_client(address.host, net::TlsContext::Certificates::required);
    if (!strict) return strict.error();
    return net::Secure{*strict, {}};
  }
  if (given.empty() && !user_agrees(context, address, met->key_print))
    return not_known(address, met->key_print);
  (*known)[name] = met->key_print;
  if (Result<void> made = make_folder(context.paths.state); !made) return made.error();
  if (Result<void> kept = write_file(context.paths.known_keepers, known_keepers_text(*known)); !kept)
    return kept.error();
  context.out.note(cat("The keeper at ", address.url(), " is known here from now on."));
  return pinned_to(met->key_print);
}

Result<AdminClient> client_of_keeper(const Context& context, net::Loop& loop) {
  const Result<KeeperAddress> keeper = find_keeper(context.options, context.environment, context.paths);
  if (!keeper) return keeper.error();
  Result<net::Secure> secure = secure_for(context, loop, *keeper);
  if (!secure) return secure.error();
  std::string key = context.options.key;
  if (key.empty()) key = context.environment.find("RBEE_API_KEY").value_or("");
  return AdminClient(loop, keeper->endpoint, std::move(key), std::move(*secure), keeper->url());
}

}  // namespace rbee::cli
