#include "keeper/api_error.h"

#include "base/json.h"
#include "base/text.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

std::string_view openai_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 429: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
  }
}

std::string_view anthropic_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 503: return "overloaded_error";
    default: return status < 500 ? "invalid_request_error" : "api_error";
  }
}

std::string anthropic_body(int status, std::string_view message) {
  return dump_json(
      Json{{"type", "error"}, {"error", {{"type", anthropic_type(status)}, {"message", message}}}});
}

std::string with_hint(const Error& error) {
  const std::string_view hint = hint_of(error);
  return hint.empty() ? error.message : cat(error.message, ' ', hint);
}

// What an engine says of its failure; never nothing. Its advice how to start it is for who starts it by hand.
std::string words_of(const Json& told) {
  std::string message = text_of(told, "message");
  message.resize(std::min(message.size(), message.find(" Start it with")));
  return message.empty() ? "The engine failed." : message;
}

// OpenAI's clients know a prompt that is too long by its code.
std::string_view openai_code(int status, std::string_view engine_type) {
  if (engine_type == "exceed_context_size_error") return "context_length_exceeded";
  if (status == 501) return info(ErrorCode::unsupported).name;
  return info(status < 500 ? ErrorCode::bad_request : ErrorCode::engine_failed).name;
}

std::string openai_body_of(int status, const Json& told) {
  const std::string type = text_of(told, "type");
  Json error{{"message", words_of(told)},
             {"type", type.empty() ? openai_type(status) : std::string_view(type)},
             {"param", nullptr},
             {"code", openai_code(status, type)},
             {"hint", ""}};
  // How long it is, and how long it may be.
  for (const char* number : {"n_prompt_tokens", "n_ctx"}) {
    if (const auto at = told.find(number); at != told.end()) error[number] = *at;
  }
  return dump_json(Json{{"error", std::move(error)}});
}

}  // namespace

Api api_of(std::string_view path) {
  if (path == "/v1/messages" || path.starts_with("/v1/messages/")) return Api::anthropic;
  if (path == "/v1/responses") return Api::responses;
  if (path.starts_with("/api/") && !path.starts_with("/api/v1/")) return Api::ollama;
  const bool own =
      path.starts_with("/api/v1/") || path == "/healthz" || path == "/readyz" || path == "/metrics";
  return own ? Api::rbee : Api::openai;
}

std::string error_body(Api api, const Error& error) {
  const ErrorInfo& row = info(error.code);
  switch (api) {
    case Api::rbee: return dump_json(error_json(error));
    case Api::ollama: return dump_json(Json{{"error", with_hint(error)}});
    case Api::anthropic: return anthropic_body(row.http_status, with_hint(error));
    case Api::responses:
    case Api::openai: break;
  }
  const Json param = error.code == ErrorCode::unknown_model ? Json("model") : Json(nullptr);
  return dump_json(Json{{"error",
                         {{"message", with_hint(error)},
                          {"type", openai_type(row.http_status)},
                          {"param", param},
                          {"code", row.name},
                          {"hint", hint_of(error)}}}});
}

std::string error_event(Api api, const Error& error) {
  switch (api) {
    case Api::ollama: return cat(error_body(api, error), "\n");
    case Api::anthropic: return net::format_sse("error", error_body(api, error));
    case Api::responses:
      return net::format_sse("error", dump_json(Json{{"type", "error"},
                                                     {"code", info(error.code).name},
                                                     {"message", with_hint(error)},
                                                     {"param", nullptr}}));
    case Api::openai:
    case Api::rbee: break;
  }
  return net::format_sse("", error_body(api, error));
}

std::optional<std::string> engine_error_body(Api api, int status, std::string_view body) {
  if (api == Api::rbee) return std::nullopt;
  const Result<Json> json = parse_json(body);
  if (!json || !json->is_object()) return std::nullopt;
  const auto told = json->find("error");
  if (told == json->end() || !told->is_object() || get_string(*json, "type") == "error") return std::nullopt;
  if (api == Api::openai || api == Api::responses) return openai_body_of(status, *told);
  const std::string message = words_of(*told);
  if (api == Api::ollama) return dump_json(Json{{"error", message}});
  return anthropic_body(status, message);
}

std::optional<Error> engine_error_in(std::string_view events) {
  constexpr std::string_view beginning = "event: error\ndata: ";
  const std::size_t at = events.find(beginning);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = events.substr(at + beginning.size());
  const Result<Json> json = parse_json(rest.substr(0, rest.find('\n')));
  if (!json || !json->is_object() || json->contains("error")) return std::nullopt;
  return Error{ErrorCode::engine_failed, words_of(*json), {}, {}};
}

bool worth_retrying(const Error& error) {
  switch (error.code) {
    case ErrorCode::queue_full:
    case ErrorCode::rate_limited:
    case ErrorCode::worker_lost:
    case ErrorCode::request_timeout:
    case ErrorCode::timed_out: return true;
    default: return false;
  }
}

}  // namespace rbee::keeper
