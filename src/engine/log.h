// Reads what an engine says in its log, one line at a time, in either of its forms (`--log-jsonl` and
// plain). Pure, and safe with any bytes: what is not understood is LogKind::other, nothing throws.
//
// At `-lv 4` the log proves progress only now and then: a line each 3 s once 100 tokens are made, and one
// for each batch of a prompt that has taken 3 s (server-context.cpp, print_timings_tg and _pp). A slower
// engine is silent between the start and the end of a request: then look at /slots (health.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace rbee::engine {

enum class LogKind {
  other,
  buffer,     // memory was taken: buffer, use, bytes
  offloaded,  // count of total layers
  slots,      // count slots of total tokens each, unified
  loaded,     // the model is read
  listening,
  task_started,  // slot has got a task
  prompt_batch,  // slot has read on in its prompt: count tokens so far
  tokens,        // slot has made on: count tokens so far
  prompt_done,   // count tokens in milliseconds
  answer_done,   // count tokens in milliseconds
  task_ended,    // slot is free
  idle,          // all slots are
  error,         // text: the engine's words
};

struct LogEvent {
  LogKind kind = LogKind::other;
  std::string buffer = {};  // "Vulkan0", "CPU_Mapped", "CPU"
  std::string use = {};     // "model", "KV", "compute", "output", "RS"
  std::uint64_t bytes = 0;
  int slot = -1;  // -1: none named
  std::int64_t count = 0;
  std::int64_t total = 0;
  double milliseconds = 0;
  bool unified = false;
  std::string text = {};
};

// Whether the event proves that the engine decodes.
[[nodiscard]] bool is_progress(LogKind kind);

[[nodiscard]] LogEvent parse_log_line(std::string_view line);

// The line as a person reads it: the message of a JSON line, a plain line as it is; no line ends.
[[nodiscard]] std::string log_line_text(std::string_view line);

// What one start of an engine has said so far. Not for several threads.
class EngineLogReader {
 public:
  LogEvent read(std::string_view line);

  // Bytes by the device that holds them ("Vulkan0"); "CPU" stands for all host memory (CPU_Mapped,
  // Vulkan_Host, CPU_REPACK and the like).
  [[nodiscard]] const std::map<std::string, std::uint64_t>& memory_bytes() const { return memory_bytes_; }
  [[nodiscard]] std::uint64_t total_bytes() const;
  // The first line at level error: the cause, for those after it only say that it failed. Forgotten when
  // the engine listens and when all its slots are idle: what it outlived is not why it ended. Empty: none.
  [[nodiscard]] const std::string& first_error() const { return first_error_; }
  [[nodiscard]] bool listening() const { return listening_; }
  [[nodiscard]] int slots() const { return slots_; }
  [[nodiscard]] std::int64_t slot_context() const { return slot_context_; }
  [[nodiscard]] bool unified() const { return unified_; }
  // Tokens a second of the last prompt that was long enough to tell (50 tokens or more); 0: not known.
  [[nodiscard]] double prompt_speed() const { return prompt_speed_; }

 private:
  std::map<std::string, std::uint64_t> memory_bytes_;
  std::string first_error_;
  bool listening_ = false;
  int slots_ = 0;
  std::int64_t slot_context_ = 0;
  bool unified_ = false;
  double prompt_speed_ = 0;
};

// The device whose memory a buffer of that name takes: "Vulkan0" for "Vulkan0", "CPU" for "Vulkan_Host".
[[nodiscard]] std::string buffer_device(std::string_view buffer);

}  // namespace rbee::engine
