// RequestHead: what the gateway must know of a request's body. Nothing of it is kept or encoded again: the
// body goes on to the engine as it came.
//
// All of the body is checked, not only what is read: an engine answers JSON that is broken anywhere with a
// 500 of its own, which would look like its failure.
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "keeper/model_care.h"
#include "keeper/prompt_print.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rbee::keeper {

struct RequestHead {
  std::string model;
  bool stream = false;
  double max_tokens = 0;  // 0: not said
  std::string user = {};
  PromptPrint prompt = {};
  bool has_tools = false;
  bool has_messages = false;
  bool has_prompt = false;
  bool has_images = false;
  bool has_sound = false;
  bool may_need_mending = false;  // a chat or completion has a field that mended_request() may have to change
  int n = 1;                      // answers to each prompt: `n`, or `n_cmpl`, which engines read as well
  int prompts = 1;                // of /v1/completions and /completion
  // Ollama's own: how long the engine is to stay afterwards (nothing within: for ever), and the context that
  // it is to have, options.num_ctx.
  std::optional<KeepAliveWish> keep_alive = {};
  std::uint32_t num_ctx = 0;  // 0: not said

  // Each takes a slot.
  [[nodiscard]] int answers() const;
};

// No name of a model is longer; what a client sends comes back in errors, metrics and logs.
inline constexpr std::size_t longest_model_name = 256;
// Far more than any engine has slots.
inline constexpr int largest_n = 1024;

// "5m", "300", "1h30m", "-1": as Ollama reads it; nothing where it is none.
[[nodiscard]] std::optional<KeepAliveWish> parse_keep_alive(std::string_view text);

// Fails with bad_json (no JSON, no object, no UTF-8), or bad_request (no `model`, two of it, no text in it,
// or what would hurt an engine: request_limits.h).
[[nodiscard]] Result<RequestHead> read_request_head(std::string_view body);

// The same for bodies as clients send them, one after the other: what a parser needs for a long one, some
// megabytes, is kept for the next. Safe from every thread.
class RequestReader {
 public:
  RequestReader();
  ~RequestReader();
  // net::ReadBuffer::readable_behind more bytes than `body` has may be looked at.
  [[nodiscard]] Result<RequestHead> read(std::string_view body, Instant now);
  // What nobody needed for a while.
  void let_go(Instant now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee::keeper
