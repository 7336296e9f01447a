#include "hive/engine_relay.h"

#include "base/json.h"
#include "base/text.h"
#include "net/pass_on.h"

#include <nlohmann/json.hpp>

#include <array>
#include <memory>

namespace rbee::hive {
namespace {

// An engine's socket is on this machine and takes a connection in microseconds, or it is stuck.
constexpr Milliseconds connect_within{5'000};
// As the keeper waits: a long answer that is not streamed comes at its end.
constexpr Milliseconds longest_silence{60 * 60'000};
constexpr std::string_view prefix = "/engines/";
constexpr std::array<net::FieldName, 3> of_the_connection = {"connection", "keep-alive", "host"};

// Shared with the callback of the asker's departure, which may come at any time.
struct Ride {
  net::ClientExchange* engine = nullptr;
  bool gone = false;
};

net::Headers passed(const net::Headers& headers, bool raw) {
  net::Headers kept;
  for (const auto& [name, value] : headers) {
    const bool framing = net::is_one_of(name, net::fields_of_the_framing);
    const bool own = net::is_one_of(name, of_the_connection);
    if (framing ? raw : !own) kept.add(name, value);
  }
  return kept;
}

net::Task<void> say_lost(net::Exchange& exchange) {
  Error error{ErrorCode::worker_lost, "The engine was gone before it answered.", {}, {}};
  net::Headers headers{{"Content-Type", "application/json"}, {lost_field, "1"}};
  std::string body = dump_json(error_json(error));
  net::Task<Result<void>> responding =
      exchange.respond(info(error.code).http_status, std::move(headers), std::move(body));
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

// The body, piece by piece; a cut answer is cut for the asker too, who knows what to make of it.
net::Task<void> pass_answer(net::Exchange& exchange, net::ClientExchange& engine) {
  const bool raw = net::can_pass_framing(exchange, engine);
  net::Headers headers = passed(engine.head().headers, raw);
  const int status = engine.head().status;
  if (raw)
    exchange.begin_raw(status, std::move(headers));
  else
    exchange.begin(status, std::move(headers));
  Result<void> passing_on = {};
  bool last = false;
  while (passing_on && !last) {
    net::Task<Result<net::ClientExchange::Raw>> reading = net::next_piece(engine, raw, longest_silence);
    const Result<net::ClientExchange::Raw> piece = co_await reading;
    if (!piece) {
      exchange.abort();
      co_return;
    }
    last = piece->last;
    if (raw) {
      passing_on = co_await exchange.write_raw(piece->bytes, last);
    } else {
      net::Task<Result<void>> passing = net::pass_piece(exchange, piece->bytes, last, raw);
      passing_on = co_await passing;
    }
  }
  if (!passing_on) exchange.abort();
}

}  // namespace

std::optional<EngineTarget> engine_target(std::string_view path, std::string_view query) {
  if (!path.starts_with(prefix)) return std::nullopt;
  const std::string_view rest = path.substr(prefix.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  EngineTarget target{std::string(rest.substr(0, slash)), net::percent_encode_path(rest.substr(slash))};
  if (!query.empty()) target.target += cat("?", query);
  return target;
}

namespace {

net::ClientRequest request_of(const net::Exchange& exchange, const std::string& target,
                              std::string_view body) {
  return {.method = exchange.head().method,
          .target = target,
          .headers = passed(exchange.head().headers, false),
          .body = body};
}

// Sends it to the engine and reads the head of its answer; once more where a kept connection was at its end.
net::Task<Result<net::ClientExchange>> ask(std::shared_ptr<net::EngineConnections> engines,
                                           net::Exchange& exchange, std::string socket, std::string target,
                                           std::string_view body, std::shared_ptr<Ride> ride) {
  bool kept = true;
  while (true) {
    net::ClientRequest request = request_of(exchange, target, body);
    net::Task<Result<net::ClientExchange>> beginning =
        engines->begin(exchange.loop(), socket, std::move(request), connect_within, kept);
    Result<net::ClientExchange> engine = co_await beginning;
    if (!engine || ride->gone) co_return std::move(engine);
    ride->engine = &*engine;
    const Result<void> head = co_await engine->read_head(longest_silence);
    ride->engine = nullptr;
    if (head) co_return std::move(engine);
    const bool again = kept && !ride->gone && head.error().code == ErrorCode::unreachable;
    if (!again) co_return head.error();
    kept = false;
  }
}

}  // namespace

net::Task<void> relay_to_engine(std::shared_ptr<net::EngineConnections> engines, net::Exchange& exchange,
                                std::string socket, std::string target) {
  if (socket.empty()) {
    net::Task<void> telling = say_lost(exchange);
    co_await telling;
    co_return;
  }
  const Result<std::string_view> body = co_await exchange.read_body();
  if (!body) {
    net::Task<Result<void>> refusing = exchange.respond_error(body.error(), 0);
    const Result<void> ignored = co_await refusing;
    static_cast<void>(ignored);
    co_return;
  }
  const auto ride = std::make_shared<Ride>();
  exchange.on_disconnect([ride] {
    ride->gone = true;
    if (ride->engine != nullptr) ride->engine->say_goodbye();
  });
  net::Task<Result<net::ClientExchange>> asking =
      ask(engines, exchange, socket, std::move(target), *body, ride);
  Result<net::ClientExchange> engine = co_await asking;
  if (!engine || ride->gone) {
    net::Task<void> telling = say_lost(exchange);
    co_await telling;
    co_return;
  }
  ride->engine = &*engine;
  net::Task<void> answering = pass_answer(exchange, *engine);
  co_await answering;
  ride->engine = nullptr;
  if (!ride->gone) engines->give_back(exchange.loop(), socket, *engine);
}

}  // namespace rbee::hive
