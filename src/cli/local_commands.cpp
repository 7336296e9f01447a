// down and logs: what works with or without a keeper that answers.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/home_lock.h"
#include "cli/progress.h"
#include "cli/running_process.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <fstream>
#include <sstream>

namespace rbee::cli {
namespace {

// A hive lets its engines finish for 2 s and gives them 5 s more to end; the rest is a slow disk's.
constexpr Milliseconds end_within{30'000};
constexpr Milliseconds between_news{1'000};
// As much as a hive hands out of its engines' logs.
constexpr std::uint64_t log_tail_bytes = 256u << 10;

Error nothing_runs(const Context& context) {
  return Error{ErrorCode::unreachable, cat("Nothing runs in '", context.paths.state.string(), "'."),
               "`rbee up` starts it; with RBEE_HOME set, another home is meant."};
}

Result<void> wait_for_end(const Context& context, RunningProcess& process, const Holder& holder) {
  Progress progress(context.out, context.clock);
  const auto whole = static_cast<std::uint64_t>(end_within / between_news);
  for (std::uint64_t waited = 0; waited < whole; ++waited) {
    if (process.wait(between_news)) return {};
    progress.update("Waiting for the engines to end", waited + 1, whole);
  }
  return Error{ErrorCode::timed_out,
               cat("`rbee ", holder.command, "` (pid ", holder.pid, ") has not ended within ",
                   duration_text(static_cast<double>(end_within.count()) / 1000), "."),
               "It was asked to and may still do so; `rbee logs` says what it waits for."};
}

Result<std::string> read_tail(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return Error{ErrorCode::io_failed, cat("There is no log '", file.string(), "'."), "`rbee up` writes it."};
  in.seekg(0, std::ios::end);
  const auto size = static_cast<std::uint64_t>(in.tellg());
  const std::uint64_t from = size > log_tail_bytes ? size - log_tail_bytes : 0;
  in.seekg(static_cast<std::streamoff>(from));
  std::ostringstream text;
  text << in.rdbuf();
  // Not from the middle of a line.
  std::string tail = text.str();
  if (from > 0) tail.erase(0, tail.find('\n') + 1);
  return tail;
}

}  // namespace

Result<void> run_down(const Context& context) {
  const std::optional<Holder> first = find_holder(context.paths.lock);
  if (!first) return nothing_runs(context);
  std::optional<RunningProcess> process = RunningProcess::open(first->pid);
  // Once more: the process that was opened is the holder's only if it holds the lock still.
  const std::optional<Holder> holder = find_holder(context.paths.lock);
  if (!process || !holder || holder->pid != first->pid) return nothing_runs(context);
  Result<void> asked = process->terminate();
  if (!asked) return asked;
  Result<void> ended = wait_for_end(context, *process, *holder);
  if (!ended) return ended;
  context.out.document(
      Json{{"command", holder->command}, {"pid", holder->pid}, {"address", holder->address}});
  context.out.line(cat("`rbee ", holder->command, "` (pid ", holder->pid, ") has ended."));
  return {};
}

Result<void> run_logs(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  std::string query = "?";
  if (!options.hive.empty()) query += cat("hive=", net::percent_encode(options.hive), "&");
  if (!options.worker.empty()) query += cat("worker=", net::percent_encode(options.worker), "&");
  if (options.follow) query += "follow=1&";
  query.pop_back();
  std::string kept;
  const OnText take = [&](std::string_view text) {
    if (options.json) kept += text;
    context.out.text(text);
  };
  Result<void> read = client.loop().block_on(client.read_text(cat("/api/v1/logs", query), take));
  const bool may_be_local = options.keeper.empty() && options.hive.empty() && options.worker.empty();
  if (!read && read.error().code == ErrorCode::unreachable && may_be_local) {
    const Result<std::string> tail = read_tail(context.paths.log);
    if (!tail) return tail.error();
    context.out.note(cat("No keeper answers: this is ", context.paths.log.string()));
    take(*tail);
    read = {};
  }
  if (!read) return read;
  context.out.document(Json{{"text", kept}});
  return {};
}

}  // namespace rbee::cli
