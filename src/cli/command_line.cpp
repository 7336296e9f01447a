#include "cli/command_line.h"

#include "base/text.h"
#include "cli/config.h"
#include "cli/run.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <memory>
#include <string_view>
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

// `tables`: beginnings of the keys that a command heeds.
std::string config_help(std::initializer_list<std::string_view> tables) {
  std::string text = "Configuration (rbee.toml):\n";
  for (const ConfigKey& key : config_keys()) {
    const bool asked =
        std::any_of(tables.begin(), tables.end(), [&](auto table) { return key.path.starts_with(table); });
    if (key.in_use && asked) text += cat("  ", key.path, " = ", key.standard, "  ", key.sentence, "\n");
  }
  return text;
}

// Describes all commands to CLI11, which writes what it reads into one Options.
class Grammar {
 public:
  explicit Grammar(Options& options)
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

  CLI::App& root() { return root_; }
  [[nodiscard]] Command command_of(const CLI::App& app) const { return commands_.at(&app); }

 private:
  void add_common(CLI::App& app) {
    app.add_flag("--json", o_.json, "Print one JSON document on stdout");
    app.add_option("--keeper", o_.keeper, "The keeper to ask (RBEE_KEEPER; else this home's)")
        ->type_name("URL");
    app.add_option("--key", o_.key, "API key (RBEE_API_KEY)")->type_name("K");
    app.add_flag("-q,--quiet", o_.quiet, "No progress and no notes on stderr");
    const std::vector<std::pair<std::string, ColorMode>> modes = {
        {"auto", ColorMode::automatic}, {"always", ColorMode::always}, {"never", ColorMode::never}};
    app.add_option("--color", o_.color, "Colours: auto, always or never")
        ->type_name("WHEN")
        ->transform(CLI::CheckedTransformer(modes, CLI::ignore_case).description(""));
  }

  CLI::App& command(CLI::App& parent, Command which, const std::string& name, const std::string& sentence,
                    const std::string& example) {
    CLI::App& app = *parent.add_subcommand(name, sentence);
    app.footer(cat("Example: rbee ", example));
    commands_.emplace(&app, which);
    add_common(app);
    return app;
  }

  CLI::App& group(const std::string& name, const std::string& sentence, const std::string& example) {
    CLI::App& app = *root_.add_subcommand(name, sentence);
    app.require_subcommand(1);
    app.footer(cat("Example: rbee ", example));
    return app;
  }

  void add_daemons() {
    CLI::App& up = command(root_, Command::up, "up", "Run a keeper and a hive for this machine", "up --demo");
    up.add_option("--port", o_.port, "Port for clients (7833; 0: any free one)")->type_name("PORT");
    up.add_flag("--demo", o_.demo, "Put the demo model in service");
    up.footer(cat(config_help({"keeper.", "hive.", "routing."}), "\nExample: rbee up --demo"));
    command(root_, Command::down, "down", "End the `up` of this home", "down");
    CLI::App& keeper = command(root_, Command::keeper, "keeper", "Run the keeper in the foreground",
                               "keeper --listen 127.0.0.1:7833");
    keeper.add_option("--listen", o_.listen, "Where clients reach it")->type_name("ADDRESS:PORT");
    keeper.footer(
        cat(config_help({"keeper.", "routing."}), "\nExample: rbee keeper --listen 127.0.0.1:7833"));
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
    CLI::App& logs = command(root_, Command::logs, "logs", "Print the logs of engines",
                             "logs --worker worker-gaming-pc -f");
    logs.add_option("--hive", o_.hive, "Of this hive only")->type_name("H");
    logs.add_option("--worker", o_.worker, "Of this worker only")->type_name("W");
    logs.add_flag("-f,--follow", o_.follow, "Go on with what comes");
  }

  void add_hives(CLI::App& hive) {
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
    CLI::App& remove = command(hive, Command::hive_remove, "remove", "Let a hive out of this system",
                               "hive remove gaming-pc");
    remove.add_option("NAME", o_.hive, "The hive")->required();
    CLI::App& join = command(hive, Command::hive_join, "join",
                             "On the hive's machine: ask a keeper to be let in, and dial it",
                             "hive join 192.168.1.5 --name laptop");
    join.add_option("KEEPER", o_.source, "Its address; with #KEY the key that it must have")->required();
    join.add_option("--name", o_.name, "What this hive is to be called (its name now)")->type_name("N");
    CLI::App& approve = command(hive, Command::hive_approve, "approve", "Let in a hive that has asked",
                                "hive approve laptop");
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
    token.add_flag("--rotate", o_.rotate,
                   "Also where a keeper is known already, which the next one replaces");
    token.add_option("--start", o_.listen, "Where no hive runs, start one that listens there")
        ->type_name("ADDRESS:PORT");
    token.add_option("--name", o_.name, "Name of a hive that is started so")->type_name("N");
    token.add_flag("--revoke", o_.revoke, "Forget the token and the keeper: nobody is let in");
  }

  void add_keys() {
    CLI::App& key = group("key", "API keys of this home's keeper", "key list");
    CLI::App& add = command(key, Command::key_add, "add", "Make a key and print it, once",
                            "key add ann --requests-per-minute 60");
    add.add_option("NAME", o_.name, "Whose it is")->required();
    add.add_option("--requests-per-minute", o_.requests_per_minute, "At most so many (no limit)")
        ->type_name("N")
        ->check(CLI::Range(1u, 1u << 24).description(""));
    add.add_option("--tokens-per-minute", o_.tokens_per_minute, "Of prompts and answers (no limit)")
        ->type_name("N")
        ->check(CLI::Range(1u, 1u << 31).description(""));
    add.add_option("--models", o_.models, "Only these, with * for any part of a name (all)")
        ->type_name("M,...");
    add.add_flag("--admin", o_.admin, "Also opens the admin API, which these commands use");
    command(key, Command::key_list, "list", "List the keys", "key list");
    CLI::App& remove = command(key, Command::key_remove, "remove", "Remove a key", "key remove ann");
    remove.add_option("NAME", o_.name, "Whose it is")->required();
  }

  void add_services() {
    CLI::App& service = group("service", "Keeper and hive as services of this machine", "service status");
    const auto add = [&](Command which, const std::string& name, const std::string& sentence) -> CLI::App& {
      CLI::App& one = command(service, which, name, sentence, cat("service ", name, " hive"));
      one.add_option("WHAT", o_.service, "keeper or hive (both)")->check(CLI::IsMember({"keeper", "hive"}));
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

  void add_deploy_options(CLI::App& app) {
    app.add_option("--hive", o_.hive, "On this hive")->type_name("H");
    app.add_option("--backend", o_.backend, "CUDA, Metal, ROCm, Vulkan or CPU")->type_name("B");
    app.add_option("--device", o_.device, "A device by its id; A,B or all: one worker of several")
        ->type_name("ID");
    app.add_option("--name", o_.name, "Name of the worker")->type_name("N");
    app.add_option("--vram", o_.vram, "The most that its models may take of the device, in GB")
        ->type_name("GB")
        ->check(CLI::Range(0.001, 1048576.0).description(""));
    app.add_option("--slots", o_.slots, "Requests at once in each engine")->type_name("N")->check(positive());
    app.add_option("--context", o_.context, "Tokens that one request may use")
        ->type_name("N")
        ->check(positive());
  }

  void add_workers() {
    CLI::App& worker = group("worker", "Devices in service", "worker list");
    CLI::App& deploy = command(worker, Command::worker_deploy, "deploy", "Put devices in service",
                               "worker deploy --hive gaming-pc --backend cuda");
    add_deploy_options(deploy);
    deploy.add_flag("--no-benchmark", o_.no_benchmark, "Do not measure it by itself, now or later");
    CLI::App& start = command(worker, Command::worker_start, "start",
                              "Start a stopped worker, or put a device in service through one backend",
                              "worker start --hive gaming-pc --backend cuda");
    start.add_option("W", o_.worker, "The worker");
    add_deploy_options(start);
    CLI::App& list =
        command(worker, Command::worker_list, "list", "List the workers", "worker list --backend cuda");
    list.add_option("--hive", o_.hive, "Of this hive only")->type_name("H");
    list.add_option("--backend", o_.backend, "With this backend only")->type_name("B");
    list.add_option("--state", o_.state, "In this state only")->type_name("S");
    list.add_option("--limit", o_.limit, "At most so many")->type_name("N");
    CLI::App& about = command(worker, Command::worker_info, "info",
                              "What a machine can do, or what a worker does", "worker info --hive gaming-pc");
    about.add_option("W", o_.worker, "The worker; without it, the machine");
    about.add_option("--hive", o_.hive, "The machine of this hive")->type_name("H");
    CLI::App& stop = command(worker, Command::worker_stop, "stop", "Take a worker out of service",
                             "worker stop worker-gaming-pc");
    stop.add_option("W", o_.worker, "The worker")->required();
    CLI::App& remove = command(worker, Command::worker_remove, "remove", "Stop and forget a worker",
                               "worker remove worker-gaming-pc");
    remove.add_option("W", o_.worker, "The worker")->required();
    CLI::App& drain =
        command(worker, Command::worker_drain, "drain", "Give a worker no new requests; what runs may end",
                "worker drain worker-gaming-pc");
    drain.add_option("W", o_.worker, "The worker")->required();
    CLI::App& pause = command(worker, Command::worker_pause, "pause",
                              "Have the device for yourself: its engines leave, running requests have "
                              "[hive] yield_after to end",
                              "worker pause worker-gaming-pc --for 2h");
    pause.add_option("W", o_.worker, "The worker")->required();
    pause.add_option("--for", o_.pause_for, "So long; without it, until it is resumed")->type_name("TIME");
    CLI::App& resume = command(worker, Command::worker_resume, "resume",
                               "Put a worker that is paused, drained or gives way back in service",
                               "worker resume worker-gaming-pc");
    resume.add_option("W", o_.worker, "The worker")->required();
    add_benchmark(worker);
  }

  void add_benchmark(CLI::App& worker) {
    CLI::App& benchmark = command(worker, Command::worker_benchmark, "benchmark",
                                  "Measure how fast workers really are, in idle time",
                                  "worker benchmark --worker worker-gaming-pc --model llama-3.1-8b");
    benchmark.add_option("--hive", o_.hive, "The workers of this hive only")->type_name("H");
    benchmark.add_option("--worker", o_.worker, "This worker only")->type_name("W");
    benchmark.add_option("--model", o_.model, "With this model (the one that is loaded)")->type_name("M");
    benchmark.add_option("--seconds", o_.seconds, "Of measuring each, at most (20)")->type_name("N");
    benchmark.add_flag("--csv", o_.csv, "Comma-separated lines instead of a table");
    benchmark.add_option("--plot", o_.plot, "Also write a chart: SVG, or HTML by its name's ending")
        ->type_name("FILE");
    benchmark.add_flag("--history", o_.history, "Measure nothing: what was found so far, and its drift");
  }

  void add_models() {
    CLI::App& model = group("model", "Models of the hives", "model list");
    CLI::App& list = command(model, Command::model_list, "list", "List the models", "model list --catalog");
    CLI::Option* catalog = list.add_flag("--catalog", o_.catalog, "Those that rbee knows by a short name");
    list.add_flag("--check", o_.check, "Ask the hub whether it has them")->needs(catalog);
    CLI::App& search =
        command(model, Command::model_search, "search",
                "Look in the catalog, and on the hub where there is a network", "model search gemma");
    search.add_option("TEXT", o_.source, "What to look for")->required();
    add_download(command(model, Command::model_download, "download", "Fetch a model",
                         "model download llama-3.1-8b-q4 --hive gaming-pc"));
    CLI::App& cancel = command(model, Command::model_cancel, "cancel",
                               "End a download and throw away what has come", "model cancel llama-3.1-8b");
    add_model_of_hive(cancel);
    CLI::App& copy = command(model, Command::model_copy, "copy", "Copy a model between hives",
                             "model copy mistral-7b --from a --to b");
    copy.add_option("M", o_.model, "The model")->required();
    copy.add_option("--from", o_.from, "From this hive")->type_name("H")->required();
    copy.add_option("--to", o_.to, "To this hive")->type_name("H")->required();
    CLI::App& import =
        command(model, Command::model_import, "import",
                "Link what Ollama, LM Studio, the Hugging Face tools or llama.cpp have fetched",
                "model import ~/models");
    import.add_option("DIR", o_.source, "Look in this folder only");
    import.add_option("--hive", o_.hive, "On this hive")->type_name("H");
    add_model_of_hive(command(model, Command::model_verify, "verify", "Compare a model with its checksum",
                              "model verify mistral-7b-q4_k_m"));
    add_model_of_hive(
        command(model, Command::model_remove, "remove", "Remove a model", "model remove mistral-7b-q4_k_m"));
    add_fit(model);
    CLI::App& about = command(model, Command::model_info, "info", "What a model is, by its file",
                              "model info llama-3.1-8b");
    about.add_option("M", o_.model, "The model, or the path of a file")->required();
    CLI::App& add = command(model, Command::model_add, "add", "Make a GGUF file known under a name",
                            "model add llama-3.1-8b ./llama-3.1-8b-q4_k_m.gguf");
    add.add_option("NAME", o_.model, "Name of the model")->required();
    add.add_option("SOURCE", o_.source, "Path of the file, a model that is there, or where to fetch it")
        ->required();
    add.add_option("--hive", o_.hive, "On this hive")->type_name("H");
  }

  void add_fit(CLI::App& model) {
    CLI::App& fit = command(model, Command::model_fit, "fit", "Where a model fits, and what it needs",
                            "model fit ./llama-3.1-8b-q4_k_m.gguf --on gpu --context 8192");
    fit.add_option("M", o_.model, "A model, a path, or whatever a download takes")->required();
    fit.add_option("--quant", o_.quant, "Only that quantization; auto: the best that fits whole is chosen")
        ->type_name("Q");
    fit.add_flag("--allow-private", o_.allow_private, "Also http, and addresses of private networks");
    fit.add_option("--on", o_.on, "On any machine with a cpu or gpu; asks no keeper")
        ->type_name("cpu|gpu")
        ->check(CLI::IsMember({"cpu", "gpu"}, CLI::ignore_case).description(""));
    fit.add_option("--layers", o_.layers, "Of them on the GPU, the output counted first (all)")
        ->type_name("N")
        ->check(CLI::Range(0u, 4097u).description(""));
    fit.add_option("--context", o_.context, "Tokens that one request may use")
        ->type_name("N")
        ->check(positive());
    fit.add_option("--slots", o_.slots, "Requests at once (4)")->type_name("N")->check(positive());
    fit.add_option("--cache-type", o_.cache_type, "Of the KV cache (f16)")
        ->type_name("f16|q8_0")
        ->check(CLI::IsMember({"f16", "q8_0"}, CLI::ignore_case).description(""));
    fit.add_option("--kv", o_.kv, "A cache for each slot, or one for all (unified)")
        ->type_name("split|unified")
        ->check(CLI::IsMember({"split", "unified"}, CLI::ignore_case).description(""));
  }

  void add_model_of_hive(CLI::App& app) {
    app.add_option("M", o_.model, "The model")->required();
    app.add_option("--hive", o_.hive, "On this hive")->type_name("H");
  }

  void add_download(CLI::App& app) {
    add_model_of_hive(app);
    app.add_option("--quant", o_.quant, "Its quantization: Q4_K_M, Q8_0 ..., or auto")->type_name("Q");
    app.add_flag("--allow-private", o_.allow_private, "Also http, and addresses of private networks");
  }

  void add_ollama() {
    CLI::App& run = command(root_, Command::run, "run", "Talk to a model, or ask it one question",
                            "run llama-3.2-1b \"Why is the sky blue?\"");
    run.add_option("M", o_.model, "The model")->required();
    run.add_option("PROMPT", o_.prompt, "One question");
    add_sampling(run);
    add_download(command(root_, Command::model_download, "pull", "Fetch a model", "pull llama-3.2-1b"));
    command(root_, Command::model_list, "ls", "List the models", "ls");
    command(root_, Command::ps, "ps", "List the models that are loaded", "ps");
    CLI::App& show = command(root_, Command::show, "show", "What a model is", "show llama-3.2-1b");
    show.add_option("M", o_.model, "The model")->required();
    add_model_of_hive(command(root_, Command::model_remove, "rm", "Remove a model", "rm llama-3.2-1b"));
    add_model_of_hive(
        command(root_, Command::stop, "stop", "End the engines of a model", "stop llama-3.2-1b"));
    CLI::App& serve = command(root_, Command::up, "serve", "The same as `rbee up`", "serve");
    serve.add_option("--port", o_.port, "Port for clients (7833; 0: any free one)")->type_name("PORT");
  }

  void add_completion() {
    CLI::App& completion = command(root_, Command::completion, "completion",
                                   "Print what makes a shell complete rbee's commands and names",
                                   "completion bash > ~/.local/share/bash-completion/completions/rbee");
    completion.add_option("SHELL", o_.shell, "bash, zsh or fish")->required();
    // What those scripts call; the words that were typed come behind "--".
    CLI::App& complete = command(root_, Command::complete, "__complete", "", "__complete -- mod");
    complete.group("");
    complete.add_option("WORDS", o_.words, "The words of the line");
  }

  void add_questions() {
    CLI::App& infer = command(root_, Command::infer, "infer", "One answer, streamed",
                              "infer -m rbee-demo -p \"What is rbee?\"");
    infer.add_option("-m,--model", o_.model, "The model")->type_name("M")->required();
    infer.add_option("-p,--prompt", o_.prompt, "The question")->type_name("TEXT")->required();
    add_sampling(infer);
    CLI::App& chat =
        command(root_, Command::chat, "chat", "A conversation; Ctrl-D ends it", "chat rbee-demo");
    chat.add_option("M", o_.model, "The model")->required();
    add_sampling(chat);
  }

  void add_sampling(CLI::App& app) {
    app.add_option("--worker", o_.worker, "By this worker only")->type_name("W");
    app.add_option("--max-tokens", o_.max_tokens, "Longest answer, in tokens")
        ->type_name("N")
        ->check(positive());
    app.add_option("--temperature", o_.temperature, "0: always the likeliest word")
        ->type_name("T")
        ->check(CLI::Range(0.0, 2.0).description(""));
  }

  void add_engines() {
    CLI::App& engine = group("engine", "Engine packs of this machine", "engine list");
    command(engine, Command::engine_list, "list", "List the engine packs", "engine list --json");
    CLI::App& install = command(engine, Command::engine_install, "install",
                                "Build or take over an engine pack", "engine install vulkan");
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

  void add_routing() {
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
        ->check(CLI::Range(0.0, 1e9).description(""));
    explain.add_option("--max-tokens", o_.max_tokens, "Longest answer, in tokens")
        ->type_name("N")
        ->check(positive());
    explain.add_option("--fleet", o_.fleet, "A FLEET.json instead of the live fleet")->type_name("FILE");
    explain.add_option("--config", o_.config, "With --fleet: a rbee.toml (this home's)")->type_name("FILE");
    explain.add_option("--script", o_.script, "With --fleet: a routing.rhai (this home's)")
        ->type_name("FILE");
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
        ->check(CLI::Range(0.0001, 100.0).description(""));
    simulate.add_option("--rate", o_.rate, "Made requests, a second")
        ->type_name("R")
        ->check(CLI::Range(1e-6, 1e6).description(""));
    simulate.add_option("--duration", o_.duration, "For so long")->type_name("D");
    simulate.add_option("--strategy", o_.strategies, "One to run (all); may be given again")->type_name("S");
    simulate.add_option("--speed-error", o_.speed_error, "Sigma of the error of believed speeds")
        ->type_name("X")
        ->check(CLI::Range(0.0, 3.0).description(""));
    simulate.add_option("--seed", o_.seed, "The same seed gives the same figures (1)")->type_name("N");
    simulate.add_option("--fail", o_.failures, "A worker fails T after the begin, for D; may be given again")
        ->type_name("W@T[+D]");
    simulate.add_flag("--no-limits", o_.no_limits, "Refuse nothing, however long the queue");
    simulate.add_option("--script", o_.script, "A routing.rhai (this home's)")->type_name("FILE");
    simulate.add_option("--plot", o_.plot, "Write an SVG of the times")->type_name("FILE");
  }

  void add_rhai() {
    CLI::App& rhai = command(root_, Command::rhai, "rhai", "Try the language of routing scripts", "rhai");
    CLI::App& run = command(rhai, Command::rhai_run, "run", "Run a script", "rhai run score.rhai --json");
    run.add_option("FILE", o_.source, "The script")->required();
  }

  static CLI::Validator positive() { return CLI::Range(1u, 1u << 24).description(""); }

  Options& o_;
  CLI::App root_;
  std::map<const CLI::App*, Command> commands_;
};

const CLI::App& innermost(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

std::string spoken_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : cat(spoken_name(*parent), " ", app.get_name());
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back(cat("--", name));
    for (const std::string& name : option->get_snames()) names.push_back(cat("-", name));
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

Error unknown_word(const CLI::App& at, const std::string& word) {
  const std::string see = cat("See `", spoken_name(at), " --help`.");
  const auto hint = [&](const std::vector<std::string>& known) {
    const std::string near = did_you_mean(word, known);
    return near.empty() ? see : cat(near, " ", see);
  };
  if (word.starts_with('-')) {
    const std::string flag = word.substr(0, word.find('='));
    return Error{ErrorCode::bad_usage, cat("`", spoken_name(at), "` has no flag '", flag, "'."),
                 hint(flag_names(at))};
  }
  const std::vector<std::string> commands = command_names(at);
  if (commands.empty()) {
    return Error{ErrorCode::bad_usage, cat("`", spoken_name(at), "` takes no further word '", word, "'."),
                 see};
  }
  return Error{ErrorCode::bad_usage, cat("`", spoken_name(at), "` has no command '", word, "'."),
               hint(commands)};
}

Error usage_error(const CLI::App& root, const CLI::ParseError& failure) {
  const CLI::App& at = innermost(root);
  const std::vector<std::string> extras = root.remaining(true);
  if (!extras.empty()) return unknown_word(at, extras.front());
  const std::string see = cat("See `", spoken_name(at), " --help`.");
  const std::vector<std::string> commands = command_names(at);
  if (failure.get_name() == "RequiredError" && !commands.empty()) {
    return Error{ErrorCode::bad_usage,
                 cat("`", spoken_name(at), "` needs a command: ", join(commands, ", "), "."), see};
  }
  std::string reason = replace_all(failure.what(), "\n", " ");
  while (reason.ends_with('.')) reason.pop_back();
  return Error{ErrorCode::bad_usage, cat("`", spoken_name(at), "`: ", reason, "."), see};
}

}  // namespace

Result<CommandLine> parse_command_line(std::span<const std::string> words) {
  CommandLine line;
  Grammar grammar(line.options);
  CLI::App& root = grammar.root();
  try {
    // CLI11 takes the words from the back.
    root.parse(std::vector<std::string>(words.rbegin(), words.rend()));
    line.options.command = grammar.command_of(innermost(root));
  } catch (const CLI::CallForVersion& call) {
    line.help = cat(call.what(), "\n");
  } catch (const CLI::CallForHelp&) {
    line.help = root.help();
  } catch (const CLI::ParseError& failure) {
    return usage_error(root, failure);
  }
  return line;
}

Completion complete_command_line(std::span<const std::string> words) {
  Options options;
  Grammar grammar(options);
  const CLI::App* at = &grammar.root();
  const std::string typed = words.empty() ? "" : words.back();
  std::string before;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    before = words[i];
    for (const CLI::App* next : at->get_subcommands([](const CLI::App*) { return true; })) {
      if (next->get_name() == words[i]) {
        at = next;
        break;
      }
    }
  }
  const auto of_name = [](const std::string& name) {
    if (name == "M" || name == "--model" || name == "-m") return NameKind::model;
    if (name == "W" || name == "--worker") return NameKind::worker;
    if (name == "H" || name == "--hive" || name == "--from" || name == "--to") return NameKind::hive;
    return NameKind::none;
  };
  if (const NameKind kind = of_name(before); before.starts_with('-') && kind != NameKind::none)
    return {{}, kind};
  if (before == "--backend") return {{"cuda", "metal", "rocm", "vulkan", "cpu"}, NameKind::none};
  if (typed.starts_with('-')) return {flag_names(*at), NameKind::none};
  if (at->get_name() == "completion") return {{"bash", "zsh", "fish"}, NameKind::none};
  Completion found{command_names(*at), NameKind::none};
  for (const CLI::Option* option : at->get_options()) {
    if (!option->get_positional()) continue;
    if (const NameKind kind = of_name(option->get_name(true)); kind != NameKind::none) found.kind = kind;
  }
  return found;
}

}  // namespace rbee::cli
