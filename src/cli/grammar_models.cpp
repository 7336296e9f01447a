#include "cli/grammar.h"

#include "base/text.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace rbee::cli {
namespace {

// What the keeper takes at most: a list longer than any system has workers, and an hour of measuring.
constexpr std::uint64_t longest_list = 100'000;
constexpr std::uint64_t longest_measuring_s = 3600;
constexpr double most_vram_gb = 1 << 20;
// A model has at most some thousand layers; the output is one more.
constexpr std::uint64_t most_layers = 4097;

}  // namespace

void Grammar::add_deploy_options(CLI::App& app) {
  app.add_option("--hive", o_.hive, "On this hive")->type_name("H");
  app.add_option("--backend", o_.backend, "CUDA, Metal, ROCm, Vulkan or CPU")->type_name("B");
  app.add_option("--device", o_.device, "A device by its id; A,B or all: one worker of several")
      ->type_name("ID");
  app.add_option("--name", o_.name, "Name of the worker")->type_name("N");
  app.add_option("--vram", o_.vram, "The most that its models may take of the device, in GB")
      ->type_name("GB")
      ->check(number(0.001, most_vram_gb));
  app.add_option("--slots", o_.slots, "Requests at once in each engine")->type_name("N")->check(positive());
  app.add_option("--context", o_.context, "Tokens that one request may use")
      ->type_name("N")
      ->check(positive());
}

void Grammar::add_workers() {
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
  list.add_option("--limit", o_.limit, "At most so many")->type_name("N")->check(whole(1, longest_list));
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

void Grammar::add_benchmark(CLI::App& worker) {
  CLI::App& benchmark = command(worker, Command::worker_benchmark, "benchmark",
                                "Measure how fast workers really are, in idle time",
                                "worker benchmark --worker worker-gaming-pc --model llama-3.1-8b");
  benchmark.add_option("--hive", o_.hive, "The workers of this hive only")->type_name("H");
  benchmark.add_option("--worker", o_.worker, "This worker only")->type_name("W");
  benchmark.add_option("--model", o_.model, "With this model (the one that is loaded)")->type_name("M");
  benchmark.add_option("--seconds", o_.seconds, "Of measuring each, at most (20)")
      ->type_name("N")
      ->check(whole(1, longest_measuring_s));
  benchmark.add_flag("--csv", o_.csv, "Comma-separated lines instead of a table");
  benchmark.add_option("--plot", o_.plot, "Also write a chart: SVG, or HTML by its name's ending")
      ->type_name("FILE");
  benchmark.add_flag("--history", o_.history, "Measure nothing: what was found so far, and its drift");
}

void Grammar::add_models() {
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
  CLI::App& import = command(model, Command::model_import, "import",
                             "Link what Ollama, LM Studio, the Hugging Face tools or llama.cpp have fetched",
                             "model import ~/models");
  import.add_option("DIR", o_.source, "Look in this folder only");
  import.add_option("--hive", o_.hive, "On this hive")->type_name("H");
  add_model_of_hive(command(model, Command::model_verify, "verify", "Compare a model with its checksum",
                            "model verify mistral-7b-q4_k_m"));
  add_model_of_hive(
      command(model, Command::model_remove, "remove", "Remove a model", "model remove mistral-7b-q4_k_m"));
  add_fit(model);
  CLI::App& about =
      command(model, Command::model_info, "info", "What a model is, by its file", "model info llama-3.1-8b");
  about.add_option("M", o_.model, "The model, or the path of a file")->required();
  CLI::App& add = command(model, Command::model_add, "add", "Make a GGUF file known under a name",
                          "model add llama-3.1-8b ./llama-3.1-8b-q4_k_m.gguf");
  add.add_option("NAME", o_.model, "Name of the model")->required();
  add.add_option("SOURCE", o_.source, "Path of the file, a model that is there, or where to fetch it")
      ->required();
  add.add_option("--hive", o_.hive, "On this hive")->type_name("H");
}

void Grammar::add_fit(CLI::App& model) {
  CLI::App& fit = command(model, Command::model_fit, "fit", "Where a model fits, and what it needs",
                          "model fit ./llama-3.1-8b-q4_k_m.gguf --on gpu --context 8192");
  fit.add_option("M", o_.model, "A model, a path, or whatever a download takes")->required();
  fit.add_option("--quant", o_.quant, "Only that quantization; auto: the best that fits whole is chosen")
      ->type_name("Q");
  fit.add_flag("--allow-private", o_.allow_private, "Also http, and addresses of private networks");
  fit.add_option("--on", o_.on, "On any machine with a cpu or gpu; asks no keeper")
      ->type_name("cpu|gpu")
      ->transform(one_of({"cpu", "gpu"}));
  fit.add_option("--layers", o_.layers, "Of them on the GPU, the output counted first (all)")
      ->type_name("N")
      ->check(whole(0, most_layers));
  fit.add_option("--context", o_.context, "Tokens that one request may use")
      ->type_name("N")
      ->check(positive());
  fit.add_option("--slots", o_.slots, "Requests at once (4)")->type_name("N")->check(positive());
  fit.add_option("--cache-type", o_.cache_type, "Of the KV cache (f16)")
      ->type_name("f16|q8_0")
      ->transform(one_of({"f16", "q8_0"}));
  fit.add_option("--kv", o_.kv, "A cache for each slot, or one for all (unified)")
      ->type_name("split|unified")
      ->transform(one_of({"split", "unified"}));
}

void Grammar::add_model_of_hive(CLI::App& app) {
  app.add_option("M", o_.model, "The model")->required();
  app.add_option("--hive", o_.hive, "On this hive")->type_name("H");
}

void Grammar::add_download(CLI::App& app) {
  add_model_of_hive(app);
  app.add_option("--quant", o_.quant, "Its quantization: Q4_K_M, Q8_0 ..., or auto")->type_name("Q");
  app.add_flag("--allow-private", o_.allow_private, "Also http, and addresses of private networks");
}

void Grammar::add_ollama() {
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
  add_model_of_hive(command(root_, Command::stop, "stop", "End the engines of a model", "stop llama-3.2-1b"));
  CLI::App& serve = command(root_, Command::up, "serve", "The same as `rbee up`", "serve");
  serve.add_option("--port", o_.port, "Port for clients (7833; 0: any free one)")
      ->type_name("PORT")
      ->check(port());
}

}  // namespace rbee::cli
