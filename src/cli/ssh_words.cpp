#include "cli/ssh_words.h"

#include "base/text.h"

#include <array>

namespace rbee::cli {
namespace {

// The lines of a banner may be long; what ssh says of itself stands at the end.
std::string_view last_line(std::string_view said) {
  std::string_view last;
  for (const std::string_view line : split(said, '\n')) {
    if (!trim(line).empty()) last = trim(line);
  }
  return last;
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

struct Package {
  std::string_view library;
  std::string_view package;  // on Debian and Ubuntu
};
// What the program needs of the machine; everything else comes with it (install_there.cpp).
constexpr auto packages = std::to_array<Package>(
    {{"libcurl.so.4", "libcurl4"}, {"libssl.so.3", "libssl3"}, {"libcrypto.so.3", "libssl3"}});

}  // namespace

Error ssh_error(std::string_view target, std::string_view said) {
  const auto error = [&](ErrorCode code, std::string message, std::string hint) {
    return Error{code, std::move(message), std::move(hint), std::string(trim(said))};
  };
  const std::string other_way = "`rbee hive token` there and --token here need no ssh.";
  if (has(said, "REMOTE HOST IDENTIFICATION HAS CHANGED")) {
    return error(ErrorCode::wrong_key,
                 cat("The machine at ", target, " shows ssh another host key than the one that it knows."),
                 cat("Was it set up anew? Then `ssh-keygen -R HOST` forgets the old key. ", other_way));
  }
  if (has(said, "Host key verification failed") || has(said, "host key is known for")) {
    return error(ErrorCode::wrong_key, cat("ssh does not know the host key of ", target, " yet."),
                 cat("Type `ssh ", target, "` once and compare what it shows. ", other_way));
  }
  if (has(said, "Permission denied")) {
    return error(ErrorCode::not_allowed,
                 cat("ssh to ", target, " asks for a password, or for a key that is not here."),
                 cat("`ssh-copy-id ", target, "`, or ssh-add, lets ssh in without a question. ", other_way));
  }
  if (has(said, "Could not resolve hostname")) {
    return error(ErrorCode::unreachable, cat("ssh knows no machine '", target, "'."),
                 "Check --ssh USER@HOST, or the Host of your ssh configuration.");
  }
  for (const std::string_view why : {"Connection refused", "No route to host", "timed out",
                                     "Network is unreachable", "Connection closed", "Connection reset"}) {
    if (!has(said, why)) continue;
    return error(ErrorCode::unreachable, cat("ssh does not reach ", target, ": ", why, "."),
                 cat("Is the machine on, and does an ssh server run there? ", other_way));
  }
  const std::string_view last = last_line(said);
  return error(ErrorCode::unreachable,
               cat("ssh to ", target, " failed", last.empty() ? "" : ": ", last.empty() ? "" : last, "."),
               cat("Try `ssh ", target, " true` by hand. ", other_way));
}

Result<void> check_same_system(std::string_view target, std::string_view there, std::string_view here) {
  if (there == here) return {};
  const std::string_view way = there.starts_with("Darwin")
                                   ? "On a Mac, build rbee there (README.md), then type `rbee hive token`."
                                   : "Build rbee there (README.md), or copy it from a machine of that kind; "
                                     "then type `rbee hive token`.";
  return Error{ErrorCode::unsupported,
               cat("The machine at ", target, " is '", there, "', and this program is for '", here, "'."),
               std::string(way)};
}

Error missing_package(std::string_view target, std::string_view said) {
  for (const Package& one : packages) {
    if (!has(said, one.library)) continue;
    return Error{ErrorCode::unsupported,
                 cat("rbee was copied to ", target, " and lacks ", one.library, " there."),
                 cat("On Debian and Ubuntu: `apt install ", one.package, "` there, then this command again."),
                 std::string(said)};
  }
  if (has(said, "GLIBC_")) {
    return Error{ErrorCode::unsupported, cat("The system of ", target, " is older than this program needs."),
                 "It needs glibc 2.36 (Debian 12, Ubuntu 23.04): build rbee there instead (README.md).",
                 std::string(said)};
  }
  return Error{ErrorCode::unsupported,
               cat("rbee was copied to ", target, " and does not start: ", last_line(said), "."),
               "Start ~/.local/bin/rbee there by hand to see what it lacks.", std::string(said)};
}

}  // namespace rbee::cli
