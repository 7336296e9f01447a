#include "engine/log.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>

namespace rbee::engine {
namespace {

// A prompt shorter than this says nothing of speed: start-up of the batch dominates.
constexpr std::int64_t shortest_telling_prompt_tokens = 50;
// What one line may make of memory and tokens; more is a damaged line (1 PiB in MiB).
constexpr double largest_mib = 1 << 30;
// The longest cause that is kept: it goes into reports and onto terminals.
constexpr std::size_t longest_error_bytes = 2048;

struct Line {
  bool is_error = false;
  std::string text;
};

std::string without_line_end(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return std::string(text);
}

// "0.00.076.988 I srv ..." is {I, "srv ..."}: minutes.seconds.ms.us since the start, and the level.
std::optional<Line> prefixed_line(std::string_view line) {
  const std::size_t end = line.find(' ');
  if (end == std::string_view::npos || end < 7 || end + 2 >= line.size()) return std::nullopt;
  const std::string_view time = line.substr(0, end);
  const auto is_time = [](char c) { return c == '.' || (c >= '0' && c <= '9'); };
  if (!std::all_of(time.begin(), time.end(), is_time)) return std::nullopt;
  const char level = line[end + 1];
  if (line[end + 2] != ' ' || std::string_view("EWID").find(level) == std::string_view::npos) {
    return std::nullopt;
  }
  return Line{.is_error = level == 'E', .text = without_line_end(line.substr(end + 3))};
}

// "/src/ggml-rpc.cpp:566: Remote RPC server crashed": what an abort of ggml prints, without a level.
bool is_abort(std::string_view line) {
  for (const std::string_view extension : {".cpp:", ".c:", ".cu:", ".m:", ".h:"}) {
    const std::size_t at = line.find(extension);
    if (at == std::string_view::npos || line.substr(0, at).find(' ') != std::string_view::npos) continue;
    const std::string_view after = line.substr(at + extension.size());
    const std::size_t digits = after.find_first_not_of("0123456789");
    if (digits != 0 && digits != std::string_view::npos && after.substr(digits).starts_with(": "))
      return true;
  }
  return false;
}

bool is_bare_error(std::string_view line) {
  return line.starts_with("error: ") || line.starts_with("error while handling argument") ||
         line.starts_with("terminate called") || line.starts_with("GGML_ASSERT(") ||
         line.find(": error while loading shared libraries: ") != std::string_view::npos || is_abort(line);
}

Line read_line(std::string_view line) {
  if (line.starts_with('{')) {
    const Result<Json> json = parse_json(line);
    if (json && get_string(*json, "type") == "log") {
      return Line{.is_error = get_string(*json, "level") == "error",
                  .text = without_line_end(text_of(*json, "msg"))};
    }
    return Line{.text = without_line_end(line)};
  }
  if (std::optional<Line> prefixed = prefixed_line(line)) return std::move(*prefixed);
  return Line{.is_error = is_bare_error(line), .text = without_line_end(line)};
}

// The number after `key` and any spaces or '=' in `text`.
std::optional<double> number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + key.size());
  const std::size_t start = text.find_first_not_of(" =");
  if (start == std::string_view::npos) return std::nullopt;
  text.remove_prefix(start);
  const std::size_t end = text.find_first_not_of("0123456789.");
  if (end != std::string_view::npos && std::isalpha(static_cast<unsigned char>(text[end])) != 0)
    return std::nullopt;
  return parse_double(text.substr(0, end));
}

std::optional<std::int64_t> count_after(std::string_view text, std::string_view key) {
  const std::optional<double> number = number_after(text, key);
  // Past 2^53 a double is no exact count, and no engine has such: a damaged line.
  if (!number || *number > 9.0e15) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

// "load_tensors:   CPU_Mapped model buffer size =     1.06 MiB".
std::optional<LogEvent> buffer_line(std::string_view text) {
  const std::size_t at = text.find(" buffer size =");
  if (at == std::string_view::npos || text.find(" MiB", at) == std::string_view::npos) return std::nullopt;
  const std::optional<double> mib = number_after(text, " buffer size =");
  if (!mib || *mib > largest_mib) return std::nullopt;
  std::string_view name = text.substr(0, at);
  const std::size_t colon = name.find(": ");
  if (colon != std::string_view::npos) name.remove_prefix(colon + 2);
  name = trim(name);
  const std::size_t space = name.rfind(' ');
  if (space == std::string_view::npos) return std::nullopt;
  return LogEvent{.kind = LogKind::buffer,
                  .buffer = std::string(trim(name.substr(0, space))),
                  .use = std::string(name.substr(space + 1)),
                  .bytes = static_cast<std::uint64_t>(std::llround(*mib * 1024 * 1024))};
}

// "load_tensors: offloaded 6/13 layers to GPU".
std::optional<LogEvent> offloaded_line(std::string_view text) {
  const std::optional<std::int64_t> count = count_after(text, "offloaded ");
  const std::size_t slash = text.find('/');
  if (!count || slash == std::string_view::npos || text.find(" layers to GPU") == std::string_view::npos) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> total = count_after(text.substr(slash), "/");
  if (!total) return std::nullopt;
  return LogEvent{.kind = LogKind::offloaded, .count = *count, .total = *total};
}

// "prompt eval time =       7.25 ms /   138 tokens (...)".
LogEvent timing_line(LogKind kind, std::string_view text) {
  LogEvent event{.kind = kind};
  event.milliseconds = number_after(text, "eval time =").value_or(0);
  event.count = count_after(text, "ms /").value_or(0);
  return event;
}

// Lines that begin with "slot": one of the engine's slots at work.
LogEvent slot_line(std::string_view text) {
  LogEvent event;
  if (text.find("| prompt eval time =") != std::string_view::npos) {
    event = timing_line(LogKind::prompt_done, text);
  } else if (text.find("eval time =") != std::string_view::npos) {
    event = timing_line(LogKind::answer_done, text);
  } else if (text.find("| prompt processing, n_tokens =") != std::string_view::npos) {
    event.kind = LogKind::prompt_batch;
    event.count = count_after(text, "n_tokens =").value_or(0);
  } else if (text.find("| n_gen =") != std::string_view::npos) {
    event.kind = LogKind::tokens;
    event.count = count_after(text, "n_gen =").value_or(0);
  } else if (text.find("| processing task") != std::string_view::npos) {
    event.kind = LogKind::task_started;
  } else if (text.find("| stop processing") != std::string_view::npos) {
    event.kind = LogKind::task_ended;
  }
  const std::optional<std::int64_t> slot = count_after(text, ": id ");
  if (slot && *slot < 1 << 20) event.slot = static_cast<int>(*slot);
  return event;
}

LogEvent event_of(std::string_view text) {
  if (text.starts_with("slot ")) return slot_line(text);
  if (std::optional<LogEvent> event = buffer_line(text)) return std::move(*event);
  if (std::optional<LogEvent> event = offloaded_line(text)) return std::move(*event);
  if (text.find("n_slots =") != std::string_view::npos) {
    return LogEvent{.kind = LogKind::slots,
                    .count = count_after(text, "n_slots =").value_or(0),
                    .total = count_after(text, "n_ctx_slot =").value_or(0),
                    .unified = text.find("kv_unified = 'true'") != std::string_view::npos};
  }
  if (!text.starts_with("srv ")) return {};
  if (text.ends_with(": model loaded")) return LogEvent{.kind = LogKind::loaded};
  if (text.find("listening on ") != std::string_view::npos) return LogEvent{.kind = LogKind::listening};
  if (text.ends_with("all slots are idle")) return LogEvent{.kind = LogKind::idle};
  return {};
}

}  // namespace

bool is_progress(LogKind kind) {
  switch (kind) {
    case LogKind::task_started:
    case LogKind::prompt_batch:
    case LogKind::tokens:
    case LogKind::prompt_done:
    case LogKind::answer_done:
    case LogKind::task_ended:
    case LogKind::idle: return true;
    default: return false;
  }
}

LogEvent parse_log_line(std::string_view line) {
  Line read = read_line(line);
  if (read.is_error) {
    if (read.text.size() > longest_error_bytes) read.text.resize(longest_error_bytes);
    return LogEvent{.kind = LogKind::error, .text = std::string(trim(read.text))};
  }
  return event_of(read.text);
}

std::string log_line_text(std::string_view line) {
  if (line.starts_with('{')) return read_line(line).text;
  return without_line_end(line);
}

std::string buffer_device(std::string_view buffer) {
  // The plug-ins name devices with a number at the end (CUDA0, Vulkan1, MTL0, ROCm0) or "RPC0[host:port]";
  // host memory is CPU, CPU_Mapped, CPU_REPACK, or <backend>_Host.
  if (buffer.starts_with("CPU") || buffer.ends_with("_Host")) return "CPU";
  if (buffer.ends_with("_Mapped")) buffer.remove_suffix(std::string_view("_Mapped").size());
  if (buffer.ends_with("_Private")) buffer.remove_suffix(std::string_view("_Private").size());
  return std::string(buffer.substr(0, buffer.find('[')));
}

LogEvent EngineLogReader::read(std::string_view line) {
  LogEvent event = parse_log_line(line);
  switch (event.kind) {
    case LogKind::buffer: memory_bytes_[buffer_device(event.buffer)] += event.bytes; break;
    case LogKind::slots:
      slots_ = static_cast<int>(std::min<std::int64_t>(event.count, 1 << 20));
      slot_context_ = event.total;
      unified_ = event.unified;
      break;
    case LogKind::listening:
      listening_ = true;
      first_error_.clear();
      break;
    case LogKind::idle: first_error_.clear(); break;
    case LogKind::prompt_done:
      if (event.count >= shortest_telling_prompt_tokens && event.milliseconds > 0) {
        prompt_speed_ = static_cast<double>(event.count) * 1000 / event.milliseconds;
      }
      break;
    case LogKind::error:
      if (first_error_.empty()) first_error_ = event.text;
      break;
    default: break;
  }
  return event;
}

std::uint64_t EngineLogReader::total_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [device, bytes] : memory_bytes_) sum += bytes;
  return sum;
}

}  // namespace rbee::engine
