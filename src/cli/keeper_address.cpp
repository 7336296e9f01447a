#include "cli/keeper_address.h"

#include "base/text.h"
#include "cli/home_lock.h"
#include "keeper/keeper.h"

#include <optional>
#include <string>
#include <string_view>

namespace rbee::cli {
namespace {

Result<net::Endpoint> named_keeper(std::string_view text, std::string_view given_by) {
  Result<net::Endpoint> endpoint = net::parse_endpoint(text, keeper::default_port);
  if (endpoint) return endpoint;
  return Error{ErrorCode::bad_usage, cat(given_by, " is no address of a keeper: '", text, "'."),
               "Write it like http://127.0.0.1:7833."};
}

}  // namespace

Result<net::Endpoint> find_keeper(const Options& options, const Environment& environment,
                                  const Paths& paths) {
  if (!options.keeper.empty()) return named_keeper(options.keeper, "--keeper");
  if (const auto given = environment.find("RBEE_KEEPER")) return named_keeper(*given, "RBEE_KEEPER");
  // The lock, not a file that a killed keeper may have left behind.
  const std::optional<Holder> holder = find_holder(paths.lock);
  if (holder && !holder->address.empty()) return named_keeper(holder->address, paths.lock.string());
  net::Endpoint standard;
  standard.address = "127.0.0.1";
  standard.port = keeper::default_port;
  return standard;
}

}  // namespace rbee::cli
