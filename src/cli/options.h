// What the user asked for, as plain values: the command and everything that its words and flags said.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rbee::cli {

enum class Command {
  up,
  down,
  keeper,
  hive,
  hive_list,
  hive_token,
  hive_add,
  hive_info,
  hive_remove,
  hive_join,
  hive_approve,
  key_add,
  key_list,
  key_remove,
  service_install,
  service_status,
  service_remove,
  hive_drain,
  hive_resume,
  hive_wake,
  status,
  worker_deploy,
  worker_start,
  worker_list,
  worker_info,
  worker_stop,
  worker_remove,
  worker_drain,
  worker_pause,
  worker_resume,
  worker_benchmark,
  model_list,
  model_add,
  model_fit,
  model_info,
  model_search,
  model_download,
  model_cancel,
  model_copy,
  model_import,
  model_verify,
  model_remove,
  run,
  ps,
  show,
  stop,
  completion,
  complete,
  infer,
  chat,
  engine_list,
  engine_install,
  engine_verify,
  engine_remove,
  logs,
  backup,
  detect,
  doctor,
  route_check,
  route_explain,
  route_suggest,
  simulate,
  rhai,
  rhai_run,
};

enum class ColorMode { automatic, always, never };

struct Options {
  Command command = Command::status;

  // Of every command.
  bool json = false;
  bool quiet = false;
  ColorMode color = ColorMode::automatic;
  std::string keeper;  // an URL or address; empty: RBEE_KEEPER, this home's, the default
  std::string key;     // empty: RBEE_API_KEY

  // up, keeper, hive
  std::optional<std::uint16_t> port;  // 0: any free one
  bool demo = false;
  std::string listen;

  // Names: of a hive (--hive), a worker (the word, --worker or --name), a model (the word or -m).
  std::string hive;
  std::string worker;
  std::string name;
  std::string model;

  // worker
  std::string backend;
  std::string device;
  std::string state;
  std::optional<std::uint32_t> slots;
  std::optional<std::uint32_t> context;
  std::optional<std::uint32_t> limit;
  double vram = 0;            // GB; 0: all that the device has
  std::string pause_for;      // "2h"; empty: until it is resumed
  bool no_benchmark = false;  // it is not measured by itself
  bool csv = false;           // worker benchmark
  bool history = false;
  std::optional<std::uint32_t> seconds;

  // model fit
  std::string on;  // "cpu" or "gpu": a machine with such a device; empty: the system
  std::optional<std::uint32_t> layers;
  std::string cache_type;
  std::string kv;

  std::string source;  // model add: a path, or where to fetch it; model import: a folder
  std::string quant;
  std::string to;              // model copy: a hive
  bool allow_private = false;  // model download
  bool catalog = false;        // model list
  bool check = false;
  std::string shell;               // completion
  std::vector<std::string> words;  // of a line that is being typed
  std::string from;                // engine install: a folder or a URL; model copy: a hive
  std::string sha256;              // engine install: of what the URL gives

  // infer, chat
  std::string prompt;
  std::optional<std::uint32_t> max_tokens;
  double temperature = 0;

  bool follow = false;  // logs

  // hive token; hive add: `hive` is the name, `source` the address
  bool rotate = false;
  bool revoke = false;
  std::string token;
  std::string ssh;       // "USER@HOST"; empty: the address
  std::string service;   // service install, status, remove: "keeper", "hive"; empty: both
  std::string into;      // a folder for its files; nothing is started then
  bool install = false;  // over ssh, where there is no rbee

  // key add, key remove: `name` is the key's
  std::uint64_t requests_per_minute = 0;
  std::uint64_t tokens_per_minute = 0;
  std::string models;
  bool admin = false;

  // route explain, simulate: `model` and `max_tokens` as above, `source` is the file of route check and of
  // rhai run
  std::string fleet;
  std::string config;
  std::string script;
  double prompt_tokens = 0;
  std::string trace;
  double load = 0;  // 0: as the trace has it
  double rate = 0;
  std::string duration;
  std::vector<std::string> strategies;
  std::vector<std::string> failures;
  double speed_error = 0;
  std::uint64_t seed = 1;
  bool no_limits = false;
  std::string plot;
};

}  // namespace rbee::cli
