#include "keeper/request_limits.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <optional>

namespace rbee::keeper {
namespace {

using Element = simdjson::dom::element;
using Object = simdjson::dom::object;

struct Range {
  std::string_view key;
  std::int64_t least;
  std::int64_t most;
};

constexpr auto ranges = std::to_array<Range>({
    {"max_tokens", -1, largest_count},
    {"max_completion_tokens", -1, largest_count},
    {"max_output_tokens", -1, largest_count},
    {"n_predict", -1, largest_count},
    {"n_keep", -1, largest_count},
    // One below 0 wrote before the beginning of a buffer once (CVE-2026-21869).
    {"n_discard", 0, largest_count},
    {"n_probs", 0, most_log_probabilities},
    {"logprobs", 0, most_log_probabilities},
    {"top_logprobs", 0, most_log_probabilities},
    {"top_k", -largest_count, largest_count},
    {"repeat_last_n", -1, largest_count},
});

// Of messages, their parts, and the results of tools within those.
constexpr int deepest_content = 16;

Error out_of_range(const Range& range) {
  return Error{ErrorCode::bad_request,
               cat("The field '", range.key, "' is not between ", range.least, " and ", range.most, "."),
               {},
               {}};
}

Error too_large(std::string_view key, std::size_t limit) {
  return Error{
      ErrorCode::bad_request, cat("The field '", key, "' is larger than ", bytes_text(limit), "."), {}, {}};
}

// Numbers that are none of these are the engine's to judge, in its own words.
Result<void> check_range(const Range& range, const Element& value) {
  double number = 0;
  if (!value.is_number() || value.get(number)) return {};
  if (number < static_cast<double>(range.least) || number > static_cast<double>(range.most))
    return out_of_range(range);
  return {};
}

// What it has of text and punctuation, and whether it is too deep: by a walk that stops there.
struct Measured {
  std::size_t bytes = 0;
  bool too_deep = false;
};

void measure(const Element& value, int depth, Measured& measured) {
  if (depth > deepest_schema) measured.too_deep = true;
  if (measured.too_deep || measured.bytes > largest_schema_bytes) return;
  measured.bytes += 2;
  std::string_view text;
  simdjson::dom::array list;
  Object fields;
  if (!value.get(text)) {
    measured.bytes += text.size();
  } else if (!value.get(list)) {
    for (const Element one : list) measure(one, depth + 1, measured);
  } else if (!value.get(fields)) {
    for (const auto& field : fields) {
      measured.bytes += field.key.size();
      measure(field.value, depth + 1, measured);
    }
  }
}

Result<void> check_schema(std::string_view key, const Element& value) {
  Measured measured;
  measure(value, 0, measured);
  if (measured.too_deep) {
    return Error{ErrorCode::bad_request,
                 cat("The field '", key, "' is nested deeper than ", deepest_schema, " levels."),
                 {},
                 {}};
  }
  if (measured.bytes > largest_schema_bytes) return too_large(key, largest_schema_bytes);
  return {};
}

Result<void> check_tools(const Element& tools) {
  simdjson::dom::array list;
  const bool is_list = !tools.get(list);
  const auto is_object = [](const Element one) { return one.is_object(); };
  if (tools.is_null() || (is_list && std::all_of(list.begin(), list.end(), is_object))) return {};
  return Error{ErrorCode::bad_request, "The field 'tools' is no list of tools.", {}, {}};
}

bool is_one_of(std::string_view key, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, key) != names.end();
}

Error elsewhere(std::string_view url) {
  constexpr std::size_t shown = 60;
  return Error{ErrorCode::bad_request,
               cat("A picture is to be fetched from '", url.substr(0, shown), "', which no engine may."),
               "Send it with the request, as data:image/png;base64,...",
               {}};
}

Result<void> check_url(const Element& value) {
  std::string_view url;
  if (value.get(url)) return {};
  // Nothing but a data URL, and base64 without one: the engine's own rule for the rest is "fetch it".
  if (url.starts_with("data:") || url.find(':') == std::string_view::npos) return {};
  return elsewhere(url);
}

Result<void> check_content(const Element& value, int depth);

// {"type": "image_url", "image_url": {"url": ...}}, the same with a plain text, Anthropic's {"type": "image",
// "source": {"type": "url", "url": ...}}, and its documents, whose source holds blocks of their own. Of a
// name that stands twice an engine reads the last: so none is looked up, each is checked.
Result<void> check_place(const Element& place, int depth) {
  Object within;
  if (place.get(within)) return check_url(place);
  for (const auto& [key, field] : within) {
    Result<void> checked;
    if (key == "url")
      checked = check_url(field);
    else if (key == "content")
      checked = check_content(field, depth + 1);
    if (!checked) return checked;
  }
  return {};
}

Result<void> check_content(const Element& value, int depth) {
  simdjson::dom::array list;
  Object fields;
  if (!value.get(list)) {
    for (const Element one : list) {
      if (Result<void> checked = check_content(one, depth); !checked) return checked;
    }
    return {};
  }
  if (value.get(fields)) return {};
  if (depth > deepest_content) {
    return Error{ErrorCode::bad_request, "The parts of a message are nested too deep.", {}, {}};
  }
  // One walk over what is there: each name that is looked for by itself would be one.
  for (const auto& [key, field] : fields) {
    Result<void> checked;
    if (is_one_of(key, {"content", "output"}))
      checked = check_content(field, depth + 1);
    else if (is_one_of(key, {"image_url", "source", "video_url", "audio_url", "file"}))
      checked = check_place(field, depth);
    if (!checked) return checked;
  }
  return {};
}

}  // namespace

Result<void> check_field(std::string_view key, const Element& value) {
  const auto range = std::ranges::find(ranges, key, &Range::key);
  if (range != ranges.end()) return check_range(*range, value);
  if (key == "id_slot") {
    double slot = -1;
    if (value.get(slot) || slot < 0) return {};
    return Error{ErrorCode::bad_request,
                 "The field 'id_slot' asks for a slot, which are rbee's to give.",
                 "Leave it out: x-session-id keeps a conversation where it was.",
                 {}};
  }
  std::string_view text;
  if (key == "grammar" && !value.get(text) && text.size() > largest_grammar_bytes)
    return too_large(key, largest_grammar_bytes);
  if (key == "tools") {
    if (Result<void> checked = check_tools(value); !checked) return checked;
  }
  if (is_one_of(key, {"json_schema", "response_format", "tools", "format", "text", "output_format",
                      "output_config"}))
    return check_schema(key, value);
  return {};
}

Result<void> check_messages(const Element& messages) {
  constexpr std::string_view hint = R"(As in {"messages": [{"role": "user", "content": "Hello"}]}.)";
  simdjson::dom::array list;
  if (messages.get(list))
    return Error{ErrorCode::bad_request, "The field 'messages' is no list of messages.", std::string(hint)};
  for (const Element one : list) {
    std::string_view role;
    if (one["role"].get(role))
      return Error{ErrorCode::bad_request, "One of the 'messages' has no 'role'.", std::string(hint)};
  }
  return {};
}

Result<void> check_pictures(const Element& messages) { return check_content(messages, 0); }

}  // namespace rbee::keeper
