// doctor: what is wrong on this machine and how to mend it.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/doctor.h"
#include "cli/home_lock.h"
#include "cli/known_keepers.h"
#include "cli/port_owner.h"
#include "cli/probe_child.h"
#include "hive/door.h"
#include "hive/state_files.h"
#include "keeper/api_keys.h"

#include <nlohmann/json.hpp>

#include <system_error>

namespace rbee::cli {
namespace {

constexpr std::uint16_t usual_port = 7833;

// Of the nearest folder above that is there.
DiskSpace space_at(std::filesystem::path folder) {
  DiskSpace disk{.folder = folder};
  std::error_code failure;
  while (!std::filesystem::exists(folder, failure) && folder.has_parent_path() &&
         folder != folder.parent_path())
    folder = folder.parent_path();
  const std::filesystem::space_info space = std::filesystem::space(folder, failure);
  // Unknown is not full.
  disk.free_bytes = failure ? UINT64_MAX : space.available;
  return disk;
}

// Empty where it speaks TLS, or with this machine only.
std::string plain_address_of(const Context& context) {
  const Result<Config> config = read_config(context.paths.config_file);
  if (!config || config->keeper_tls.mode != keeper::KeeperTls::Mode::off) return {};
  const Result<net::Endpoint> listen = net::parse_endpoint(config->keeper_listen, usual_port);
  return listen && !net::is_loopback(*listen) ? listen->text() : std::string();
}

// What `up`, `keeper` and `hive` read before they do anything.
std::vector<Error> start_errors(const Context& context) {
  const Paths& paths = context.paths;
  std::vector<Error> errors;
  const auto look = [&errors](const auto& read) {
    if (!read) errors.push_back(read.error());
  };
  look(read_config(paths.config_file));
  look(hive::read_workers(paths.hive_folder / hive::workers_file));
  look(hive::TrustFiles(paths.hive_folder).read_keeper());
  look(keeper::read_keys(paths.keeper_folder / keeper::keys_file));
  return errors;
}

// Of a keeper that runs; where none does nothing is known, and nothing is wrong with that.
std::vector<SlowWorker> slow_workers(const Context& context) {
  net::Loop loop(context.clock);
  Result<AdminClient> client = client_of_keeper(context, loop);
  if (!client) return {};
  const Result<Json> answer = client->get("/api/v1/benchmarks");
  if (!answer) return {};
  std::vector<SlowWorker> slow;
  for (const Json& one : get_array(*answer, "slowdowns"))
    slow.push_back({text_of(one, "worker"), text_of(one, "what"), text_of(one, "cause")});
  return slow;
}

}  // namespace

Result<void> run_doctor(const Context& context) {
  const hive::ProbeSettings settings = probe_settings(context);
  DoctorFacts facts;
  facts.machine = hive::probe_machine(settings);
  facts.packs = engine::list_packs(context.paths.engines, settings.server_on_path);
  facts.disks = {space_at(context.paths.state), space_at(context.paths.engines)};
  if (!find_holder(context.paths.lock)) facts.port_owner = find_port_owner(usual_port);
  facts.plain_address = plain_address_of(context);
  facts.start_errors = start_errors(context);
  facts.unix_ms = context.clock.unix_ms();
  facts.slow = slow_workers(context);
  const std::vector<Finding> findings = diagnose(facts);
  context.out.document(findings_json(findings));
  for (const Finding& one : findings) {
    context.out.line(cat(one.broken ? "broken: " : "warning: ", one.what, ": ", one.why));
    if (!one.cure.empty()) context.out.line(cat("  cure: ", one.cure));
  }
  if (findings.empty()) context.out.line("Nothing is wrong here.");
  if (any_broken(findings)) return Error{ErrorCode::internal, ""};
  return {};
}

}  // namespace rbee::cli
