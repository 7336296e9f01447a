#include "keeper/gateway.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"
#include "keeper/anthropic_answer.h"
#include "keeper/anthropic_request.h"
#include "keeper/completion_answer.h"
#include "keeper/dispatch.h"
#include "keeper/header_filter.h"
#include "keeper/mended_request.h"
#include "keeper/model_access.h"
#include "keeper/ollama_answer.h"
#include "keeper/ollama_request.h"
#include "keeper/request_head.h"
#include "keeper/responses_answer.h"
#include "keeper/stream_so_far.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// An engine reads a header line of 8 KiB at most; its own paths with a query are far below.
constexpr std::size_t longest_target = 4096;

net::Task<void> respond_json(net::Exchange& exchange, Json json) {
  std::string text = dump_json(json);
  net::Task<Result<void>> responding = exchange.respond_json(200, std::move(text));
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

Result<RequestHead> head_of(Core& core, const net::RequestHead& head, std::string_view body) {
  if (head.method != "GET") return core.requests.read(body, core.clock.recent());
  std::optional<std::string> model = net::query_value(head.query, "model");
  if (model && !model->empty() && model->size() <= longest_model_name)
    return RequestHead{.model = std::move(*model)};
  return Error{ErrorCode::bad_request, "The request names no model.",
               "Add ?model=NAME; `rbee model list` has the names."};
}

// Anything else is normal: a client of another system may send its own words.
Priority priority_of(std::string_view word) {
  if (equal_ignoring_case(word, "high")) return Priority::high;
  return equal_ignoring_case(word, "low") ? Priority::low : Priority::normal;
}

// Only what says no is no: a client that sends the field wants it.
bool wants_trace(const net::RequestHead& head) {
  const auto yes = [](const std::optional<std::string>& word) {
    return word && *word != "0" && !equal_ignoring_case(*word, "false");
  };
  const std::optional<std::string_view> header = head.headers.find("x-rbee-explain");
  return yes(header ? std::optional<std::string>(*header) : std::nullopt) ||
         yes(net::query_value(head.query, "explain"));
}

// What a client asks of an engine. What no engine would understand is put into its words.
struct Asked : net::InRoom {
  RequestHead head = {};
  std::string target = {};
  std::string_view body = {};  // the client's own, or that of one of these
  std::optional<std::string> mended = {};
  std::optional<OllamaRequest> request = {};
  std::optional<AnthropicChat> chat = {};
};

// "name:latest" is Ollama's spelling of a name without a tag.
std::string without_latest(std::string name) {
  constexpr std::string_view latest = ":latest";
  if (name.ends_with(latest)) name.resize(name.size() - latest.size());
  return name;
}

// How long the engine is to stay, and its context, are said in Ollama's words only.
Result<void> translate(Asked& asked, OllamaAsk ask) {
  Result<OllamaRequest> request = translate_ollama(ask, asked.body);
  if (!request) return request.error();
  asked.request = std::move(*request);
  asked.head.model = without_latest(asked.head.model);
  asked.target = asked.request->target;
  if (asked.request->nothing_to_say) {
    asked.target = "/tokenize";
    asked.request->body = R"({"content":""})";
    asked.head.stream = false;
    return {};
  }
  Result<RequestHead> head = read_request_head(asked.request->body);
  if (!head) return head.error();
  head->model = std::move(asked.head.model);
  head->keep_alive = asked.head.keep_alive;
  head->num_ctx = asked.head.num_ctx;
  asked.head = std::move(*head);
  return {};
}

// Of these the fields of a request's head say whether it may need mending; of others its whole body.
bool is_told_by_its_fields(std::string_view path) {
  return path == "/v1/chat/completions" || path == "/v1/completions";
}

// Without these an engine answers with a 500 of its own.
Result<void> check_needed(std::string_view path, const RequestHead& head) {
  const bool chats = path == "/v1/chat/completions" || path.starts_with("/v1/messages");
  const bool completes = path == "/v1/completions" || path == "/completion" || path == "/completions";
  const std::string_view lacks = chats && !head.has_messages     ? "messages"
                                 : completes && !head.has_prompt ? "prompt"
                                                                 : "";
  if (lacks.empty()) return {};
  return Error{ErrorCode::bad_request, cat("The field '", lacks, "' is missing."), {}, {}};
}

Result<void> read_asked(Core& core, Asked& asked, const net::RequestHead& head, std::string_view body) {
  Result<RequestHead> read = head_of(core, head, body);
  if (!read) return read.error();
  asked.head = std::move(*read);
  if (Result<void> needed = check_needed(head.path, asked.head); !needed) return needed;
  asked.target = head.target;
  asked.body = body;
  if (const std::optional<OllamaAsk> ask = ollama_ask_of(head.path)) {
    if (Result<void> translated = translate(asked, *ask); !translated) return translated.error();
    asked.body = asked.request->body;
  }
  if (asked.head.may_need_mending || !is_told_by_its_fields(head.path)) {
    Result<std::optional<std::string>> mended = mended_request(head.path, body);
    if (!mended) return mended.error();
    asked.mended = std::move(*mended);
    if (asked.mended) asked.body = *asked.mended;
  }
  if (head.path == "/v1/messages") {
    Result<std::optional<AnthropicChat>> chat = chat_of_message(asked.body);
    if (!chat) return chat.error();
    asked.chat = std::move(*chat);
  }
  if (asked.chat) {
    asked.target = "/v1/chat/completions";
    asked.body = asked.chat->body;
    // What an engine will read has the limits of every chat, by whichever names it came.
    if (Result<RequestHead> checked = read_request_head(asked.body); !checked) return checked.error();
  }
  if (asked.target.size() <= longest_target) return {};
  return Error{
      ErrorCode::bad_request, cat("The request's target is longer than ", longest_target, " bytes."), {}, {}};
}

// An Ollama client that says nothing wants the model loaded, or, with a keep_alive of 0, gone.
OllamaAnswer::Care care_of(const Asked& asked) {
  if (!asked.request || !asked.request->nothing_to_say) return OllamaAnswer::Care::none;
  const std::optional<KeepAliveWish>& wish = asked.head.keep_alive;
  const bool goes = wish && wish->time && wish->time->count() == 0;
  return goes ? OllamaAnswer::Care::unload : OllamaAnswer::Care::load;
}

bool is_loaded(const Core& core, const std::string& model) {
  const Fleet fleet = core.placing->fleet();
  const std::vector<ModelFile> models = core.placing->models();
  return std::ranges::any_of(fleet.engines, [&](const FleetEngine& engine) {
    const auto file = std::ranges::find(models, engine.model_id, &ModelFile::id);
    const bool stays = engine.state == EngineState::ready || engine.state == EngineState::starting;
    return stays && file != models.end() && answers_to(*file, model);
  });
}

Error no_media(const std::string& name, std::string_view lacks, bool has_projector) {
  const std::string_view why = has_projector ? ": its projector (mmproj) has no encoder for it."
                                             : ": no projector (mmproj) lies beside its file.";
  return Error{ErrorCode::unsupported,
               cat("The model '", name, "' ", lacks, why),
               "`rbee model list --catalog` names vision models, which are downloaded with theirs.",
               {}};
}

// A picture or a sound for a model that has words only, or no ear: no engine is loaded to say so.
Result<void> check_media(const Core& core, const Asked& asked) {
  if (!asked.head.has_images && !asked.head.has_sound) return {};
  const std::string name = core.models->resolve(asked.head.model);
  const std::vector<ModelFile> models = core.placing->models();
  bool known = false, has_projector = false, one_sees = false;
  for (const ModelFile& file : models) {
    if (!answers_to(file, name)) continue;
    known = true;
    if ((!asked.head.has_images || sees(file)) && (!asked.head.has_sound || hears(file))) return {};
    has_projector = has_projector || !file.projector.empty();
    one_sees = one_sees || sees(file);
  }
  if (!known) return {};
  const bool blind = asked.head.has_images && !one_sees;
  return no_media(name, blind ? "sees no images" : "hears no sound", has_projector);
}

// A request that its key does not allow, or not now.
std::optional<Gate::TooMany> refused_by_key(Core& core, const Visitor& visitor, const std::string& model) {
  if (!may_ask(core, visitor, model)) return Gate::TooMany{model_unknown(core, visitor, model), 0};
  return core.gate->take_request(visitor);
}

}  // namespace

net::Task<void> list_models(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor) {
  const std::vector<ModelFile> models = models_for(*core, visitor);
  const std::int64_t created = core->started_unix_ms / 1000;
  Json list = openai_models_json(models, created);
  for (const auto& [alias, name] : core->models->aliases()) {
    // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): it takes the map's names for unset in a coroutine.
    const auto file = std::ranges::find_if(models, [&](const auto& one) { return answers_to(one, name); });
    if (file == models.end()) continue;
    Json row = openai_model_json(*file, created);
    row["id"] = alias;
    list["data"].push_back(std::move(row));
  }
  net::Task<void> responding = respond_json(exchange, std::move(list));
  co_await responding;
}

net::Task<void> show_model(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor,
                           std::string model) {
  const std::vector<ModelFile> models = models_for(*core, visitor);
  const std::string name = core->models->resolve(model);
  for (const ModelFile& file : models) {
    if (!answers_to(file, name)) continue;
    Json found = openai_model_json(file, core->started_unix_ms / 1000);
    net::Task<void> responding = respond_json(exchange, std::move(found));
    co_await responding;
    co_return;
  }
  Error error = model_unknown(*core, visitor, model);
  net::Headers headers;
  net::Task<void> refusing = refuse(exchange, Api::openai, std::move(error), 0, std::move(headers));
  co_await refusing;
}

namespace {

net::Task<void> refuse_asked(std::shared_ptr<Core> core, net::Exchange& exchange, Error error, int later,
                             RequestRecord& record) {
  if (error.code == ErrorCode::cancelled) co_return;
  record.id = core->random.id();
  record.error = info(error.code).name;
  const Api api = api_of(exchange.head().path);
  net::Headers headers{{"x-rbee-request-id", record.id}};
  net::Task<void> refusing = refuse(exchange, api, std::move(error), later, std::move(headers));
  co_await refusing;
  core->metrics.of("", "").ended(Outcome::refused, 0);
}

std::unique_ptr<const CallNames> names_of(const net::RequestHead& head, std::string_view user) {
  const std::string_view worker = head.headers.find("x-rbee-worker").value_or("");
  const std::string_view session = head.headers.find("x-session-id").value_or("");
  if (worker.empty() && session.empty() && user.empty()) return nullptr;
  return std::make_unique<const CallNames>(
      CallNames{std::string(worker), std::string(user), std::string(session)});
}

// Whatever else a request asks for comes whole, also where its body says `stream`.
bool is_streamed(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  return dialect_of(path) || path == "/completion" || path == "/infill";
}

Call call_of(const Core& core, const net::RequestHead& head, Visitor visitor, Asked& asked) {
  return {.method = head.method,
          .target = asked.target,
          .api = api_of(head.path),
          .visitor = std::move(visitor),
          .model = core.models->resolve(asked.head.model),
          .names = names_of(head, asked.head.user),
          .slots = asked.head.answers(),
          .prompt = std::move(asked.head.prompt),
          .max_tokens = asked.head.max_tokens,
          .stream = asked.head.stream && is_streamed(asked.target),
          .priority = priority_of(head.headers.find("x-rbee-priority").value_or("")),
          .needs_tools = asked.head.has_tools,
          .needs_vision = asked.head.has_images || asked.head.has_sound,
          .explain = wants_trace(head),
          .keep_alive = asked.head.keep_alive,
          .num_ctx = asked.head.num_ctx,
          .body = asked.body};
}

// How the client reads the answer, where an engine does not write it so; Ollama's have one of their own.
std::unique_ptr<AnswerForm> form_of(const Core& core, std::string_view path, const Asked& asked) {
  if (asked.chat) return std::make_unique<AnthropicAnswer>(asked.chat->model);
  if (path == "/v1/responses") {
    const std::int64_t now_s = core.clock.unix_ms() / 1000;
    return std::make_unique<ResponsesAnswer>(asked.head.model, asked.head.max_tokens, now_s);
  }
  const bool may_tell = path == "/v1/completions" && asked.head.may_need_mending;
  return may_tell ? CompletionAnswer::for_request(asked.body) : nullptr;
}

net::Task<bool> refuse_and_end(std::shared_ptr<Core> core, net::Exchange& exchange, Error error, int later,
                               RequestRecord& record) {
  net::Task<void> refusing = refuse_asked(core, exchange, std::move(error), later, record);
  co_await refusing;
  co_return false;
}

// False: it was refused.
net::Task<bool> take_body(const std::shared_ptr<Core>& core, net::Exchange& exchange, const Visitor& visitor,
                          RequestRecord& record, Asked& asked, const Result<std::string_view>& body) {
  if (body) record.bytes_in = body->size();
  Result<void> read = body ? read_asked(*core, asked, exchange.head(), *body) : body.error();
  int later = 0;
  if (read) {
    if (std::optional<Gate::TooMany> no = refused_by_key(*core, visitor, asked.head.model)) {
      core->metrics.refused(info(no->error.code).name);
      later = jittered(no->retry_after_s, core->random);
      read = std::move(no->error);
    } else {
      read = check_media(*core, asked);
    }
  }
  if (read) return net::Task<bool>::done(true);
  return refuse_and_end(core, exchange, read.error(), later, record);
}

net::Task<bool> wait_for_body(std::shared_ptr<Core> core, net::Exchange& exchange, const Visitor& visitor,
                              RequestRecord& record, Asked& asked) {
  record.own.waits(core->clock.now_us());
  const Result<std::string_view> body = co_await exchange.read_body();
  record.own.goes_on(core->clock.now_us());
  net::Task<bool> taking = take_body(core, exchange, visitor, record, asked, body);
  const bool taken = co_await taking;
  co_return taken;
}

// The same of what is still to come. A short body came with its head: then this is no coroutine.
net::Task<bool> take_asked(const std::shared_ptr<Core>& core, net::Exchange& exchange, const Visitor& visitor,
                           RequestRecord& record, Asked& asked) {
  const std::optional<std::string_view> at_hand = exchange.body_at_hand();
  return at_hand ? take_body(core, exchange, visitor, record, asked, *at_hand)
                 : wait_for_body(core, exchange, visitor, record, asked);
}

}  // namespace

net::Task<void> ask_engine_of_model(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor,
                                    RequestRecord& record) {
  auto asked = std::make_unique<Asked>();
  net::Task<bool> taking = take_asked(core, exchange, visitor, record, *asked);
  const bool taken = co_await taking;
  if (!taken) co_return;
  taking = {};  // a finished one would keep its frame while the answer passes
  Call call = call_of(*core, exchange.head(), std::move(visitor), *asked);
  call.record = &record;
  std::unique_ptr<AnswerForm> form = form_of(*core, exchange.head().path, *asked);
  const bool is_own = !asked->mended && !asked->request && !asked->chat;
  if (call.stream) {
    const std::string_view own = exchange.settle(fields_for_engines);
    if (is_own) call.body = own;
  }
  // As a rule the exchange has all of it, and nothing of this is needed any more.
  if (is_own && call.target == exchange.head().path) {
    call.target = exchange.head().path;
    asked.reset();
  }
  if (asked && asked->request) {
    const OllamaAnswer::Care care = care_of(*asked);
    auto as_ollama = std::make_unique<OllamaAnswer>(*asked->request, core->clock);
    as_ollama->only_for(care);
    if (care == OllamaAnswer::Care::unload && !is_loaded(*core, call.model)) {
      std::string text = as_ollama->cared();
      net::Task<Result<void>> responding = exchange.respond_json(200, std::move(text));
      const Result<void> ignored = co_await responding;
      static_cast<void>(ignored);
      co_return;
    }
    form = std::move(as_ollama);
  }
  call.form = form.get();
  net::Task<void> serving = dispatch(core, exchange, call);
  co_await serving;
}

// Ollama's ways of making models.
bool is_not_done(std::string_view path) {
  return path == "/api/create" || path == "/api/copy" || path == "/api/push" ||
         path.starts_with("/api/blobs/");
}

net::Task<void> say_hello(net::Exchange& exchange) {
  net::Headers headers{{"Content-Type", "text/plain; charset=utf-8"}};
  std::string text = "rbee is running";
  net::Task<Result<void>> responding = exchange.respond(200, std::move(headers), std::move(text));
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

net::Task<void> answer_unrouted(net::Exchange& exchange, std::string allowed) {
  const net::RequestHead& head = exchange.head();
  Error error{ErrorCode::unknown_name,
              cat("There is nothing at ", head.path, "."),
              "`GET /api/v1/openapi.json` lists what there is.",
              {}};
  if (!allowed.empty()) {
    error = Error{ErrorCode::bad_request,
                  cat(head.path, " is asked with ", allowed, ", not with ", head.method, "."),
                  "`GET /api/v1/openapi.json` lists what there is.",
                  {}};
  } else if (head.path.starts_with("/v1/")) {
    error = Error{ErrorCode::unsupported, cat("No engine answers ", head.path, "."), {}, {}};
  } else if (is_not_done(head.path)) {
    error = Error{ErrorCode::unsupported,
                  cat("rbee does not do what Ollama does at ", head.path, "."),
                  "`rbee model add NAME SOURCE` makes a model known under any name.",
                  {}};
  }
  const Api api = api_of(head.path);
  net::Headers headers;
  net::Task<void> refusing = refuse(exchange, api, std::move(error), 0, std::move(headers));
  co_await refusing;
}

}  // namespace rbee::keeper
