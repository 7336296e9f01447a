// service install, status and remove: keeper and hive as services of this machine (packaging/).
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/installed_service.h"
#include "engine/child.h"

#include <nlohmann/json.hpp>

#include <sys/utsname.h>
#include <unistd.h>

#include <system_error>

namespace rbee::cli {
namespace {

namespace fs = std::filesystem;

// systemctl waits for a service that is told to end (TimeoutStopSec=30 in packaging/).
constexpr std::chrono::milliseconds command_within{60'000};

ServiceSystem this_system() {
  utsname names{};
  if (uname(&names) == 0 && std::string_view(names.sysname) == "Darwin") return ServiceSystem::launchd;
  return geteuid() == 0 ? ServiceSystem::systemd : ServiceSystem::systemd_user;
}

std::vector<ServiceKind> wanted_kinds(const Options& options) {
  if (options.service == "keeper") return {ServiceKind::keeper};
  if (options.service == "hive") return {ServiceKind::hive};
  return {ServiceKind::keeper, ServiceKind::hive};
}

Result<Service> describe(const Context& context, ServiceKind kind, const std::string& listen) {
  std::error_code failure;
  const fs::path program = fs::canonical(context.environment.program, failure);
  if (failure) return io_error("This program's own file is not found", failure.value());
  return describe_service({.system = this_system(),
                           .kind = kind,
                           .program = program.string(),
                           .listen = listen,
                           .user_folder = context.environment.find("HOME").value_or("/")});
}

// With --into every file goes there, by its name alone.
fs::path place_of(const Context& context, const ServiceFile& file) {
  return context.options.into.empty() ? file.path : fs::path(context.options.into) / file.path.filename();
}

// Its output is shown where it fails. False where it ended with an error.
Result<bool> run_words(const Context& context, const Words& words) {
  std::string said;
  engine::ChildRun run;
  run.arguments = words;
  run.environment = context.environment.variables;
  run.within = command_within;
  run.on_line = [&said](std::string_view line) { said += cat(line, '\n'); };
  const Result<engine::ExitStatus> ended = engine::run_child(run);
  if (!ended && ended.error().code == ErrorCode::unsupported) {
    return Error{ErrorCode::unsupported, cat("There is no `", words.front(), "` on this machine."),
                 "Start `rbee keeper` and `rbee hive --listen ADDRESS` with what starts programs here."};
  }
  if (!ended) return ended.error();
  if (!ended->ok() && !said.empty()) context.out.note(trim(std::string_view(said)));
  return ended->ok();
}

Result<void> run_all(const Context& context, const std::vector<Words>& commands) {
  for (const Words& words : commands) {
    const Result<bool> done = run_words(context, words);
    if (!done) return done.error();
    if (*done) continue;
    return Error{ErrorCode::io_failed, cat("`", join(words, " "), "` failed."),
                 "What it said stands above; `journalctl -xe` has more."};
  }
  return {};
}

Result<void> write_files(const Context& context, const Service& service) {
  for (const ServiceFile& file : service.files) {
    const fs::path place = place_of(context, file);
    if (Result<void> made = make_folder(place.parent_path()); !made) return made;
    if (Result<void> written = write_file(place, file.text); !written) return written;
    // They hold no secret, and other users look at them.
    std::error_code ignored;
    fs::permissions(
        place,
        fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read | fs::perms::others_read,
        ignored);
    context.out.line(cat("Wrote ", place.string()));
  }
  return {};
}

void say_what_is_next(const Context& context) {
  if (this_system() == ServiceSystem::systemd) {
    context.out.note(
        "Its state lies in /var/lib/rbee: `sudo -u rbee RBEE_HOME=/var/lib/rbee rbee hive token`, and so "
        "on.");
  } else if (this_system() == ServiceSystem::systemd_user) {
    context.out.note(
        "`loginctl enable-linger` lets it run from the start of the machine, with nobody logged in.");
  }
}

bool is_installed(const Context& context, const Service& service) {
  std::error_code ignored;
  return fs::exists(place_of(context, service.files.front()), ignored);
}

}  // namespace

Result<bool> start_installed_hive(const Context& context) {
  const Result<Service> service = describe(context, ServiceKind::hive, "");
  if (!service || !is_installed(context, *service)) return false;
  const Result<void> started = run_all(context, service->restart);
  if (!started) return started.error();
  return true;
}

Result<void> run_service_install(const Context& context) {
  if (!context.options.listen.empty() && context.options.service.empty()) {
    return Error{ErrorCode::bad_usage, "--listen is the address of one service.",
                 "Write `rbee service install hive --listen ADDRESS`, or keeper."};
  }
  Json installed = Json::array();
  for (const ServiceKind kind : wanted_kinds(context.options)) {
    const Result<Service> service = describe(context, kind, context.options.listen);
    if (!service) return service.error();
    if (Result<void> written = write_files(context, *service); !written) return written;
    installed.push_back(service_kind_name(kind));
    if (!context.options.into.empty()) continue;
    if (Result<void> started = run_all(context, service->start); !started) return started;
    context.out.line(cat("The ", service_kind_name(kind), " runs, and starts with the machine."));
  }
  context.out.document(Json{{"installed", installed}});
  if (context.options.into.empty()) say_what_is_next(context);
  return {};
}

Result<void> run_service_status(const Context& context) {
  Json rows = Json::array();
  for (const ServiceKind kind : wanted_kinds(context.options)) {
    const Result<Service> service = describe(context, kind, "");
    if (!service) return service.error();
    const bool there = is_installed(context, *service);
    const bool asked = there && context.options.into.empty();
    const Result<bool> runs = asked ? run_words(context, service->is_running) : Result<bool>(false);
    if (!runs) return runs.error();
    rows.push_back({{"name", service_kind_name(kind)}, {"installed", there}, {"running", *runs}});
    context.out.line(cat("The ", service_kind_name(kind), " is ",
                         !there   ? "no service here."
                         : *runs  ? "a service, and runs."
                         : !asked ? "there."
                                  : "a service, and does not run."));
  }
  context.out.document(Json{{"services", rows}});
  return {};
}

Result<void> run_service_remove(const Context& context) {
  Json removed = Json::array();
  for (const ServiceKind kind : wanted_kinds(context.options)) {
    const Result<Service> service = describe(context, kind, "");
    if (!service) return service.error();
    if (!is_installed(context, *service)) continue;
    if (context.options.into.empty()) {
      if (Result<void> stopped = run_all(context, service->stop); !stopped) return stopped;
    }
    // What makes the user stays: the state on the disk is still that user's.
    std::error_code failure;
    fs::remove(place_of(context, service->files.front()), failure);
    if (failure) return io_error("The service file cannot be removed", failure.value());
    removed.push_back(service_kind_name(kind));
    context.out.line(cat("The ", service_kind_name(kind), " is no service any more; its state stays."));
  }
  if (removed.empty()) context.out.line("There is nothing to remove.");
  context.out.document(Json{{"removed", removed}});
  return {};
}

}  // namespace rbee::cli
