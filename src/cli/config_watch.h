// ConfigWatch: takes up what changes of rbee.toml while rbee runs. A file that is wrong is said to be, once,
// and the last good one stays.
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
  // `on_change` is called on the loop.
  static std::shared_ptr<ConfigWatch> start(net::Loop& loop, std::filesystem::path file,
                                            std::shared_ptr<Log> log,
                                            std::function<void(const Config&)> on_change);
  ConfigWatch(net::Loop& loop, std::filesystem::path file, std::shared_ptr<Log> log,
              std::function<void(const Config&)> on_change);

 private:
  struct Mark {
    std::filesystem::file_time_type changed = {};
    std::uintmax_t bytes = 0;
    bool operator==(const Mark&) const = default;
  };
  [[nodiscard]] Mark look() const;
  void arm(const std::shared_ptr<ConfigWatch>& self);
  void check();

  std::filesystem::path file_;
  std::shared_ptr<Log> log_;
  std::function<void(const Config&)> on_change_;
  net::Timer timer_;
  Mark seen_;
};

}  // namespace rbee::cli
