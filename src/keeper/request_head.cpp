#include "keeper/request_head.h"

#include "base/brief_mutex.h"
#include "base/text.h"
#include "keeper/request_limits.h"
#include "net/read_buffer.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

namespace rbee::keeper {
namespace {

// More than ids of users have; a rule matches on it.
constexpr std::size_t longest_user = 256;
// Deeper than contents of messages are.
constexpr int deepest_content = 8;

// Anthropic's {"type": "base64", "media_type", "data"}, and OpenAI's {"data", "format"} of a sound.
bool is_base64(const simdjson::dom::object& fields) {
  std::string_view type;
  if (!fields["type"].get(type)) return type == "base64";
  return fields["format"].error() == simdjson::SUCCESS;
}

// All texts of a prompt, in their order, whatever the form of the messages around them.
void print_prompt(const simdjson::dom::element& value, PromptPrinter& printer, int depth = 0) {
  if (depth > deepest_content) return;
  std::string_view text;
  simdjson::dom::array list;
  simdjson::dom::object fields;
  if (!value.get(text)) {
    printer.add(text);
  } else if (!value.get(list)) {
    for (const simdjson::dom::element one : list) print_prompt(one, printer, depth + 1);
  } else if (!value.get(fields)) {
    for (const auto& field : fields) {
      if (field.key == "data" && !field.value.get(text) && is_base64(fields))
        printer.add_picture(text);
      else
        print_prompt(field.value, printer, depth + 1);
    }
  }
}

// What parts of messages hold beside texts, as OpenAI ("image_url", "input_image", "input_audio") and
// Anthropic ("image", also within the source of a document) write them.
void find_media(RequestHead& head, const simdjson::dom::element& value, int depth = 0) {
  if (depth > deepest_content) return;
  simdjson::dom::array list;
  simdjson::dom::object fields;
  if (!value.get(list)) {
    for (const simdjson::dom::element one : list) find_media(head, one, depth + 1);
    return;
  }
  if (value.get(fields)) return;
  for (const auto& [key, field] : fields) {
    std::string_view type;
    if (key == "content" || key == "source") {
      find_media(head, field, depth + 1);
    } else if (key == "type" && !field.get(type)) {
      head.has_images = head.has_images || type == "image_url" || type == "input_image" || type == "image";
      head.has_sound = head.has_sound || type == "input_audio";
    }
  }
}

// Far more than any model was trained with.
constexpr std::int64_t largest_num_ctx = 1 << 24;
constexpr double longest_keep_alive_s = 1e9;

std::optional<KeepAliveWish> wish_of_seconds(double seconds) {
  if (seconds < 0) return KeepAliveWish{};
  if (!(seconds <= longest_keep_alive_s)) return std::nullopt;
  return KeepAliveWish{Milliseconds{static_cast<std::int64_t>(seconds * 1000)}};
}

std::optional<KeepAliveWish> keep_alive_of(const simdjson::dom::element& value) {
  double seconds = 0;
  std::string_view text;
  if (!value.get(seconds)) return wish_of_seconds(seconds);
  return value.get(text) ? std::nullopt : parse_keep_alive(text);
}

std::uint32_t num_ctx_of(const simdjson::dom::element& options) {
  std::int64_t number = 0;
  if (options["num_ctx"].get(number) || number < 1 || number > largest_num_ctx) return 0;
  return static_cast<std::uint32_t>(number);
}

bool is_limit_of_answer(std::string_view key) {
  return key == "max_tokens" || key == "max_completion_tokens" || key == "max_output_tokens" ||
         key == "n_predict";
}

Error bad_model(std::string message) {
  return Error{ErrorCode::bad_request,
               std::move(message),
               R"(Name a model as in {"model": "NAME"}; `rbee model list` has the names.)",
               {}};
}

Error bad_json(simdjson::error_code code) {
  if (code == simdjson::EMPTY) return Error{ErrorCode::bad_json, "The request has no body."};
  if (code == simdjson::UTF8_ERROR) return Error{ErrorCode::bad_json, "The request's body is no UTF-8."};
  return Error{ErrorCode::bad_json, "The request's body is no JSON.", {}, simdjson::error_message(code)};
}

}  // namespace

int RequestHead::answers() const { return std::min(n * prompts, largest_n); }

std::optional<KeepAliveWish> parse_keep_alive(std::string_view text) {
  if (const std::optional<double> plain = parse_double(text)) return wish_of_seconds(*plain);
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::optional<double> count = parse_double(text.substr(0, digits));
    text.remove_prefix(digits);
    const std::size_t letters = std::min(text.find_first_of("0123456789."), text.size());
    const std::string_view unit = text.substr(0, letters);
    text.remove_prefix(letters);
    const double factor = unit == "h" ? 3600 : unit == "m" ? 60 : unit == "s" ? 1 : unit == "ms" ? 0.001 : 0;
    if (!count || factor == 0) return std::nullopt;
    seconds += *count * factor;
  }
  return wish_of_seconds(negative ? -1 : seconds);
}

namespace {

// Fields of chats and completions that an engine may not read as they are (mended_request.h).
constexpr auto mendable = std::to_array<std::string_view>({"tool_choice", "top_logprobs", "function_call",
                                                           "functions", "modalities", "web_search_options",
                                                           "echo", "suffix", "best_of", "logprobs"});

// What it asks for beside its prompt. What is no answer to that is the engine's to refuse, in its own words.
void take_wish(RequestHead& head, std::string_view key, const simdjson::dom::element& value) {
  if (key == "stream") {
    bool stream = false;
    head.stream = !value.get(stream) && stream;
  } else if (is_limit_of_answer(key)) {
    double most = 0;
    if (!value.get(most) && most > 0) head.max_tokens = most;
  } else if (key == "user") {
    std::string_view text;
    if (!value.get(text) && text.size() <= longest_user) head.user = text;
  } else if (key == "tools") {
    simdjson::dom::array tools;
    head.has_tools = !value.get(tools) && tools.size() > 0;
    head.may_need_mending = head.may_need_mending || !value.is_null();
  } else if (key == "keep_alive") {
    head.keep_alive = keep_alive_of(value);
  } else if (key == "options") {
    if (value.is_object()) head.num_ctx = num_ctx_of(value);
  } else if (key == "n" || key == "n_cmpl") {
    std::int64_t n = 0;
    if (!value.get(n)) head.n = std::max(head.n, static_cast<int>(std::clamp<std::int64_t>(n, 1, largest_n)));
  } else if (std::ranges::find(mendable, key) != mendable.end()) {
    head.may_need_mending = true;
  }
}

bool is_prompt(std::string_view key) {
  return key == "messages" || key == "prompt" || key == "input" || key == "system";
}

// A list of texts, or of lists of tokens; with a number in it, it is the tokens of one.
int prompts_in(const simdjson::dom::element& value) {
  simdjson::dom::array list;
  if (value.get(list)) return 1;
  std::int64_t count = 0;
  for (const simdjson::dom::element one : list) {
    if (one.is_number()) return 1;
    ++count;
  }
  return static_cast<int>(std::clamp<std::int64_t>(count, 1, largest_n));
}

Result<void> take_prompt(RequestHead& head, PromptPrinter& printer, std::string_view key,
                         const simdjson::dom::element& value) {
  if (key == "messages") {
    if (Result<void> checked = check_messages(value); !checked) return checked;
    head.has_messages = true;
  } else if (key == "prompt") {
    head.prompts = prompts_in(value);
    head.has_prompt = true;
  }
  if (Result<void> checked = check_pictures(value); !checked) return checked;
  print_prompt(value, printer);
  find_media(head, value);
  return {};
}

Result<RequestHead> head_of(const simdjson::simdjson_result<simdjson::dom::element>& parsed) {
  simdjson::dom::element document;
  if (const auto failed = parsed.get(document)) return bad_json(failed);
  simdjson::dom::object object;
  if (document.get(object)) return Error{ErrorCode::bad_json, "The request's body is no JSON object."};
  RequestHead head;
  PromptPrinter printer;
  int models = 0;
  for (const auto& [key, value] : object) {
    if (Result<void> checked = check_field(key, value); !checked) return checked.error();
    if (key == "model") {
      std::string_view text;
      if (value.get(text)) return bad_model("The field 'model' is no text.");
      head.model = text;
      ++models;
    } else if (is_prompt(key)) {
      if (Result<void> taken = take_prompt(head, printer, key, value); !taken) return taken.error();
    } else {
      take_wish(head, key, value);
    }
  }
  head.prompt = printer.take();
  if (models > 1) return bad_model("The field 'model' stands in the body twice.");
  if (head.model.empty()) return bad_model("The request names no model.");
  if (head.model.size() > longest_model_name) {
    return bad_model(cat("The field 'model' is longer than ", longest_model_name, " bytes."));
  }
  return head;
}

}  // namespace

Result<RequestHead> read_request_head(std::string_view body) {
  simdjson::dom::parser parser;
  return head_of(parser.parse(body.data(), body.size()));
}

namespace {

// As many as read at once: a keeper has four loops at most.
constexpr std::size_t most_parsers = 4;
// What a parser took for a body of that length is kept: most bodies are far below, and pictures are above.
constexpr std::size_t longest_kept_bytes = 4u << 20;
constexpr Milliseconds kept_for{10'000};

}  // namespace

struct RequestReader::Impl {
  struct Kept {
    simdjson::dom::parser parser;
    Instant used;
  };
  BriefMutex mutex;
  std::vector<std::unique_ptr<Kept>> kept;  // the last one used is the last

  std::unique_ptr<Kept> take() {
    const std::scoped_lock lock(mutex);
    if (kept.empty()) return std::make_unique<Kept>();
    std::unique_ptr<Kept> last = std::move(kept.back());
    kept.pop_back();
    return last;
  }
  void give_back(std::unique_ptr<Kept> one, Instant now) {
    if (one->parser.capacity() > longest_kept_bytes) return;
    one->used = now;
    const std::scoped_lock lock(mutex);
    if (kept.size() < most_parsers) kept.push_back(std::move(one));
  }
};

RequestReader::RequestReader() : impl_(std::make_unique<Impl>()) {}
RequestReader::~RequestReader() = default;

Result<RequestHead> RequestReader::read(std::string_view body, Instant now) {
  static_assert(net::ReadBuffer::readable_behind >= simdjson::SIMDJSON_PADDING);
  std::unique_ptr<Impl::Kept> reading = impl_->take();
  constexpr bool copies = false;
  Result<RequestHead> head = head_of(reading->parser.parse(body.data(), body.size(), copies));
  impl_->give_back(std::move(reading), now);
  return head;
}

void RequestReader::let_go(Instant now) {
  const std::scoped_lock lock(impl_->mutex);
  std::erase_if(impl_->kept, [&](const auto& one) { return now - one->used >= kept_for; });
}

}  // namespace rbee::keeper
