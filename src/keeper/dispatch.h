// dispatch(): the life of one request from the moment its body is read: a place is waited for, an engine is
// asked, its answer relayed, and the place given back when the engine has let go.
//
// An engine that goes away before the first byte of its answer costs the client nothing but time: the request
// is placed again. A client that goes away is told to the engine at once.
#pragma once

#include "keeper/answer_form.h"
#include "keeper/api_error.h"
#include "keeper/core.h"
#include "keeper/gate.h"
#include "keeper/prompt_print.h"
#include "keeper/request_record.h"
#include "net/server.h"

#include <memory>
#include <string>

namespace rbee::keeper {

// What hardly any request says.
struct CallNames {
  std::string worker = {};  // x-rbee-worker; empty: any
  std::string user = {};
  std::string session = {};
};

struct Call {
  std::string_view method;  // the exchange's own
  std::string_view target;  // the engine's: path and query; outlives dispatch(), as the body does
  Api api = Api::openai;
  Visitor visitor = {};
  std::string model;  // as the client wrote it
  std::unique_ptr<const CallNames> names = {};
  int slots = 1;
  PromptPrint prompt = {};
  double max_tokens = 0;
  bool stream = false;
  Priority priority = Priority::normal;
  bool needs_tools = false;
  bool needs_vision = false;
  bool explain = false;  // its answer carries the trace of its placement
  std::optional<KeepAliveWish> keep_alive = {};
  std::uint32_t num_ctx = 0;        // the least context that it wants; 0: what the engine has
  std::string_view body;            // outlives dispatch(): it lives in the exchange, or with the caller
  AnswerForm* form = nullptr;       // outlives it too
  RequestRecord* record = nullptr;  // what becomes of it is written there: set, and outlives it too
};

// `call` outlives it.
net::Task<void> dispatch(std::shared_ptr<Core> core, net::Exchange& exchange, Call& call);

// Later by up to a quarter, so that all who were refused at once do not come back at once.
[[nodiscard]] int jittered(int retry_after_s, Random& random);

// Answers with the error in that API's form, Retry-After where it is not 0, and, where asking again helps
// nobody, the field by which the official OpenAI clients know that.
net::Task<void> refuse(net::Exchange& exchange, Api api, Error error, int retry_after_s,
                       net::Headers headers);

}  // namespace rbee::keeper
