// ConfigWatch: takes up what changes of rbee.toml and routing.rhai while rbee runs. A file that is wrong is
// said to be, once, and the last good one stays.
#pragma once

#include "base/log.h"
#include "cli/config.h"
#include "net/loop.h"

#include <filesystem>
#include <functional>
#include <memory>

namespace rbee::cli {

class ConfigWatch {
 public:
  using Script = std::shared_ptr<const routing::ScriptPolicy>;
  // Called on the loop. The script is none where its file is gone.
  struct Events {
    std::function<void(const Config&)> on_config;
    std::function<void(Script)> on_script;
  };
  // `limits` are those that the script was compiled with, if there is one.
  static std::shared_ptr<ConfigWatch> start(net::Loop& loop, std::filesystem::path config_file,
                                            std::filesystem::path script_file, routing::ScriptLimits limits,
                                            std::shared_ptr<Log> log, Events events);
  ConfigWatch(net::Loop& loop, std::filesystem::path config_file, std::filesystem::path script_file,
              routing::ScriptLimits limits, std::shared_ptr<Log> log, Events events);

 private:
  // What tells one state of a file from another.
  struct Mark {
    std::filesystem::file_time_type changed = {};
    std::uintmax_t bytes = 0;
    bool operator==(const Mark&) const = default;
  };
  [[nodiscard]] static Mark look(const std::filesystem::path& file);
  void arm(const std::shared_ptr<ConfigWatch>& self);
  // Whether the script is to be compiled anew.
  [[nodiscard]] bool check_config();
  void take_script();

  std::filesystem::path config_file_;
  std::filesystem::path script_file_;
  routing::ScriptLimits limits_;
  std::shared_ptr<Log> log_;
  Events events_;
  net::Timer timer_;
  Mark config_seen_;
  Mark script_seen_;
};

}  // namespace rbee::cli
