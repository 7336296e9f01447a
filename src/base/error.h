// The one error type that crosses a layer, and the table of all its kinds.
//
// An expected failure is a value: Result<T>. Its code names the kind for programs, its message names the
// thing, the numbers and what happened for the user, its hint says the way out. Exceptions are for bugs.
#pragma once

#include <boost/system/result.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace rbee {

// Rows of the table in error.cpp stand in this order. Names are a contract: clients match on them.
enum class ErrorCode {
  bad_request,
  bad_json,
  body_too_large,
  request_timeout,
  unknown_model,
  unknown_name,
  name_taken,
  in_use,
  no_worker,
  queue_full,
  worker_lost,
  engine_failed,
  unsupported,
  does_not_fit,
  bad_model_file,
  no_space,
  no_engine_pack,
  pack_broken,
  backend_unusable,
  already_running,
  address_taken,
  not_allowed,
  invalid_api_key,
  rate_limited,
  wrong_key,
  unreachable,         // keeper or hive
  source_unreachable,  // where a model comes from: a hub, a registry, an address
  bad_usage,
  bad_config,
  io_failed,
  timed_out,
  cancelled,
  internal,
};

struct ErrorInfo {
  ErrorCode code;
  std::string_view name;  // stable: clients and scripts match on it
  int http_status;        // what the API answers
  int exit_code;          // what the command line ends with (docs/cli.md)
  std::string_view hint;  // the way out where the error itself names none
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;      // one sentence for the user
  std::string hint = {};    // empty: the table's
  std::string detail = {};  // for the log only: errno, the engine's own words
};

// An error behind a pointer: hardly any result is one, and each coroutine's frame has room for all results
// that it awaits.
class SharedError {
 public:
  SharedError() = default;
  SharedError(Error error) : error_(std::make_shared<const Error>(std::move(error))) {}
  // `internal` and no words where there is none.
  [[nodiscard]] const Error& get() const;

 private:
  std::shared_ptr<const Error> error_;
};

// A T, or the Error that stands in its place. As boost::system::result, but for the room that an error takes.
template <class T>
class Result : public boost::system::result<T, SharedError> {
  using Base = boost::system::result<T, SharedError>;

 public:
  using Base::Base;
  // Valid as long as this result is.
  [[nodiscard]] const Error& error() const& { return Base::error().get(); }
  [[nodiscard]] Error error() && { return Base::error().get(); }
};

// What result::value() calls on an error: using it unchecked is a bug, so it throws std::logic_error.
[[noreturn]] void throw_exception_from_error(const SharedError& error, const boost::source_location& where);

[[nodiscard]] std::span<const ErrorInfo> error_table();
[[nodiscard]] const ErrorInfo& info(ErrorCode code);
// The row of that name, or of `internal` where a peer sends one that this version does not know.
[[nodiscard]] ErrorCode error_code_of(std::string_view name);
[[nodiscard]] std::string_view hint_of(const Error& error);

// "cannot open FILE: No such file or directory" from the current or the given errno.
[[nodiscard]] Error io_error(std::string_view what, int errno_value);

}  // namespace rbee
