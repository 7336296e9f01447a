#include "cli/add_over_ssh.h"

#include "base/json.h"
#include "base/text.h"
#include "cli/home_lock.h"
#include "cli/install_there.h"
#include "cli/running_hive.h"
#include "cli/ssh.h"
#include "domain/model_name.h"
#include "keeper/keeper.h"
#include "net/own_addresses.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::cli {
namespace {

constexpr std::string_view missing_mark = "rbee-missing ";  // of script_for()

// The document that the rbee there printed, behind whatever the machine says when somebody comes in.
std::optional<Json> document_in(std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with('{')) continue;
    Result<Json> json = parse_json(line);
    if (json && json->is_object()) return std::move(*json);
  }
  return std::nullopt;
}

// "Linux x86_64" where rbee is not there.
std::optional<std::string> system_without_rbee(std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with(missing_mark)) return std::string(trim(line.substr(missing_mark.size())));
  }
  return std::nullopt;
}

std::string script_for(const net::Endpoint& address, const std::string& name) {
  return cat(R"sh(PATH="$HOME/.local/bin:$PATH:/usr/local/bin"; export PATH; )sh",
             R"sh(rbee=$(command -v rbee) || { echo "rbee-missing $(uname -s -m)"; exit 0; }; )sh",
             R"sh(exec "$rbee" hive token --json --quiet --start )sh", address.text(), " --name ", name);
}

Error no_rbee(const Ssh& ssh, const std::string& system) {
  return Error{ErrorCode::unknown_name, cat("There is no rbee on ", ssh.target(), " (", system, ")."),
               "--install copies this program there, into ~/.local of that user."};
}

// Before this machine asks itself over ssh. With a token the keeper sees it by the hive's key.
Result<void> check_not_own(const Context& context, const net::Endpoint& address) {
  const std::vector<std::string> own = net::own_addresses();
  const bool is_here = net::is_loopback(address) || std::ranges::find(own, address.address) != own.end();
  const bool asks_other = !context.options.keeper.empty() || context.environment.find("RBEE_KEEPER");
  if (!is_here || asks_other || !find_holder(context.paths.lock)) return {};
  const std::string name = name_of_running_hive(context);
  if (name.empty()) return {};
  return Error{
      ErrorCode::in_use,
      cat(address.address, " is this machine, whose hive '", name, "' is in this system already."),
      "Nothing needs to be added: `rbee worker deploy` uses it. A hive of another user or home of this "
      "machine comes in by its token (--token)."};
}

Error other_rbee(const Ssh& ssh, std::string_view said) {
  return Error{ErrorCode::unsupported,
               cat("The rbee on ", ssh.target(), " does not understand what this one asks of it."),
               "Install the same version on both, or type `rbee hive token` there and give it as --token.",
               std::string(said)};
}

}  // namespace

Result<std::string> token_over_ssh(const Context& context) {
  const Options& options = context.options;
  // Before a machine is touched: both stand in what the shell there reads.
  if (Result<void> good = check_name(options.hive); !good) return good.error();
  const Result<net::Endpoint> address = net::parse_endpoint(options.source, keeper::default_hive_port);
  if (!address || address->is_unix()) {
    return Error{ErrorCode::bad_request, cat("'", options.source, "' is no address of a machine."),
                 "Write it as numbers, like 192.168.1.100 or 192.168.1.100:7835."};
  }
  if (Result<void> foreign = check_not_own(context, *address); !foreign) return foreign.error();
  const Result<Ssh> ssh = Ssh::to(context.environment, options.ssh.empty() ? address->address : options.ssh);
  if (!ssh) return ssh.error();
  const std::string script = script_for(*address, options.hive);
  context.out.note(cat("Asking ", ssh->target(), " for a token over ssh."));
  Result<SshSaid> said = ssh->run(script);
  if (!said) return said.error();
  if (const std::optional<std::string> system = system_without_rbee(said->text)) {
    if (!options.install) return no_rbee(*ssh, *system);
    if (Result<void> installed = install_there(context, *ssh, *system); !installed) return installed.error();
    said = ssh->run(script);
    if (!said) return said.error();
  }
  const std::optional<Json> answer = document_in(said->text);
  if (!answer) return other_rbee(*ssh, said->text);
  if (answer->contains("error")) {
    const Error error = error_from_json(*answer);
    return error.code == ErrorCode::bad_usage ? other_rbee(*ssh, said->text) : error;
  }
  if (answer->value("started", "") == "process") {
    context.out.note(
        cat("A hive was started there. It ends with the machine: `rbee service install hive` "
            "there makes it start again."));
  }
  return answer->value("token", "");
}

}  // namespace rbee::cli
