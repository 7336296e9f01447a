// engine list, install, verify and remove: they work on this machine's folder of packs, with no keeper.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "engine/install.h"
#include "engine/pack.h"
#include "hive/install_options.h"

#include <nlohmann/json.hpp>

#include <optional>

namespace rbee::cli {
namespace {

std::vector<engine::PackInfo> packs_of(const Context& context) {
  std::optional<std::filesystem::path> on_path;
  if (const auto server = find_program(context.environment, "llama-server")) on_path = *server;
  return engine::list_packs(context.paths.engines, on_path);
}

Json to_json(const engine::PackInfo& pack) {
  // What an engine sees is asked by the hive, which has the device's driver loaded anyway.
  return Json{{"backend", backend_name(pack.backend)},
              {"version", pack.version},
              {"source", pack.source},
              {"folder", pack.folder.string()},
              {"devices", Json::array()},
              {"state", engine::pack_state_name(pack.state)},
              {"reason", pack.reason}};
}

void print_packs(const Context& context, const std::vector<engine::PackInfo>& packs) {
  Json list = Json::array();
  Table table{{"BACKEND", "VERSION", "STATE", "SOURCE", "FOLDER"}, {}};
  for (const engine::PackInfo& pack : packs) {
    list.push_back(to_json(pack));
    std::string state(engine::pack_state_name(pack.state));
    if (!pack.reason.empty()) state += cat(": ", pack.reason);
    table.rows.push_back(
        {std::string(backend_name(pack.backend)), pack.version, state, pack.source, pack.folder.string()});
  }
  context.out.document(Json{{"packs", list}});
  context.out.table(table);
}

Result<engine::PackInfo> install(const Context& context, Backend backend) {
  if (!context.options.from.empty()) {
    return engine::import_pack(context.paths.engines, backend,
                               std::filesystem::absolute(context.options.from));
  }
  Progress progress(context.out, context.clock);
  const hive::ProbeSettings probe = probe_settings(context);
  // Only what is made for the cards that are here needs to know them.
  const bool looks = backend == Backend::cuda || backend == Backend::rocm;
  engine::InstallOptions options = hive::install_options(
      looks ? hive::probe_machine(probe) : Machine{}, backend, probe.probes, context.environment.variables);
  options.progress = [&progress](std::string_view message, int done, int total) {
    progress.update(message, static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
  };
  return engine::install_pack(context.paths.engines, backend, options);
}

}  // namespace

Result<void> run_engine_list(const Context& context) {
  print_packs(context, packs_of(context));
  return {};
}

Result<void> run_engine_install(const Context& context) {
  const Result<Backend> backend = parse_backend(context.options.backend);
  if (!backend) return backend.error();
  const Result<engine::PackInfo> pack = install(context, *backend);
  if (!pack) return pack.error();
  context.out.document(to_json(*pack));
  context.out.line(cat("The ", backend_name(*backend), " engine pack (", pack->version, ") lies in ",
                       pack->folder.string()));
  return {};
}

Result<void> run_engine_verify(const Context& context) {
  const std::vector<engine::PackInfo> packs = packs_of(context);
  if (packs.empty()) return Error{ErrorCode::no_engine_pack, "There is no engine pack."};
  for (const engine::PackInfo& pack : packs) {
    const Result<void> verified = engine::verify_pack(pack);
    if (!verified) return verified.error();
  }
  print_packs(context, packs);
  return {};
}

Result<void> run_engine_remove(const Context& context) {
  const Result<Backend> backend = parse_backend(context.options.backend);
  if (!backend) return backend.error();
  const Result<void> removed = engine::remove_pack(context.paths.engines, *backend);
  if (!removed) return removed.error();
  context.out.document(Json::object());
  context.out.line(cat("The ", backend_name(*backend), " engine packs are removed."));
  return {};
}

}  // namespace rbee::cli
