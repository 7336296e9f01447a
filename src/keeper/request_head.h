// RequestHead: what the gateway must know of a request's body. Nothing of it is kept or encoded again: the
// body goes on to the engine as it came.
//
// All of the body is checked, not only what is read: an engine answers JSON that is broken anywhere with a
// 500 of its own, which would look like its failure.
#pragma once

#include "base/error.h"
#include "keeper/prompt_print.h"

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
  bool has_images = false;
  int n = 1;  // completions asked for: each takes a slot
};

// No name of a model is longer; what a client sends comes back in errors, metrics and logs.
inline constexpr std::size_t longest_model_name = 256;
// Far more than any engine has slots.
inline constexpr int largest_n = 1024;

// Fails with bad_json (no JSON, no object, no UTF-8), or bad_request (no `model`, two of it, no text in it).
[[nodiscard]] Result<RequestHead> read_request_head(std::string_view body);

}  // namespace rbee::keeper
