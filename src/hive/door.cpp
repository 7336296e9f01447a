#include "hive/door.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "hive/engine_relay.h"
#include "net/identity_files.h"
#include "net/own_addresses.h"

#include <nlohmann/json.hpp>

namespace rbee::hive {
namespace {

// Both files have some hundred bytes.
constexpr std::size_t largest_trust_bytes = 65536;
// What the keeper has not acknowledged for so long, several heartbeats, will not arrive.
constexpr Milliseconds is_lost_after{5'000};
// A secret, a name and some addresses. Anybody may send it, and it is parsed on the hive's only loop.
constexpr std::uint64_t largest_pair_bytes = 16384;

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

Door::Door(net::Loop& loop, const Clock& clock, Random& random, std::shared_ptr<Log> log,
           net::BlockingThread& files, Options options, Inside inside)
    : loop_(loop),
      clock_(clock),
      random_(random),
      log_(std::move(log)),
      files_(files),
      options_(std::move(options)),
      inside_(std::move(inside)),
      trust_(options_.hive_folder),
      engines_(std::make_shared<net::EngineConnections>(std::vector<net::Loop*>{&loop})) {}

Result<std::shared_ptr<Door>> Door::open(net::Loop& loop, const Clock& clock, Random& random,
                                         std::shared_ptr<Log> log, net::BlockingThread& files,
                                         Options options, Inside inside) {
  std::shared_ptr<Door> door(
      new Door(loop, clock, random, std::move(log), files, std::move(options), std::move(inside)));
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
  if (Result<void> listening = listen(std::move(*tls)); !listening) return listening;
  Result<std::shared_ptr<const net::TlsContext>> as_client =
      net::TlsContext::client(*identity, keepers_name_for_hives);
  if (!as_client) return as_client.error();
  dialler_ = Dialler::start(loop_, random_, log_, std::move(*as_client), for_dialler());
  return {};
}

Result<void> Door::listen(std::shared_ptr<const net::TlsContext> tls) {
  net::ServerOptions server_options;
  // A keeper's event stream to an address that this machine has no more stands still for minutes else, and
  // nobody would dial from the new one.
  server_options.lost_after = is_lost_after;
  // Of the keeper's: what a stranger sends is not read but for pairing, which takes little.
  server_options.largest_body_bytes = largest_engine_body_bytes;
  server_options.tls = std::move(tls);
  net::Handler handler = [weak = weak_from_this()](net::Exchange& exchange) {
    return handle(weak.lock(), exchange);
  };
  if (!options_.listen) {
    server_ = net::HttpServer::without_address({&loop_}, std::move(handler), std::move(server_options));
    return {};
  }
  Result<std::unique_ptr<net::HttpServer>> server =
      net::HttpServer::listen({&loop_}, *options_.listen, std::move(handler), std::move(server_options));
  if (!server) return server.error();
  server_ = std::move(*server);
  const Result<void> told = write_file(options_.hive_folder / address_file, endpoint().text());
  if (!told) return told.error();
  log_->info(cat("Hive '", options_.hive_name, "' listens on ", endpoint().text(), " (TLS)."));
  return {};
}

void Door::close() {
  closed_ = true;
  if (dialler_) dialler_->stop();
  server_.reset();
  engines_->close();
  if (!options_.listen) return;
  std::error_code ignored;
  std::filesystem::remove(options_.hive_folder / address_file, ignored);
}

// They hold the door weakly: it owns what calls them.
Dialler::Inside Door::for_dialler() {
  const std::weak_ptr<Door> weak = weak_from_this();
  return {
      .keeper =
          [weak] {
            const auto self = weak.lock();
            return self ? self->keeper_ : std::optional<KnownKeeper>();
          },
      .is_followed =
          [weak] {
            const auto self = weak.lock();
            return self && self->followers_ > 0;
          },
      .introduction =
          [weak] {
            const auto self = weak.lock();
            return self ? self->introduction() : LinkRequest();
          },
      .serve =
          [weak](net::Stream stream, std::string rest, std::function<void()> taken) {
            const auto self = weak.lock();
            if (!self || self->closed_) return;
            stream.lose_after(is_lost_after);
            self->server_->adopt(self->loop_, std::move(stream), std::move(rest), std::move(taken));
          },
      .let_in =
          [weak] {
            if (const auto self = weak.lock()) self->let_in();
          },
      .turned_away =
          [weak](const Error& why) {
            if (const auto self = weak.lock()) self->turned_away(why);
          },
  };
}

LinkRequest Door::introduction() const {
  LinkRequest request{.name = keeper_ ? keeper_->hive_name : options_.hive_name, .version = options_.version};
  if (!options_.listen) return request;
  const net::Endpoint at = endpoint();
  std::vector<std::string> addresses{at.address};
  if (at.address == "0.0.0.0" || at.address == "::") addresses = net::own_addresses();
  for (std::string& address : addresses) {
    if (request.addresses.size() >= most_link_addresses) break;
    request.addresses.push_back(net::Endpoint{.address = std::move(address), .port = at.port}.text());
  }
  return request;
}

void Door::know(std::optional<KnownKeeper> keeper) {
  const std::string before = keeper_ ? keeper_->key_print : std::string();
  const std::string now = keeper ? keeper->key_print : std::string();
  keeper_ = std::move(keeper);
  if (!before.empty() && before != now && server_) server_->close_those_of(before);
  if (dialler_) dialler_->look_again();
}

net::Task<Result<void>> Door::look_again() {
  std::function<Result<std::optional<KnownKeeper>>()> work = [trust = trust_] { return trust.read_keeper(); };
  net::Task<Result<std::optional<KnownKeeper>>> reading = files_.run(loop_, std::move(work));
  Result<std::optional<KnownKeeper>> keeper = co_await reading;
  if (!keeper) co_return keeper.error();
  if (closed_) co_return Result<void>{};
  if (keeper_ && !*keeper)
    log_->info(
        cat("This hive ('", options_.hive_name, "') belongs to no keeper any more: it was revoked here."));
  know(std::move(*keeper));
  co_return Result<void>{};
}

void Door::let_in() {
  if (!keeper_ || closed_) return;
  keeper_->asking = false;
  options_.hive_name = keeper_->hive_name;
  files_.post([log = log_, file = trust_.keeper, text = keeper_text(*keeper_)] {
    if (const Result<void> written = write_file(file, text); !written) log->error(written.error().message);
  });
  log_->info(cat("This hive was let in as '", keeper_->hive_name, "' by the keeper with the key ",
                 keeper_->key_print, "."));
  inside_.renamed(keeper_->hive_name);
}

void Door::turned_away(const Error& why) {
  if (!keeper_ || closed_) return;
  log_->warning(cat("This hive belongs to no keeper any more: ", why.message, " ", hint_of(why)));
  know(std::nullopt);
  forget_file();
}

void Door::forget_file() {
  files_.post([file = trust_.keeper] {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  });
}

bool Door::knows(std::string_view key_print) const {
  return keeper_ && net::equal_secrets(keeper_->key_print, key_print);
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
  } else if (head.method == "POST" && head.path == "/pair" && !exchange.peer_key().empty()) {
    answering = self->pair(exchange);
  } else if (std::optional<FileTarget> file = file_target(head.path);
             file && head.method == "GET" && self->inside_.send_file && !exchange.peer_key().empty()) {
    answering = self->inside_.send_file(exchange, std::move(*file));
  } else if (!self->knows(exchange.peer_key())) {
    answering = respond(exchange, stranger(self->options_.hive_name, self->keeper_.has_value()));
  } else {
    // A keeper that was asked to let it in, and comes, has let it in.
    if (self->keeper_->asking) self->let_in();
    answering = answer_keeper(self, exchange);
  }
  co_await answering;
}

net::Task<void> Door::answer_keeper(std::shared_ptr<Door> self, net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  net::Task<void> answering;
  const bool follows = head.method == "GET" && head.path == "/events";
  if (head.method == "DELETE" && head.path == "/keeper") {
    answering = self->let_go(exchange);
  } else if (std::optional<EngineTarget> target = engine_target(head.path, head.query)) {
    answering = relay_to_engine(self->engines_, exchange, self->inside_.socket_of(target->engine),
                                std::move(target->target));
  } else {
    answering = self->inside_.answer(exchange);
  }
  if (follows) ++self->followers_;
  co_await answering;
  if (!follows) co_return;
  --self->followers_;
  if (!self->closed_) self->dialler_->lost();
}

net::Task<void> Door::pair(net::Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body(largest_pair_bytes);
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
    know(*keeper);
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
  // Not by know(): what it has open is answered.
  keeper_.reset();
  forget_file();
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
