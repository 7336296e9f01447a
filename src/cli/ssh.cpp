#include "cli/ssh.h"

#include "base/text.h"
#include "cli/ssh_words.h"
#include "engine/child.h"

#include <utility>

namespace rbee::cli {
namespace {

// What a machine says before its answer (a banner, the day's message) is kept up to this.
constexpr std::size_t largest_answer_bytes = 65536;

}  // namespace

Result<Ssh> Ssh::to(const Environment& environment, std::string target) {
  if (target.empty() || target.starts_with('-') || target.find_first_of(" \t\n'\"") != std::string::npos) {
    return Error{ErrorCode::bad_usage, cat("'", target, "' is no machine for ssh."),
                 "Write --ssh USER@HOST, or a Host of your ssh configuration."};
  }
  return Ssh(environment, std::move(target));
}

Result<SshSaid> Ssh::start(std::vector<std::string> before, std::string_view script,
                           std::chrono::milliseconds within) const {
  // BatchMode: no question, so nothing waits for an answer. A connection that is to outlive the command
  // (ControlPersist) would keep its output open, and this would wait for it.
  for (const char* word : {"ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o",
                           "ServerAliveInterval=3", "-o", "ControlPersist=no", "--"})
    before.emplace_back(word);
  before.push_back(target_);
  before.push_back(cat("sh -c '", script, "'"));
  SshSaid said;
  engine::ChildRun run;
  run.arguments = std::move(before);
  run.environment = environment_.variables;
  run.within = within;
  run.on_line = [&said](std::string_view line) {
    if (said.text.size() + line.size() < largest_answer_bytes) said.text += cat(line, '\n');
  };
  const Result<engine::ExitStatus> ended = engine::run_child(run);
  if (!ended && ended.error().code == ErrorCode::timed_out) {
    return Error{ErrorCode::timed_out,
                 cat("ssh to ", target_, " took longer than ", within.count() / 1000, " s."),
                 cat("Try `ssh ", target_, " true` by hand."), said.text};
  }
  if (!ended && ended.error().code == ErrorCode::unsupported) {
    return Error{ErrorCode::unsupported, "There is no `ssh` on this machine.",
                 "Install it (Debian, Ubuntu: openssh-client), or use --token.", ended.error().message};
  }
  if (!ended) return ended.error();
  if (ended->code == ssh_failed || ended->signal != 0) return ssh_error(target_, said.text);
  said.exit_code = ended->code;
  return said;
}

Result<SshSaid> Ssh::run(std::string_view script, std::chrono::milliseconds within) const {
  return start({}, script, within);
}

Result<SshSaid> Ssh::send(const std::filesystem::path& folder, std::string_view script,
                          std::chrono::milliseconds within) const {
  return start(
      {"sh", "-c", R"(folder=$1; shift; tar -C "$folder" -cf - . | exec "$@")", "sh", folder.string()},
      script, within);
}

}  // namespace rbee::cli
