// AccessLog: a line for each request, into a file or to stderr, by a thread of its own.
//
// Nobody waits for a disk: a line is appended in memory, and lines that the file does not take fast enough
// are dropped and counted. The file is renamed at a size and a few old ones kept; one that somebody else
// renamed or removed (logrotate) is opened anew within a second, without a signal. Safe from every thread.
#pragma once

#include "base/error.h"
#include "base/log.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace rbee::keeper {

class AccessLog {
 public:
  // Some thousand lines: what a disk that hiccups for a second may owe a busy keeper.
  static constexpr std::size_t most_waiting_bytes = 4u << 20;
  struct Limits {
    std::uint64_t largest_file_bytes = 64u << 20;
    int old_files = 3;
  };
  // What goes wrong is told to `log`, once for each time that it begins.
  explicit AccessLog(std::shared_ptr<Log> log) : AccessLog(std::move(log), Limits{}) {}
  AccessLog(std::shared_ptr<Log> log, Limits limits);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // What waits is written, and nothing more is.
  void end();
  // A path, "stderr", or nothing: off. From then on.
  void set_file(const std::string& file);
  [[nodiscard]] bool is_on() const { return on_; }
  // `line` ends with its newline.
  void write(std::string_view line);
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  void run();
  struct Writer;

  std::shared_ptr<Log> log_;
  Limits limits_;
  std::atomic<bool> on_{false};
  std::atomic<std::uint64_t> dropped_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string waiting_;
  std::string file_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace rbee::keeper
