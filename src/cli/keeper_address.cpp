#include "cli/keeper_address.h"

#include "base/text.h"
#include "cli/home_lock.h"
#include "keeper/keeper.h"
#include "net/look_up.h"
#include "net/tls.h"

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace rbee::cli {
namespace {

constexpr std::string_view secure_scheme = "https://";
constexpr std::string_view plain_scheme = "http://";

bool is_host_name(std::string_view text) {
  return !text.empty() && text.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789-.") == std::string_view::npos;
}

// Where `text` begins with a name and not with a number: that name.
std::string name_in(std::string_view text) {
  const std::string_view name = text.substr(0, text.find(':'));
  const bool numeric = name.find_first_not_of("0123456789.") == std::string_view::npos;
  return !numeric && is_host_name(name) && name != "localhost" ? std::string(name) : std::string();
}

Error no_address(std::string_view text, std::string_view given_by) {
  return Error{ErrorCode::bad_usage, cat(given_by, " is no address of a keeper: '", text, "'."),
               "Write it like http://127.0.0.1:7833 or https://192.168.1.5:7833."};
}

}  // namespace

std::string KeeperAddress::url() const {
  if (endpoint.is_unix()) return endpoint.text();
  return cat(secure ? secure_scheme : plain_scheme, endpoint.text());
}

Result<KeeperAddress> parse_keeper_address(std::string_view text, std::string_view given_by) {
  KeeperAddress address;
  std::string_view rest = text;
  if (const std::size_t hash = rest.find('#'); hash != std::string_view::npos) {
    address.key_print = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
    if (address.key_print.size() != net::key_print_length) return no_address(text, given_by);
  }
  address.secure = rest.starts_with(secure_scheme);
  if (address.secure) rest.remove_prefix(secure_scheme.size());
  if (rest.starts_with(plain_scheme)) rest.remove_prefix(plain_scheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  // A scheme that is left is another one, and no name to be looked up.
  if (rest.find("://") != std::string_view::npos) return no_address(text, given_by);
  if (!address.key_print.empty() && !address.secure) return no_address(text, given_by);
  std::string numeric(rest);
  const std::string name = name_in(rest);
  if (!name.empty()) {
    const std::vector<std::string> addresses = net::look_up(name);
    if (addresses.empty())
      return Error{ErrorCode::unreachable, cat(given_by, ": nobody knows the name '", name, "'."),
                   "Write the keeper's address as numbers, like 192.168.1.5:7833."};
    const std::string& found = addresses.front();
    const bool v6 = found.find(':') != std::string::npos;
    numeric = cat(v6 ? cat("[", found, "]") : found, rest.substr(name.size()));
  }
  Result<net::Endpoint> endpoint = net::parse_endpoint(numeric, keeper::default_port);
  if (!endpoint || endpoint->is_unix()) return no_address(text, given_by);
  address.endpoint = std::move(*endpoint);
  address.host = name.empty() ? address.endpoint.address : name;
  return address;
}

Result<KeeperAddress> find_keeper(const Options& options, const Environment& environment,
                                  const Paths& paths) {
  if (!options.keeper.empty()) return parse_keeper_address(options.keeper, "--keeper");
  if (const auto given = environment.find("RBEE_KEEPER")) return parse_keeper_address(*given, "RBEE_KEEPER");
  // The lock, not a file that a killed keeper may have left behind.
  const std::optional<Holder> holder = find_holder(paths.lock);
  if (!holder || holder->address.empty()) return parse_keeper_address("127.0.0.1", "");
  // One that serves other machines is reached by its own home without a key.
  std::error_code ignored;
  if (std::filesystem::exists(paths.keeper_socket, ignored))
    return KeeperAddress{.endpoint = {.unix_path = paths.keeper_socket.string()}};
  return parse_keeper_address(holder->address, paths.lock.string());
}

}  // namespace rbee::cli
