// engine list, install, verify and remove: they work on this machine's folder of packs, with no keeper.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "engine/archive.h"
#include "engine/install.h"
#include "engine/pack.h"
#include "hive/install_options.h"
#include "model/sha256.h"
#include "model/web.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <system_error>

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

bool is_url(std::string_view text) { return text.starts_with("https://") || text.starts_with("http://"); }

// Fetched beside the packs, checked, unpacked, taken over and thrown away. The user named address and
// checksum, so both are taken at their word: a mirror in the house may speak http.
Result<engine::PackInfo> install_from_url(const Context& context, Backend backend) {
  const Options& options = context.options;
  const std::string sha256 = lower(options.sha256);
  if (!model::is_sha256(sha256)) {
    return Error{ErrorCode::bad_usage, "An engine from a URL needs its checksum: --sha256 and 64 hex digits.",
                 "Take it from where the archive is announced, not from where it is fetched."};
  }
  constexpr std::size_t distinct = 16;
  const std::filesystem::path work = context.paths.engines / cat(".from-", sha256.substr(0, distinct));
  if (Result<void> made = make_folder(work); !made) return made.error();
  model::WebSettings web = model::web_settings(context.environment.variables);
  web.allow_private = true;
  const model::PartFile::Paths paths{.data = work / "archive", .journal = work / "archive.json"};
  Result<model::FileDone> done = Error{};
  {
    Progress progress(context.out, context.clock);
    const auto show = [&progress](const model::FileProgress& now) {
      progress.update("Fetching the engine", now.done, now.bytes);
    };
    const model::FileOrder order{.url = options.from, .bytes = {}, .sha256 = sha256, .gguf = false};
    done = model::fetch_file(order, paths, web, context.clock, show, [] { return true; });
  }
  if (!done) return done.error();
  const Result<std::filesystem::path> folder =
      engine::unpack_engine(paths.data, work / "unpacked", context.environment.variables);
  Result<engine::PackInfo> pack =
      folder ? engine::import_pack(context.paths.engines, backend, *folder) : folder.error();
  std::error_code ignored;
  std::filesystem::remove_all(work, ignored);
  return pack;
}

Result<engine::PackInfo> install(const Context& context, Backend backend) {
  if (is_url(context.options.from)) return install_from_url(context, backend);
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
