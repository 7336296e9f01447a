#include "cli/grammar.h"

#include "base/text.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace rbee::cli {

void Grammar::add_questions() {
  CLI::App& infer = command(root_, Command::infer, "infer", "One answer, streamed",
                            "infer -m rbee-demo -p \"What is rbee?\"");
  infer.add_option("-m,--model", o_.model, "The model")->type_name("M")->required();
  infer.add_option("-p,--prompt", o_.prompt, "The question")->type_name("TEXT")->required();
  add_sampling(infer);
  CLI::App& chat = command(root_, Command::chat, "chat", "A conversation; Ctrl-D ends it", "chat rbee-demo");
  chat.add_option("M", o_.model, "The model")->required();
  add_sampling(chat);
}

void Grammar::add_sampling(CLI::App& app) {
  app.add_option("--worker", o_.worker, "By this worker only")->type_name("W");
  app.add_option("--max-tokens", o_.max_tokens, "Longest answer, in tokens")
      ->type_name("N")
      ->check(positive());
  app.add_option("--temperature", o_.temperature, "0: always the likeliest word")
      ->type_name("T")
      ->check(number(0.0, 2.0));
}

void Grammar::add_routing() {
  CLI::App& route = group("route", "Where requests go, and why", "route explain -m llama-3.1-8b");
  CLI::App& check =
      command(route, Command::route_check, "check", "Is the configuration right", "route check rbee.toml");
  check.add_option("FILE", o_.source, "A configuration or routing.rhai (this home's)");
  CLI::App& explain = command(route, Command::route_explain, "explain",
                              "Where a request would go, with every worker's numbers",
                              "route explain -m llama-3.1-8b --prompt-tokens 2000");
  explain.add_option("-m,--model", o_.model, "The model")->type_name("M")->required();
  explain.add_option("--prompt-tokens", o_.prompt_tokens, "Length of the prompt")
      ->type_name("N")
      ->check(number(0.0, 1e9));
  explain.add_option("--max-tokens", o_.max_tokens, "Longest answer, in tokens")
      ->type_name("N")
      ->check(positive());
  explain.add_option("--fleet", o_.fleet, "A FLEET.json instead of the live fleet")->type_name("FILE");
  explain.add_option("--config", o_.config, "With --fleet: a rbee.toml (this home's)")->type_name("FILE");
  explain.add_option("--script", o_.script, "With --fleet: a routing.rhai (this home's)")->type_name("FILE");
  command(route, Command::route_suggest, "suggest",
          "Rules that the measured speeds support, where they would gain; no file is changed",
          "route suggest");
  CLI::App& simulate =
      command(root_, Command::simulate, "simulate", "Strategies side by side, in virtual time",
              "simulate --fleet fleet.json --rate 2 --duration 1h");
  simulate.add_option("--fleet", o_.fleet, "The workers")->type_name("FLEET.json")->required();
  simulate.add_option("--trace", o_.trace, "The requests")->type_name("FILE.csv");
  simulate.add_option("--load", o_.load, "Share of the fleet's capacity that the trace is to ask for")
      ->type_name("R")
      ->check(number(0.0001, 100.0));
  simulate.add_option("--rate", o_.rate, "Made requests, a second")->type_name("R")->check(number(1e-6, 1e6));
  simulate.add_option("--duration", o_.duration, "For so long")->type_name("D");
  simulate.add_option("--strategy", o_.strategies, "One to run (all); may be given again")->type_name("S");
  simulate.add_option("--speed-error", o_.speed_error, "Sigma of the error of believed speeds")
      ->type_name("X")
      ->check(number(0.0, 3.0));
  simulate.add_option("--seed", o_.seed, "The same seed gives the same figures (1)")
      ->type_name("N")
      ->check(whole(0, std::numeric_limits<std::uint64_t>::max()));
  simulate.add_option("--fail", o_.failures, "A worker fails T after the begin, for D; may be given again")
      ->type_name("W@T[+D]");
  simulate.add_flag("--no-limits", o_.no_limits, "Refuse nothing, however long the queue");
  simulate.add_option("--script", o_.script, "A routing.rhai (this home's)")->type_name("FILE");
  simulate.add_option("--plot", o_.plot, "Write an SVG of the times")->type_name("FILE");
}

void Grammar::add_rhai() {
  CLI::App& rhai = command(root_, Command::rhai, "rhai", "Try the language of routing scripts", "rhai");
  CLI::App& run = command(rhai, Command::rhai_run, "run", "Run a script", "rhai run score.rhai --json");
  run.add_option("FILE", o_.source, "The script")->required();
}

}  // namespace rbee::cli
