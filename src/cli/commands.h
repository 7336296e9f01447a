// One function for each command. A failure is an Error, which run() prints and turns into the exit code.
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "cli/admin_client.h"
#include "cli/environment.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "hive/probe_machine.h"

namespace rbee::cli {

// What every command may use; all of it outlives the command.
struct Context {
  const Options& options;
  const Environment& environment;
  const Paths& paths;
  Output& out;
  Clock& clock;
  Random& random;
};

// How a command looks at this machine, or at the one that RBEE_PROBE_ROOT names.
[[nodiscard]] hive::ProbeSettings probe_settings(const Context& context);

// Those that run until a signal ends them.
[[nodiscard]] Result<void> run_up(const Context& context);
[[nodiscard]] Result<void> run_keeper(const Context& context);
[[nodiscard]] Result<void> run_hive(const Context& context);

// Those that work on this machine.
[[nodiscard]] Result<void> run_down(const Context& context);
[[nodiscard]] Result<void> run_detect(const Context& context);
// Fails, silently because all is said, where something is broken.
[[nodiscard]] Result<void> run_doctor(const Context& context);
[[nodiscard]] Result<void> run_engine_list(const Context& context);
[[nodiscard]] Result<void> run_engine_install(const Context& context);
[[nodiscard]] Result<void> run_engine_verify(const Context& context);
[[nodiscard]] Result<void> run_engine_remove(const Context& context);
// `model fit --on`: asks no keeper.
[[nodiscard]] Result<void> run_fit_on(const Context& context);
[[nodiscard]] Result<void> run_completion(const Context& context);
// Without a keeper it prints what the log of this home has.
[[nodiscard]] Result<void> run_logs(const Context& context, AdminClient& client);

// Who may come in: they change this home's files.
[[nodiscard]] Result<void> run_hive_token(const Context& context);
[[nodiscard]] Result<void> run_hive_join(const Context& context);
[[nodiscard]] Result<void> run_key_add(const Context& context);
[[nodiscard]] Result<void> run_key_list(const Context& context);
[[nodiscard]] Result<void> run_key_remove(const Context& context);

[[nodiscard]] Result<void> run_service_install(const Context& context);
[[nodiscard]] Result<void> run_service_status(const Context& context);
[[nodiscard]] Result<void> run_service_remove(const Context& context);

[[nodiscard]] Result<void> run_route_check(const Context& context);
// With --fleet; else the live fleet is asked about.
[[nodiscard]] Result<void> run_route_explain(const Context& context);
[[nodiscard]] Result<void> run_simulate(const Context& context);
[[nodiscard]] Result<void> run_rhai(const Context& context);
[[nodiscard]] Result<void> run_rhai_file(const Context& context);

// Those that ask a keeper.
[[nodiscard]] Result<void> run_route_explain_live(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_route_suggest(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_status(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_hive_list(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_hive_add(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_hive_info(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_hive_remove(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_hive_approve(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_hive_drain(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_hive_resume(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_hive_wake(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_backup(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_worker_deploy(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_worker_start(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_worker_list(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_worker_info(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_worker_stop(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_worker_remove(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_worker_drain(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_worker_pause(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_worker_resume(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_worker_benchmark(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_list(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_add(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_fit(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_info(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_search(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_download(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_cancel(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_copy(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_import(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_verify(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_model_remove(const Context& context, AdminClient& client);
// What Ollama's users type.
[[nodiscard]] Result<void> run_run(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_ps(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_show(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_stop(const Context& context, AdminClient& client);
// Prints what the line that is being typed may go on with.
[[nodiscard]] Result<void> run_complete(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_infer(const Context& context, AdminClient& client);
[[nodiscard]] Result<void> run_chat(const Context& context, AdminClient& client);

}  // namespace rbee::cli
