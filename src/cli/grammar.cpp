#include "cli/grammar.h"

#include "base/text.h"
#include "cli/config.h"
#include "cli/run.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace rbee::cli {
namespace {

// CLI11's own, with the example at the end and no second blank line above the options.
class HelpForm final : public CLI::Formatter {
 public:
  HelpForm() { column_width(34); }
  std::string make_footer(const CLI::App* app) const override {
    const std::string footer = app->get_footer();
    return footer.empty() ? "" : cat(footer, "\n");
  }
};

// "0.001", "1048576": as a person writes it.
std::string plain(double value) {
  // Room for the digits of any limit here.
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr;
  return {text.data(), end};
}

}  // namespace

CLI::Validator Grammar::whole(std::uint64_t least, std::uint64_t most) {
  const auto check = [least, most](const std::string& text) {
    const std::optional<std::uint64_t> value = parse_int<std::uint64_t>(text);
    const bool good = value && *value >= least && *value <= most;
    return good ? std::string() : cat("'", text, "' is no whole number from ", least, " to ", most);
  };
  return {check, ""};
}

CLI::Validator Grammar::number(double least, double most) {
  const auto check = [least, most](const std::string& text) {
    const std::optional<double> value = parse_double(text);
    const bool good = value && *value >= least && *value <= most;
    return good ? std::string() : cat("'", text, "' is no number from ", plain(least), " to ", plain(most));
  };
  return {check, ""};
}

CLI::Validator Grammar::one_of(std::vector<std::string> words) {
  const auto check = [words = std::move(words)](std::string& text) {
    const auto named =
        std::ranges::find_if(words, [&](const std::string& word) { return equal_ignoring_case(word, text); });
    if (named == words.end()) return cat("'", text, "' is none of ", join(words, ", "));
    text = *named;
    return std::string();
  };
  return {check, ""};
}

std::string config_help(std::initializer_list<std::string_view> tables) {
  std::string text = "Configuration (rbee.toml):\n";
  for (const ConfigKey& key : config_keys()) {
    const bool asked =
        std::any_of(tables.begin(), tables.end(), [&](auto table) { return key.path.starts_with(table); });
    if (key.in_use && asked) text += cat("  ", key.path, " = ", key.standard, "  ", key.sentence, "\n");
  }
  return text;
}

Grammar::Grammar(Options& options)
    : o_(options), root_("rbee runs language models on all of your machines as one system.", "rbee") {
  root_.formatter(std::make_shared<HelpForm>());
  root_.require_subcommand(1);
  root_.set_version_flag("--version", cat("rbee ", version));
  root_.set_help_flag("-h,--help", "Print this help and end");
  root_.footer("Example: rbee up --demo");
  add_common(root_);
  add_daemons();
  add_keys();
  add_services();
  add_workers();
  add_models();
  add_questions();
  add_engines();
  add_ollama();
  add_completion();
  add_routing();
  add_rhai();
}

void Grammar::add_common(CLI::App& app) {
  app.add_flag("--json", o_.json, "Print one JSON document on stdout");
  app.add_option("--keeper", o_.keeper, "The keeper to ask (RBEE_KEEPER; else this home's)")
      ->type_name("URL");
  app.add_option("--key", o_.key, "API key (RBEE_API_KEY)")->type_name("K");
  app.add_flag("-q,--quiet", o_.quiet, "No progress and no notes on stderr");
  const auto set_color = [this](const std::string& word) {
    o_.color = word == "always"  ? ColorMode::always
               : word == "never" ? ColorMode::never
                                 : ColorMode::automatic;
  };
  app.add_option_function<std::string>("--color", set_color, "Colours: auto, always or never")
      ->type_name("WHEN")
      ->transform(one_of({"auto", "always", "never"}));
}

CLI::App& Grammar::command(CLI::App& parent, Command which, const std::string& name,
                           const std::string& sentence, const std::string& example) {
  CLI::App& app = *parent.add_subcommand(name, sentence);
  app.footer(cat("Example: rbee ", example));
  commands_.emplace(&app, which);
  add_common(app);
  return app;
}

CLI::App& Grammar::group(const std::string& name, const std::string& sentence, const std::string& example) {
  CLI::App& app = *root_.add_subcommand(name, sentence);
  app.require_subcommand(1);
  app.footer(cat("Example: rbee ", example));
  return app;
}

void Grammar::add_daemons() {
  CLI::App& up = command(root_, Command::up, "up", "Run a keeper and a hive for this machine", "up --demo");
  up.add_option("--port", o_.port, "Port for clients (7833; 0: any free one)")
      ->type_name("PORT")
      ->check(port());
  up.add_flag("--demo", o_.demo, "Put the demo model in service");
  up.footer(cat(config_help({"keeper.", "hive.", "routing."}), "\nExample: rbee up --demo"));
  command(root_, Command::down, "down", "End the `up` of this home", "down");
  CLI::App& keeper = command(root_, Command::keeper, "keeper", "Run the keeper in the foreground",
                             "keeper --listen 127.0.0.1:7833");
  keeper.add_option("--listen", o_.listen, "Where clients reach it")->type_name("ADDRESS:PORT");
  keeper.footer(cat(config_help({"keeper.", "routing."}), "\nExample: rbee keeper --listen 127.0.0.1:7833"));
  CLI::App& hive = command(root_, Command::hive, "hive", "Run the hive of this machine, or list hives",
                           "hive --name gaming-pc");
  hive.add_option("--listen", o_.listen, "Where keepers reach it")->type_name("ADDRESS:PORT");
  hive.add_option("--name", o_.name, "Its name (the host's)")->type_name("N");
  hive.footer(cat(config_help({"hive."}), "\nExample: rbee hive --name gaming-pc"));
  add_hives(hive);
  command(root_, Command::detect, "detect", "What this machine can do, and why not", "detect --json");
  command(root_, Command::doctor, "doctor", "What is wrong on this machine and how to mend it", "doctor");
  command(root_, Command::status, "status", "Keeper, hives, workers, models and requests on one screen",
          "status");
  CLI::App& backup = command(root_, Command::backup, "backup", "Copy the keeper's state, while it runs",
                             "backup rbee-backup.db");
  backup.add_option("FILE", o_.source, "Where to; it must not be there yet")->required();
  CLI::App& logs =
      command(root_, Command::logs, "logs", "Print the logs of engines", "logs --worker worker-gaming-pc -f");
  logs.add_option("--hive", o_.hive, "Of this hive only")->type_name("H");
  logs.add_option("--worker", o_.worker, "Of this worker only")->type_name("W");
  logs.add_flag("-f,--follow", o_.follow, "Go on with what comes");
}

void Grammar::add_hives(CLI::App& hive) {
  command(hive, Command::hive_list, "list", "List the hives", "hive list --json");
  CLI::App& add = command(hive, Command::hive_add, "add", "Let a machine's hive into this system",
                          "hive add gaming-pc 192.168.1.100");
  add.add_option("NAME", o_.hive, "What it is called from now on")->required();
  add.add_option("ADDRESS", o_.source, "Its address, with :PORT where that is not 7835")->required();
  CLI::Option* token_there =
      add.add_option("--token", o_.token,
                     "What `rbee hive token` printed there (without it, ssh asks for it)")
          ->type_name("T");
  add.add_option("--ssh", o_.ssh, "The machine as your ssh knows it, where that is not its address")
      ->type_name("USER@HOST")
      ->excludes(token_there);
  add.add_flag("--install", o_.install, "Over ssh: copy this program there, where there is no rbee")
      ->excludes(token_there);
  CLI::App& about = command(hive, Command::hive_info, "info", "What a hive is and how it is reached",
                            "hive info gaming-pc");
  about.add_option("NAME", o_.hive, "The hive")->required();
  CLI::App& remove =
      command(hive, Command::hive_remove, "remove", "Let a hive out of this system", "hive remove gaming-pc");
  remove.add_option("NAME", o_.hive, "The hive")->required();
  CLI::App& join = command(hive, Command::hive_join, "join",
                           "On the hive's machine: ask a keeper to be let in, and dial it",
                           "hive join 192.168.1.5 --name laptop");
  join.add_option("KEEPER", o_.source, "Its address; with #KEY the key that it must have")->required();
  join.add_option("--name", o_.name, "What this hive is to be called (its name now)")->type_name("N");
  CLI::App& approve =
      command(hive, Command::hive_approve, "approve", "Let in a hive that has asked", "hive approve laptop");
  approve.add_option("NAME", o_.hive, "The hive")->required();
  const auto of_hive = [&](Command which, const char* name, const char* what, const char* example) {
    command(hive, which, name, what, example).add_option("H", o_.hive, "The hive")->required();
  };
  of_hive(Command::hive_drain, "drain", "Give a hive no new requests; what runs may end",
          "hive drain gaming-pc");
  of_hive(Command::hive_resume, "resume", "Give it requests again", "hive resume gaming-pc");
  of_hive(Command::hive_wake, "wake", "Wake a machine that sleeps (Wake on LAN)", "hive wake gaming-pc");
  CLI::App& token = command(hive, Command::hive_token, "token",
                            "On the hive's machine: print what lets a keeper in, once", "hive token");
  token.add_flag("--rotate", o_.rotate, "Also where a keeper is known already, which the next one replaces");
  token.add_option("--start", o_.listen, "Where no hive runs, start one that listens there")
      ->type_name("ADDRESS:PORT");
  token.add_option("--name", o_.name, "Name of a hive that is started so")->type_name("N");
  token.add_flag("--revoke", o_.revoke, "Forget the token and the keeper: nobody is let in");
}

void Grammar::add_keys() {
  CLI::App& key = group("key", "API keys of this home's keeper", "key list");
  CLI::App& add = command(key, Command::key_add, "add", "Make a key and print it, once",
                          "key add ann --requests-per-minute 60");
  add.add_option("NAME", o_.name, "Whose it is")->required();
  add.add_option("--requests-per-minute", o_.requests_per_minute, "At most so many (no limit)")
      ->type_name("N")
      ->check(positive());
  add.add_option("--tokens-per-minute", o_.tokens_per_minute, "Of prompts and answers (no limit)")
      ->type_name("N")
      ->check(whole(1, 1u << 31));
  add.add_option("--models", o_.models, "Only these, with * for any part of a name (all)")
      ->type_name("M,...");
  add.add_flag("--admin", o_.admin, "Also opens the admin API, which these commands use");
  command(key, Command::key_list, "list", "List the keys", "key list");
  CLI::App& remove = command(key, Command::key_remove, "remove", "Remove a key", "key remove ann");
  remove.add_option("NAME", o_.name, "Whose it is")->required();
}

void Grammar::add_services() {
  CLI::App& service = group("service", "Keeper and hive as services of this machine", "service status");
  const auto add = [&](Command which, const std::string& name, const std::string& sentence) -> CLI::App& {
    CLI::App& one = command(service, which, name, sentence, cat("service ", name, " hive"));
    one.add_option("WHAT", o_.service, "keeper or hive (both)")->transform(one_of({"keeper", "hive"}));
    one.add_option("--into", o_.into, "Files in this folder only; nothing is started or asked")
        ->type_name("DIR");
    return one;
  };
  add(Command::service_install, "install", "Start it now, and with the machine")
      .add_option("--listen", o_.listen, "Where it is reached (0.0.0.0:7835, 127.0.0.1:7833)")
      ->type_name("ADDRESS:PORT");
  add(Command::service_status, "status", "Whether it is installed and runs");
  add(Command::service_remove, "remove", "End it, and do not start it with the machine any more");
}

void Grammar::add_completion() {
  CLI::App& completion = command(root_, Command::completion, "completion",
                                 "Print what makes a shell complete rbee's commands and names",
                                 "completion bash > ~/.local/share/bash-completion/completions/rbee");
  completion.add_option("SHELL", o_.shell, "bash, zsh or fish")->required();
  // What those scripts call; the words that were typed come behind "--".
  CLI::App& complete = command(root_, Command::complete, "__complete", "", "__complete -- mod");
  complete.group("");
  complete.add_option("WORDS", o_.words, "The words of the line");
}

void Grammar::add_engines() {
  CLI::App& engine = group("engine", "Engine packs of this machine", "engine list");
  command(engine, Command::engine_list, "list", "List the engine packs", "engine list --json");
  CLI::App& install = command(engine, Command::engine_install, "install", "Build or take over an engine pack",
                              "engine install vulkan");
  install.add_option("BACKEND", o_.backend, "CPU, Vulkan, CUDA or ROCm")->required();
  install.add_option("--from", o_.from, "A folder with a llama-server, or the URL of an archive of one")
      ->type_name("DIR");
  install.add_option("--sha256", o_.sha256, "Of that archive; a URL needs it")->type_name("H");
  command(engine, Command::engine_verify, "verify", "Compare the packs with their checksums",
          "engine verify");
  CLI::App& remove =
      command(engine, Command::engine_remove, "remove", "Remove an engine pack", "engine remove vulkan");
  remove.add_option("BACKEND", o_.backend, "CPU, Vulkan or CUDA")->required();
}

}  // namespace rbee::cli
