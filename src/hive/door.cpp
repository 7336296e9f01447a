#include "hive/door.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "hive/engine_relay.h"
#include "net/identity_files.h"

#include <nlohmann/json.hpp>

namespace rbee::hive {
namespace {

// Both files have some hundred bytes.
constexpr std::size_t largest_trust_bytes = 65536;

Error stranger(const std::string& hive, bool has_keeper) {
  return Error{
      ErrorCode::not_allowed,
      has_keeper ? cat("Hive '", hive, "' belongs to another keeper.")
                 : cat("Hive '", hive, "' belongs to no keeper yet."),
      "`rbee hive token` on its machine, then `rbee hive add NAME ADDRESS --token T` where the keeper "
      "is."};
}

net::Task<void> respond(net::Exchange& exchange, Result<std::string> text) {
  net::Task<Result<void>> responding =
      text ? exchange.respond_json(200, std::move(*text)) : exchange.respond_error(text.error());
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

template <class T>
Result<std::optional<T>> read_record(const std::filesystem::path& file,
                                     Result<T> (*parse)(std::string_view)) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::optional<T>();
  const Result<std::string> text = read_file(file, largest_trust_bytes);
  if (!text) return text.error();
  Result<T> record = parse(*text);
  if (!record) return record.error();
  return std::optional<T>(std::move(*record));
}

}  // namespace

Result<std::optional<KnownKeeper>> TrustFiles::read_keeper() const {
  return read_record<KnownKeeper>(keeper, &parse_keeper);
}

Result<std::optional<TokenRecord>> TrustFiles::read_token() const {
  return read_record<TokenRecord>(token, &parse_token_record);
}

Door::Door(net::Loop& loop, const Clock& clock, std::shared_ptr<Log> log, net::BlockingThread& files,
           Options options, Inside inside)
    : loop_(loop),
      clock_(clock),
      log_(std::move(log)),
      files_(files),
      options_(std::move(options)),
      inside_(std::move(inside)),
      trust_(options_.hive_folder) {}

Result<std::shared_ptr<Door>> Door::open(net::Loop& loop, const Clock& clock, std::shared_ptr<Log> log,
                                         net::BlockingThread& files, Options options, Inside inside) {
  std::shared_ptr<Door> door(
      new Door(loop, clock, std::move(log), files, std::move(options), std::move(inside)));
  const Result<void> started = door->start();
  if (!started) return started.error();
  return door;
}

Result<void> Door::start() {
  const Result<net::TlsIdentity> identity = net::open_identity(options_.hive_folder, "rbee hive");
  if (!identity) return identity.error();
  const Result<std::string> print = net::key_print_of(*identity);
  if (!print) return print.error();
  key_print_ = *print;
  Result<std::optional<KnownKeeper>> keeper = trust_.read_keeper();
  if (!keeper) return keeper.error();
  keeper_ = std::move(*keeper);
  Result<std::shared_ptr<const net::TlsContext>> tls = net::TlsContext::server(*identity, true);
  if (!tls) return tls.error();
  net::ServerOptions server_options;
  server_options.tls = std::move(*tls);
  Result<std::unique_ptr<net::HttpServer>> server = net::HttpServer::listen(
      {&loop_}, options_.listen,
      [weak = weak_from_this()](net::Exchange& exchange) { return handle(weak.lock(), exchange); },
      std::move(server_options));
  if (!server) return server.error();
  server_ = std::move(*server);
  const Result<void> told = write_file(options_.hive_folder / address_file, endpoint().text());
  if (!told) return told.error();
  log_->info(cat("Hive '", options_.hive_name, "' listens on ", endpoint().text(), " (TLS)."));
  return {};
}

void Door::close() {
  closed_ = true;
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove(options_.hive_folder / address_file, ignored);
}

void Door::forget_or_know(std::optional<KnownKeeper> keeper) { keeper_ = std::move(keeper); }

bool Door::knows(std::string_view key_print) const {
  return keeper_ && !keeper_->asking && net::equal_secrets(keeper_->key_print, key_print);
}

net::Task<void> Door::handle(std::shared_ptr<Door> self, net::Exchange& exchange) {
  if (!self || self->closed_) {
    exchange.abort();
    co_return;
  }
  const net::RequestHead& head = exchange.head();
  net::Task<void> answering;
  if (head.method == "GET" && head.path == "/hello") {
    answering = respond(exchange, dump_json(Json{{"rbee", "hive"}, {"version", self->options_.version}}));
  } else if (head.method == "POST" && head.path == "/pair") {
    answering = self->pair(exchange);
  } else if (std::optional<FileTarget> file = file_target(head.path);
             file && head.method == "GET" && self->inside_.send_file && !exchange.peer_key().empty()) {
    answering = self->inside_.send_file(exchange, std::move(*file));
  } else if (!self->knows(exchange.peer_key())) {
    answering = respond(exchange, stranger(self->options_.hive_name, self->keeper_.has_value()));
  } else if (head.method == "DELETE" && head.path == "/keeper") {
    answering = self->let_go(exchange);
  } else if (std::optional<EngineTarget> target = engine_target(head.path, head.query)) {
    answering = relay_to_engine(exchange, self->inside_.socket_of(target->engine), std::move(target->target));
  } else {
    answering = self->inside_.answer(exchange);
  }
  co_await answering;
}

net::Task<void> Door::pair(net::Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body();
  Result<PairRequest> request =
      body ? parse_pair_request(*body, exchange.peer_key()) : Result<PairRequest>(body.error());
  Result<KnownKeeper> keeper = Error{ErrorCode::in_use, "Another keeper is being let in right now."};
  if (!request) {
    keeper = request.error();
  } else if (!pairing_) {
    pairing_ = true;
    net::Task<Result<KnownKeeper>> taking = take_in(std::move(*request));
    keeper = co_await taking;
    pairing_ = false;
  }
  Result<std::string> answer = std::string();
  if (keeper) {
    keeper_ = *keeper;
    options_.hive_name = keeper->hive_name;
    log_->info(cat("This hive is '", keeper->hive_name, "' now, of the keeper with the key ",
                   keeper->key_print, "."));
    if (!closed_) inside_.renamed(keeper->hive_name);
    answer = dump_json(Json{{"hive", keeper->hive_name}, {"version", options_.version}});
  } else {
    log_->warning(cat("A keeper was not let in: ", keeper.error().message));
    answer = keeper.error();
  }
  net::Task<void> responding = respond(exchange, std::move(answer));
  co_await responding;
}

// The keeper lets this hive out of its system: what it has open is answered, and nothing after it.
net::Task<void> Door::let_go(net::Exchange& exchange) {
  keeper_.reset();
  files_.post([file = trust_.keeper] {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  });
  log_->info(
      cat("This hive ('", options_.hive_name, "') belongs to no keeper any more: its keeper let it go."));
  net::Task<void> responding = respond(exchange, std::string("{}"));
  co_await responding;
}

// The secret is spent before the keeper learns that it is in: two can never come in by one token.
net::Task<Result<KnownKeeper>> Door::take_in(PairRequest request) {
  std::function<Result<KnownKeeper>()> work = [trust = trust_, request = std::move(request),
                                               now = clock_.unix_ms()]() -> Result<KnownKeeper> {
    const Result<std::optional<TokenRecord>> token = trust.read_token();
    if (!token) return token.error();
    Result<KnownKeeper> keeper = admit(request, *token, now);
    if (!keeper) return keeper;
    std::error_code failure;
    std::filesystem::remove(trust.token, failure);
    if (failure) return io_error(cat("'", trust.token.string(), "' cannot be removed"), failure.value());
    const Result<void> written = write_file(trust.keeper, keeper_text(*keeper));
    if (!written) return written.error();
    return keeper;
  };
  net::Task<Result<KnownKeeper>> running = files_.run(loop_, std::move(work));
  Result<KnownKeeper> keeper = co_await running;
  co_return keeper;
}

}  // namespace rbee::hive
