// The gateway: the OpenAI, Anthropic and Ollama APIs, and the engine's own. Of a body it reads the model's
// name and how many answers are wanted; the body itself goes on to the engine as it came, but for those of
// Ollama's API, which no engine speaks (ollama_request.h).
#pragma once

#include "keeper/core.h"
#include "net/server.h"

#include <memory>
#include <string>

namespace rbee::keeper {

net::Task<void> list_models(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor);
net::Task<void> show_model(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor,
                           std::string model);
// Any request that an engine answers: its model is in the body, or in the query where there is no body.
net::Task<void> ask_engine_of_model(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor,
                                    RequestRecord& record);
// What Ollama's clients look for at "/".
net::Task<void> say_hello(net::Exchange& exchange);
// A path that no engine has, or another method.
net::Task<void> answer_unrouted(net::Exchange& exchange, std::string allowed);

}  // namespace rbee::keeper
