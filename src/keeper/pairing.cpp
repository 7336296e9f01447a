#include "keeper/pairing.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// Answers of /hello and /pair have some hundred bytes.
constexpr std::size_t largest_answer_bytes = 65536;

// "0.1" of "0.1.0".
std::string_view series_of(std::string_view version) {
  const std::size_t first = version.find('.');
  const std::size_t second = first == std::string_view::npos ? first : version.find('.', first + 1);
  return version.substr(0, second);
}

Error not_there(const PairWith& with, const Error& why) {
  if (why.code == ErrorCode::wrong_key) {
    return Error{ErrorCode::wrong_key,
                 cat("The machine at ", with.hive.text(), " is not the one that printed this token."),
                 "Check the address, and take the token from `rbee hive token` on that very machine.",
                 why.detail};
  }
  Error error = why;
  error.hint = cat("Is `rbee hive --listen ", with.hive.text(), "` running there, and is port ",
                   with.hive.port, " open in its firewall?");
  return error;
}

Error no_hive(const PairWith& with) {
  return Error{ErrorCode::unreachable, cat("What answers at ", with.hive.text(), " is no hive of rbee."),
               cat("A hive's port is 7835 unless it was told another; this one was ", with.hive.port, ".")};
}

// Somebody took the connection, and then did not shake hands.
Error no_handshake(const PairWith& with, const Error& why) {
  if (why.code == ErrorCode::wrong_key) return not_there(with, why);
  if (why.code == ErrorCode::timed_out) {
    return Error{ErrorCode::timed_out, cat("What listens at ", with.hive.text(), " says nothing."),
                 "The machine sleeps, the network between loses packets, or another program has the port.",
                 why.message};
  }
  Error error = no_hive(with);
  error.detail = why.message;
  return error;
}

struct Answer {
  int status = 0;
  Json body = {};
};

// What is left until the deadline, and never nothing: zero would be no limit.
Milliseconds left_until(const net::Loop& loop, Instant deadline) {
  return std::max(deadline - loop.clock().now(), Milliseconds{1});
}

net::Task<Result<Answer>> ask(net::Stream& stream, net::Endpoint to, net::ClientRequest request,
                              Milliseconds within) {
  net::Task<Result<net::ClientExchange>> beginning =
      net::ClientExchange::begin_on(std::move(stream), std::move(to), std::move(request), within);
  Result<net::ClientExchange> exchange = co_await beginning;
  if (!exchange) co_return exchange.error();
  const Result<void> head = co_await exchange->read_head(within);
  if (!head) co_return head.error();
  const Result<std::string> text = co_await exchange->read_all_within(largest_answer_bytes, within);
  if (!text) co_return text.error();
  Answer answer{.status = exchange->head().status};
  if (Result<Json> body = parse_json(*text); body && body->is_object()) answer.body = std::move(*body);
  if (std::optional<net::Stream> kept = exchange->give_back()) stream = std::move(*kept);
  co_return std::move(answer);
}

}  // namespace

Result<void> check_versions(std::string_view keeper, std::string_view hive_name, std::string_view hive) {
  if (series_of(keeper) == series_of(hive)) return {};
  return Error{
      ErrorCode::unsupported,
      cat("Hive '", hive_name, "' runs rbee ", hive.empty() ? "of no known version" : hive,
          " and this keeper runs ", keeper, "."),
      "Install the same version on both: those with the same first two numbers understand each other."};
}

net::Task<Result<std::string>> pair(net::Loop& loop, std::shared_ptr<const net::TlsContext> own,
                                    PairWith with) {
  const Instant deadline = loop.clock().now() + pair_within;
  net::Endpoint to = with.hive;
  net::Task<Result<net::Stream>> connecting = net::Stream::connect(loop, std::move(to), pair_within / 2);
  Result<net::Stream> stream = co_await connecting;
  if (!stream) co_return not_there(with, stream.error());
  net::Task<Result<void>> securing =
      stream->secure(std::move(own), with.token.key_print, with.hive.text(), left_until(loop, deadline));
  const Result<void> secured = co_await securing;
  if (!secured) co_return no_handshake(with, secured.error());
  net::ClientRequest hello{.method = "GET", .target = "/hello"};
  net::Task<Result<Answer>> greeting = ask(*stream, with.hive, std::move(hello), left_until(loop, deadline));
  const Result<Answer> greeted = co_await greeting;
  if (!greeted) co_return not_there(with, greeted.error());
  if (get_string(greeted->body, "rbee") != "hive") co_return no_hive(with);
  const std::string version = text_of(greeted->body, "version");
  if (Result<void> same = check_versions(with.version, with.name, version); !same) co_return same.error();
  const std::string body =
      dump_json(Json{{"secret", with.token.secret}, {"hive", with.name}, {"addresses", with.addresses}});
  net::ClientRequest request{.method = "POST", .target = "/pair", .headers = {}, .body = body};
  net::Task<Result<Answer>> pairing = ask(*stream, with.hive, std::move(request), left_until(loop, deadline));
  const Result<Answer> paired = co_await pairing;
  if (!paired) co_return not_there(with, paired.error());
  if (paired->status != 200) co_return error_from_json(paired->body);
  co_return with.token.key_print;
}

}  // namespace rbee::keeper
