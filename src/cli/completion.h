// One streamed chat completion: the text as it comes, then its figures.
#pragma once

#include "cli/admin_client.h"

#include <cstdint>
#include <string>

namespace rbee::cli {

struct Question {
  std::string worker;  // this one or an error; empty: any
  std::string body;    // of POST /v1/chat/completions, with "stream": true
};

struct Answer {
  std::string text;
  std::string worker;
  std::string model;
  std::int64_t prompt_tokens = 0;
  std::int64_t tokens = 0;
  double ttft_ms = 0;
  double speed = 0;  // tokens/s
};

// Fails as AdminClient, or with worker_lost where the stream ends before its last event.
net::Task<Result<Answer>> ask(AdminClient& client, const Clock& clock, Question question, OnText on_text);

}  // namespace rbee::cli
