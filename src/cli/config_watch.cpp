#include "cli/config_watch.h"

#include "base/text.h"

namespace rbee::cli {
namespace {

// Looking at a file's time takes microseconds, and nobody waits longer for a change that he made.
constexpr Milliseconds look_every{1'000};

}  // namespace

ConfigWatch::ConfigWatch(net::Loop& loop, std::filesystem::path file, std::shared_ptr<Log> log,
                         std::function<void(const Config&)> on_change)
    : file_(std::move(file)), log_(std::move(log)), on_change_(std::move(on_change)), timer_(loop) {
  seen_ = look();
}

std::shared_ptr<ConfigWatch> ConfigWatch::start(net::Loop& loop, std::filesystem::path file,
                                                std::shared_ptr<Log> log,
                                                std::function<void(const Config&)> on_change) {
  auto watch = std::make_shared<ConfigWatch>(loop, std::move(file), std::move(log), std::move(on_change));
  watch->arm(watch);
  return watch;
}

ConfigWatch::Mark ConfigWatch::look() const {
  Mark mark;
  std::error_code missing;
  mark.changed = std::filesystem::last_write_time(file_, missing);
  if (missing) return {};
  mark.bytes = std::filesystem::file_size(file_, missing);
  return mark;
}

void ConfigWatch::arm(const std::shared_ptr<ConfigWatch>& self) {
  timer_.arm(look_every, [held = std::weak_ptr<ConfigWatch>(self)] {
    const std::shared_ptr<ConfigWatch> watch = held.lock();
    if (!watch) return;
    watch->check();
    watch->arm(watch);
  });
}

void ConfigWatch::check() {
  const Mark now = look();
  if (now == seen_) return;
  seen_ = now;
  const Result<Config> config = read_config(file_);
  if (!config) {
    log_->warning(
        cat(config.error().message, " ", hint_of(config.error()), " What held before still holds."));
    return;
  }
  log_->info(cat("'", file_.string(), "' has changed: [routing] holds from now on."));
  on_change_(*config);
}

}  // namespace rbee::cli
