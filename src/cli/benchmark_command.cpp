// rbee worker benchmark: asks the keeper to measure, and shows what is known.
#include "base/file.h"
#include "base/text.h"
#include "cli/benchmark_view.h"
#include "cli/commands.h"
#include "cli/end_signals.h"
#include "cli/progress.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>

namespace rbee::cli {
namespace {

// As shells have it for a program that Ctrl-C ended.
constexpr int interrupted_code = 130;

Json wish_of(const Options& options) {
  Json wish = Json::object();
  if (!options.hive.empty()) wish["hive"] = options.hive;
  if (!options.worker.empty()) wish["worker"] = options.worker;
  if (!options.model.empty()) wish["model"] = options.model;
  if (options.seconds) wish["seconds"] = *options.seconds;
  return wish;
}

std::string history_target(const Options& options) {
  std::string target = "/api/v1/benchmarks?history=1";
  for (const auto& [key, value] : {std::pair("hive", &options.hive), std::pair("worker", &options.worker),
                                   std::pair("model", &options.model)}) {
    if (!value->empty()) target += cat("&", key, "=", net::percent_encode(*value));
  }
  return target;
}

// The keeper knows at once that we are gone, lets go of the worker and keeps what it has.
void end_at_once() {
  std::fputs("\nInterrupted. What was measured is kept: rbee worker benchmark --history\n", stderr);
  std::_Exit(interrupted_code);
}

Result<Json> measure(const Context& context, AdminClient& client) {
  const EndSignals signals(end_at_once);
  Progress progress(context.out, context.clock);
  const OnProgress show = [&progress](std::string_view message, std::uint64_t done, std::uint64_t total) {
    progress.update(message, done, total);
  };
  const std::string wish = dump_json(wish_of(context.options));
  return client.loop().block_on(client.call_with_progress("/api/v1/benchmarks", wish, show));
}

Result<void> plot(const Context& context, const Json& answer) {
  const std::string& file = context.options.plot;
  if (file.empty()) return {};
  const Result<void> written = write_file(file, benchmark_plot(answer, file));
  if (written) context.out.note(cat("The chart is in '", file, "'."));
  return written;
}

void show_slowdowns(const Context& context, const Json& answer) {
  for (const Json& slow : get_array(answer, "slowdowns")) {
    context.out.note(cat(text_of(slow, "what"), " ", text_of(slow, "cause")));
  }
}

void show(const Context& context, const Json& answer) {
  const Options& options = context.options;
  const OutputStyle& style = context.out.style();
  context.out.document(answer);
  if (options.csv) {
    context.out.text(benchmark_csv(answer));
    return;
  }
  context.out.table(options.history ? history_table(answer) : benchmark_table(answer));
  for (const std::string& note : benchmark_notes(answer)) context.out.note(note);
  if (style.json || options.history) return;
  // A pipe gets the rows of one table: those of the comparison are in --json.
  if (!style.tables) return;
  context.out.line("");
  context.out.table(comparison_table(answer));
  context.out.text(cat("\n", comparison_bars(answer, style.columns)));
}

}  // namespace

Result<void> run_worker_benchmark(const Context& context, AdminClient& client) {
  const Result<Json> answer =
      context.options.history ? client.get(history_target(context.options)) : measure(context, client);
  if (!answer) return answer.error();
  show(context, *answer);
  show_slowdowns(context, *answer);
  return plot(context, *answer);
}

}  // namespace rbee::cli
