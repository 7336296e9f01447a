// The user's own `ssh`: agent, known hosts, configuration and jump hosts are the user's. It never asks
// anything: what would need an answer fails.
#pragma once

#include "base/error.h"
#include "cli/environment.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

namespace rbee::cli {

struct SshSaid {
  int exit_code = 0;  // of the command
  std::string text;   // all that it wrote, to stdout and stderr
};

class Ssh {
 public:
  // Nothing that only looks there takes longer.
  static constexpr std::chrono::milliseconds look_within{10'000};

  // `target` as ssh takes it. Fails with bad_usage where it would be an option.
  [[nodiscard]] static Result<Ssh> to(const Environment& environment, std::string target);

  [[nodiscard]] const std::string& target() const { return target_; }
  // Runs a script of sh there, whatever shell the user has; it may hold no single quote. Fails as
  // ssh_error(), with timed_out, or with unsupported where there is no ssh here. Blocks.
  [[nodiscard]] Result<SshSaid> run(std::string_view script,
                                    std::chrono::milliseconds within = look_within) const;
  // The same with what lies in `folder` as a tar archive on its stdin.
  [[nodiscard]] Result<SshSaid> send(const std::filesystem::path& folder, std::string_view script,
                                     std::chrono::milliseconds within) const;

 private:
  Ssh(const Environment& environment, std::string target)
      : environment_(environment), target_(std::move(target)) {}
  [[nodiscard]] Result<SshSaid> start(std::vector<std::string> before, std::string_view script,
                                      std::chrono::milliseconds within) const;

  const Environment& environment_;
  std::string target_;
};

}  // namespace rbee::cli
