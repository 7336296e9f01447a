#include "cli/run.h"

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/known_keepers.h"
#include "cli/probe_child.h"

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
    case Command::detect: return run_detect;
    case Command::doctor: return run_doctor;
    case Command::completion: return run_completion;
    case Command::route_check: return run_route_check;
    case Command::simulate: return run_simulate;
    case Command::rhai: return run_rhai;
    case Command::rhai_run: return run_rhai_file;
    case Command::hive_token: return run_hive_token;
    case Command::hive_join: return run_hive_join;
    case Command::key_add: return run_key_add;
    case Command::key_list: return run_key_list;
    case Command::key_remove: return run_key_remove;
    case Command::service_install: return run_service_install;
    case Command::service_status: return run_service_status;
    case Command::service_remove: return run_service_remove;
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
    case Command::hive_add: return run_hive_add;
    case Command::hive_info: return run_hive_info;
    case Command::hive_remove: return run_hive_remove;
    case Command::hive_approve: return run_hive_approve;
    case Command::hive_drain: return run_hive_drain;
    case Command::hive_resume: return run_hive_resume;
    case Command::hive_wake: return run_hive_wake;
    case Command::backup: return run_backup;
    case Command::worker_deploy: return run_worker_deploy;
    case Command::worker_start: return run_worker_start;
    case Command::worker_list: return run_worker_list;
    case Command::worker_info: return run_worker_info;
    case Command::worker_stop: return run_worker_stop;
    case Command::worker_remove: return run_worker_remove;
    case Command::worker_drain: return run_worker_drain;
    case Command::worker_pause: return run_worker_pause;
    case Command::worker_resume: return run_worker_resume;
    case Command::worker_benchmark: return run_worker_benchmark;
    case Command::model_list: return run_model_list;
    case Command::model_add: return run_model_add;
    case Command::model_fit: return run_model_fit;
    case Command::model_info: return run_model_info;
    case Command::model_search: return run_model_search;
    case Command::model_download: return run_model_download;
    case Command::model_cancel: return run_model_cancel;
    case Command::model_copy: return run_model_copy;
    case Command::model_import: return run_model_import;
    case Command::model_verify: return run_model_verify;
    case Command::model_remove: return run_model_remove;
    case Command::run: return run_run;
    case Command::ps: return run_ps;
    case Command::show: return run_show;
    case Command::stop: return run_stop;
    case Command::complete: return run_complete;
    case Command::infer: return run_infer;
    case Command::chat: return run_chat;
    case Command::logs: return run_logs;
    case Command::route_explain: return run_route_explain_live;
    case Command::route_suggest: return run_route_suggest;
    default: return nullptr;
  }
}

Result<void> run_command(const Context& context) {
  const bool own_fleet = context.options.command == Command::route_explain && !context.options.fleet.empty();
  if (own_fleet) return run_route_explain(context);
  if (const LocalCommand command = local_command(context.options.command)) return command(context);
  if (context.options.command == Command::model_fit && !context.options.on.empty())
    return run_fit_on(context);
  net::Loop loop(context.clock);
  Result<AdminClient> client = client_of_keeper(context, loop);
  if (!client) return client.error();
  return keeper_command(context.options.command)(context, *client);
}

// Their words go to an engine, which may refuse them for what they are.
bool asks_a_model(Command command) {
  return command == Command::infer || command == Command::chat || command == Command::run;
}

// What a command asks for is what was typed: a request that is called bad is wrong usage of the command.
int tell(Output& out, const CommandLine& line, Error error) {
  if (error.code != ErrorCode::bad_request) return out.error(error);
  // Also where it came over the API, which sends the table's hint where there is no better one.
  if (hint_of(error) == info(error.code).hint) error.hint = cat("See `", line.spoken, " --help`.");
  const int failed = out.error(error);
  return asks_a_model(line.options.command) ? failed : info(ErrorCode::bad_usage).exit_code;
}

}  // namespace

int run(std::span<const std::string> words, const Environment& environment, Clock& clock, Random& random) {
  if (const std::optional<int> code = run_probe_child(words)) return *code;
  const Result<CommandLine> line = parse_command_line(words);
  Options options = line ? line->options : Options{};
  // Words that could not be read may still have said how the answer is wanted.
  if (!line) options.json = std::find(words.begin(), words.end(), "--json") != words.end();
  Output out(stdout, stderr, style_of(options, environment));
  if (!line) return out.end(out.error(line.error()));
  if (line->help) {
    out.help(*line->help);
    return out.end(0);
  }
  const Result<Paths> paths = find_paths(environment);
  if (!paths) return out.end(out.error(paths.error()));
  const Result<void> done = run_command(Context{options, environment, *paths, out, clock, random});
  // A command that has told what is wrong in its own way leaves no sentence to print.
  if (!done && done.error().message.empty()) return out.end(info(done.error().code).exit_code);
  if (!done) return out.end(tell(out, *line, done.error()));
  return out.end(out.failed() ? 1 : 0);
}

}  // namespace rbee::cli
