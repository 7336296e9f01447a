#include "cli/config_watch.h"

#include "base/text.h"
#include "cli/script_file.h"

#include <utility>

namespace rbee::cli {
namespace {

// Looking at a file's time takes microseconds, and nobody waits longer for a change that he made.
constexpr Milliseconds look_every{1'000};

std::string still_holds(const Error& error) {
  return cat(error.message, " ", hint_of(error), " What held before still holds.");
}

}  // namespace

ConfigWatch::ConfigWatch(net::Loop& loop, std::filesystem::path config_file,
                         std::filesystem::path script_file, routing::ScriptLimits limits,
                         std::shared_ptr<Log> log, Events events)
    : config_file_(std::move(config_file)),
      script_file_(std::move(script_file)),
      limits_(limits),
      log_(std::move(log)),
      events_(std::move(events)),
      timer_(loop),
      config_seen_(look(config_file_)),
      script_seen_(look(script_file_)) {}

std::shared_ptr<ConfigWatch> ConfigWatch::start(net::Loop& loop, std::filesystem::path config_file,
                                                std::filesystem::path script_file,
                                                routing::ScriptLimits limits, std::shared_ptr<Log> log,
                                                Events events) {
  auto watch = std::make_shared<ConfigWatch>(loop, std::move(config_file), std::move(script_file), limits,
                                             std::move(log), std::move(events));
  watch->arm(watch);
  return watch;
}

ConfigWatch::Mark ConfigWatch::look(const std::filesystem::path& file) {
  Mark mark;
  std::error_code missing;
  mark.changed = std::filesystem::last_write_time(file, missing);
  if (missing) return {};
  mark.bytes = std::filesystem::file_size(file, missing);
  return mark;
}

void ConfigWatch::arm(const std::shared_ptr<ConfigWatch>& self) {
  timer_.arm(look_every, [held = std::weak_ptr<ConfigWatch>(self)] {
    const std::shared_ptr<ConfigWatch> watch = held.lock();
    if (!watch) return;
    const bool limits_changed = watch->check_config();
    const Mark script = look(watch->script_file_);
    const bool script_changed = std::exchange(watch->script_seen_, script) != script;
    if (limits_changed || script_changed) watch->take_script();
    watch->arm(watch);
  });
}

bool ConfigWatch::check_config() {
  const Mark now = look(config_file_);
  if (std::exchange(config_seen_, now) == now) return false;
  const Result<Config> config = read_config(config_file_);
  if (!config) {
    log_->warning(still_holds(config.error()));
    return false;
  }
  log_->info(
      cat("'", config_file_.string(), "' has changed: [routing], [models] and [hive] hold from now on."));
  events_.on_config(*config);
  return std::exchange(limits_, config->script) != config->script;
}

void ConfigWatch::take_script() {
  if (script_file_.empty()) return;  // nobody here asks one
  Result<std::shared_ptr<const routing::RhaiPolicy>> script = read_script(script_file_, limits_);
  if (!script) {
    log_->warning(still_holds(script.error()));
    return;
  }
  if (*script) {
    log_->info(cat("'", script_file_.string(), "' is asked from now on."));
  } else if (script_seen_ == Mark{}) {
    log_->info(cat("There is no '", script_file_.string(), "': rules and strategy hold."));
  }
  events_.on_script(std::move(*script));
}

}  // namespace rbee::cli
