#include "cli/run.h"

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/keeper_address.h"

#include <algorithm>
#include <cstdio>

namespace rbee::cli {
namespace {

OutputStyle style_of(const Options& options, const Environment& environment) {
  OutputStyle style;
  style.json = options.json;
  style.quiet = options.quiet;
  style.tables = environment.stdout_terminal;
  style.bars = environment.stderr_terminal;
  style.columns = environment.columns;
  // https://no-color.org: its presence alone says no.
  const bool automatic = environment.stderr_terminal && !environment.find("NO_COLOR");
  style.color_errors =
      options.color == ColorMode::always || (options.color == ColorMode::automatic && automatic);
  return style;
}

using LocalCommand = Result<void> (*)(const Context&);
using KeeperCommand = Result<void> (*)(const Context&, AdminClient&);

LocalCommand local_command(Command command) {
  switch (command) {
    case Command::up: return run_up;
    case Command::down: return run_down;
    case Command::keeper: return run_keeper;
    case Command::hive: return run_hive;
    case Command::route_check: return run_route_check;
    case Command::simulate: return run_simulate;
    case Command::engine_list: return run_engine_list;
    case Command::engine_install: return run_engine_install;
    case Command::engine_verify: return run_engine_verify;
    case Command::engine_remove: return run_engine_remove;
    default: return nullptr;
  }
}

KeeperCommand keeper_command(Command command) {
  switch (command) {
    case Command::status: return run_status;
    case Command::hive_list: return run_hive_list;
    case Command::worker_deploy: return run_worker_deploy;
    case Command::worker_start: return run_worker_start;
    case Command::worker_list: return run_worker_list;
    case Command::worker_info: return run_worker_info;
    case Command::worker_stop: return run_worker_stop;
    case Command::worker_remove: return run_worker_remove;
    case Command::model_list: return run_model_list;
    case Command::model_add: return run_model_add;
    case Command::infer: return run_infer;
    case Command::chat: return run_chat;
    case Command::logs: return run_logs;
    case Command::route_explain: return run_route_explain_live;
    default: return nullptr;
  }
}

Result<void> run_command(const Context& context) {
  const bool own_fleet = context.options.command == Command::route_explain && !context.options.fleet.empty();
  if (own_fleet) return run_route_explain(context);
  if (const LocalCommand command = local_command(context.options.command)) return command(context);
  const Result<net::Endpoint> keeper = find_keeper(context.options, context.environment, context.paths);
  if (!keeper) return keeper.error();
  std::string key = context.options.key;
  if (key.empty()) key = context.environment.find("RBEE_API_KEY").value_or("");
  net::Loop loop(context.clock);
  AdminClient client(loop, *keeper, std::move(key));
  return keeper_command(context.options.command)(context, client);
}

}  // namespace

int run(std::span<const std::string> words, const Environment& environment, Clock& clock, Random& random) {
  const Result<CommandLine> line = parse_command_line(words);
  Options options = line ? line->options : Options{};
  // Words that could not be read may still have said how the answer is wanted.
  if (!line) options.json = std::find(words.begin(), words.end(), "--json") != words.end();
  Output out(stdout, stderr, style_of(options, environment));
  if (!line) return out.error(line.error());
  if (line->help) {
    std::fputs(line->help->c_str(), stdout);
    return 0;
  }
  const Result<Paths> paths = find_paths(environment);
  if (!paths) return out.error(paths.error());
  const Result<void> done = run_command(Context{options, environment, *paths, out, clock, random});
  if (!done) return out.error(done.error());
  return out.failed() ? 1 : 0;
}

}  // namespace rbee::cli
