// Everything that a process has one of is made here and passed on.
#include "base/clock.h"
#include "base/random.h"
#include "cli/environment.h"
#include "cli/heap.h"
#include "cli/run.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <string>
#include <vector>

namespace {

// A keeper holds two descriptors for each stream; the usual soft limit of 1,024 is there for programs that
// use select(), which nothing here does.
void allow_many_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  // State holds sockets, logs and keys: nobody else's to read.
  umask(077);
  rbee::cli::return_large_blocks();
  // A client that leaves is an error of a write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  allow_many_descriptors();
  rbee::SystemClock clock;
  rbee::Random random(rbee::system_seed());
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return rbee::cli::run(words, rbee::cli::read_environment(), clock, random);
}
