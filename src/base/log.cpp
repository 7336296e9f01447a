#include "base/log.h"

#include "base/text.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>

namespace rbee {
namespace {

// Enough for days of a home's traffic, small enough for a home's disk.
constexpr std::size_t largest_file_bytes = 8u << 20;
constexpr std::size_t old_files = 3;

// The seed's own form: "[INFO] Detecting compute backends..."; spdlog would write small letters.
std::string_view level_tag(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "[DEBUG] ";
    case LogLevel::info: return "[INFO] ";
    case LogLevel::warning: return "[WARN] ";
    case LogLevel::error: return "[ERROR] ";
  }
  return "";
}

spdlog::level::level_enum spd_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

struct Log::Impl {
  spdlog::logger logger{"rbee"};
};

Log::Log(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Log::~Log() = default;

Result<std::shared_ptr<Log>> Log::open(const Options& options) {
  auto impl = std::make_unique<Impl>();
  if (options.to_stderr) {
    const auto mode = options.color ? spdlog::color_mode::always : spdlog::color_mode::never;
    auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(mode);
    sink->set_pattern("%^%v%$");
    impl->logger.sinks().push_back(std::move(sink));
  }
  if (!options.file.empty()) {
    try {
      auto sink =
          std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.file, largest_file_bytes, old_files);
      sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %v",
                                                                      spdlog::pattern_time_type::utc));
      impl->logger.sinks().push_back(std::move(sink));
    } catch (const spdlog::spdlog_ex& failure) {
      return Error{
          ErrorCode::io_failed, cat("The log '", options.file, "' cannot be opened."), {}, failure.what()};
    }
  }
  impl->logger.set_level(spd_level(options.level));
  impl->logger.flush_on(spdlog::level::info);
  return std::shared_ptr<Log>(new Log(std::move(impl)));
}

std::shared_ptr<Log> Log::none() { return std::shared_ptr<Log>(new Log(std::make_unique<Impl>())); }

void Log::write(LogLevel level, std::string_view line) {
  if (!impl_->logger.should_log(spd_level(level))) return;
  const std::string text = cat(level_tag(level), line);
  impl_->logger.log(spd_level(level), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace rbee
