#include "base/error.h"

#include "base/text.h"

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace rbee {
namespace {

using enum ErrorCode;

constexpr auto table = std::to_array<ErrorInfo>({
    {bad_request, "bad_request", 400, 1, "See the API's own documentation for this field."},
    {bad_json, "bad_json", 400, 1, "Send one JSON object, UTF-8, with a Content-Length that is right."},
    {body_too_large, "body_too_large", 413, 1, "Send at most 64 MiB in one request."},
    {request_timeout, "request_timeout", 408, 1, "Send the request without long pauses."},
    {unknown_model, "unknown_model", 404, 4, "See `rbee model list`; `rbee model add NAME FILE` adds one."},
    {unknown_name, "unknown_name", 404, 4, "See `rbee status` for the names there are."},
    {name_taken, "name_taken", 409, 4, "Choose another name, or remove the one that has it."},
    {in_use, "in_use", 409, 4, "`rbee stop M` ends what uses it."},
    {no_worker, "no_worker", 503, 4, "`rbee worker deploy` puts a device in service."},
    {queue_full, "queue_full", 429, 4, "Try again in a moment, or add a worker."},
    {worker_lost, "worker_lost", 502, 1, "Send the request again; `rbee status` says what happened."},
    {engine_failed, "engine_failed", 503, 1, "`rbee logs --worker NAME` has the engine's own words."},
    {unsupported, "unsupported", 501, 4, "`GET /v1/models` and docs/cli.md say what there is."},
    {does_not_fit, "does_not_fit", 503, 4,
     "Stop another model, choose a smaller quantization, or less context."},
    {bad_model_file, "bad_model_file", 422, 4, "Get the file again, or name a GGUF file."},
    {no_space, "no_space", 507, 1, "Free some space there, or choose another folder."},
    {no_engine_pack, "no_engine_pack", 503, 4, "`rbee engine install BACKEND` builds it."},
    {pack_broken, "pack_broken", 503, 4, "`rbee engine install BACKEND` builds it anew."},
    {backend_unusable, "backend_unusable", 422, 4, "`rbee detect` says what this machine can do."},
    {already_running, "already_running", 409, 4, "`rbee down` ends it."},
    {address_taken, "address_taken", 409, 1, "Choose another port with --port."},
    {not_allowed, "not_allowed", 403, 4, "`rbee --help` says what is allowed where."},
    {invalid_api_key, "invalid_api_key", 401, 4,
     "Send a key that `rbee key add NAME` printed on the keeper's machine, as your API key."},
    {rate_limited, "rate_limited", 429, 4, "Wait as long as Retry-After says."},
    {wrong_key, "wrong_key", 502, 4,
     "If the machine was set up anew, remove its hive and add it again; if not, somebody is in between."},
    {unreachable, "unreachable", 503, 3, "`rbee up` starts keeper and hive on this machine."},
    {source_unreachable, "source_unreachable", 502, 1,
     "Check the network of the hive's machine, and its proxy."},
    {bad_usage, "bad_usage", 400, 2, "`rbee --help` lists the commands."},
    {bad_config, "bad_config", 400, 2, "Mend the file at the place that is named."},
    {io_failed, "io_failed", 500, 1, "Check the path and its permissions."},
    {timed_out, "timed_out", 504, 1, "Try again; `rbee status` says what is busy."},
    {cancelled, "cancelled", 499, 1, "The other end went away."},
    {internal, "internal", 500, 1, "This is a bug of rbee; the log has more."},
});

constexpr bool in_enum_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table.at(i).code != static_cast<ErrorCode>(i)) return false;
  }
  return table.back().code == internal;
}
static_assert(in_enum_order(), "rows stand in the order of ErrorCode");

}  // namespace

const Error& SharedError::get() const {
  static const Error none;
  return error_ ? *error_ : none;
}

void throw_exception_from_error(const SharedError& error, const boost::source_location& where) {
  throw std::logic_error(
      cat("unchecked result in ", where.file_name(), ":", where.line(), ": ", error.get().message));
}

std::span<const ErrorInfo> error_table() { return table; }

const ErrorInfo& info(ErrorCode code) { return table.at(static_cast<std::size_t>(code)); }

ErrorCode error_code_of(std::string_view name) {
  for (const ErrorInfo& row : table) {
    if (row.name == name) return row.code;
  }
  return internal;
}

std::string_view hint_of(const Error& error) {
  return error.hint.empty() ? info(error.code).hint : std::string_view(error.hint);
}

Error io_error(std::string_view what, int errno_value) {
  const ErrorCode code = errno_value == ENOSPC || errno_value == EDQUOT ? no_space : io_failed;
  return Error{code, cat(what, ": ", std::generic_category().message(errno_value), "."), {}, {}};
}

}  // namespace rbee
