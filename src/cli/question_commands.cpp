// infer and chat: one answer, and a conversation.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/line_input.h"
#include "cli/model_source.h"

#include <nlohmann/json.hpp>

#include <optional>

namespace rbee::cli {
namespace {

Json message(std::string_view role, std::string_view content) {
  return Json{{"role", role}, {"content", content}};
}

Question question(const Options& options, const Json& messages) {
  Json body{{"model", options.model},
            {"messages", messages},
            {"stream", true},
            {"stream_options", {{"include_usage", true}}},
            {"temperature", options.temperature}};
  if (options.max_tokens) body["max_tokens"] = *options.max_tokens;
  return Question{options.worker, dump_json(body)};
}

std::string figures(const Answer& answer) {
  return cat(answer.worker, ": first token after ", fixed(answer.ttft_ms, 1), " ms, ", answer.tokens,
             " tokens, ", fixed(answer.speed, 1), " tokens/s");
}

Json to_json(const Answer& answer) {
  return Json{{"text", answer.text},     {"worker", answer.worker},
              {"model", answer.model},   {"prompt_tokens", answer.prompt_tokens},
              {"tokens", answer.tokens}, {"ttft_ms", answer.ttft_ms},
              {"speed", answer.speed}};
}

Result<Answer> ask_and_print(const Context& context, AdminClient& client, const Json& messages) {
  bool printed = false;
  const OnText print = [&context, &printed](std::string_view text) {
    context.out.text(text);
    printed = true;
  };
  Result<Answer> answer =
      client.loop().block_on(ask(client, context.clock, question(context.options, messages), print));
  // An answer that broke off has left the cursor behind its last word.
  if (printed) context.out.text("\n");
  return answer;
}

}  // namespace

Result<void> run_infer(const Context& context, AdminClient& client) {
  const Json messages = Json::array({message("user", context.options.prompt)});
  const Result<Answer> answer = ask_and_print(context, client, messages);
  if (!answer) return answer.error();
  context.out.document(to_json(*answer));
  context.out.note(figures(*answer));
  return {};
}

Result<void> run_chat(const Context& context, AdminClient& client) {
  if (const Result<void> there = offer_download(context, client); !there) return there;
  LineInput input(context.environment.stdin_terminal && context.environment.stdout_terminal);
  if (context.environment.stdin_terminal)
    context.out.note(cat("Talking to ", context.options.model, "; Ctrl-D ends it."));
  Json messages = Json::array();
  while (const std::optional<std::string> line = input.next("> ")) {
    if (trim(*line).empty()) continue;
    messages.push_back(message("user", *line));
    const Result<Answer> answer = ask_and_print(context, client, messages);
    if (!answer) return answer.error();
    messages.push_back(message("assistant", answer->text));
    context.out.note(figures(*answer));
  }
  context.out.document(Json{{"messages", messages}});
  return {};
}

}  // namespace rbee::cli
