#include "hive/dialler.h"

#include "base/json.h"
#include "base/text.h"
#include "net/look_up.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::hive {
namespace {

constexpr std::size_t largest_answer_bytes = 65536;
// Without a keeper there is nothing to look for until somebody says so.
constexpr Milliseconds rests{60'000};
// The keeper itself comes to this hive: it need not be told again and again.
constexpr Milliseconds after_followed{2'000};
constexpr double jitter = 0.5;

}  // namespace

Milliseconds Backoff::next(Random& random) {
  const double longer = 1 + jitter * random.unit();
  const Milliseconds wait{static_cast<std::int64_t>(static_cast<double>(wait_.count()) * longer)};
  wait_ = std::min(wait_ * 2, longest);
  return wait;
}

Dialler::Dialler(net::Loop& loop, Random& random, std::shared_ptr<Log> log,
                 std::shared_ptr<const net::TlsContext> tls, Inside inside)
    : loop_(loop),
      random_(random),
      log_(std::move(log)),
      tls_(std::move(tls)),
      inside_(std::move(inside)),
      changed_(loop) {}

std::shared_ptr<Dialler> Dialler::start(net::Loop& loop, Random& random, std::shared_ptr<Log> log,
                                        std::shared_ptr<const net::TlsContext> tls, Inside inside) {
  std::shared_ptr<Dialler> dialler(
      new Dialler(loop, random, std::move(log), std::move(tls), std::move(inside)));
  loop.spawn(run(dialler));
  return dialler;
}

void Dialler::look_again() {
  backoff_.reset();
  changed_.notify();
}

void Dialler::stop() {
  stopped_ = true;
  changed_.notify();
}

net::Task<void> Dialler::run(std::shared_ptr<Dialler> self) {
  while (!self->stopped_) {
    std::optional<KnownKeeper> keeper = self->inside_.keeper();
    Milliseconds pause = rests;
    if (keeper && !keeper->addresses.empty()) {
      net::Task<Milliseconds> turning = self->turn(std::move(*keeper));
      pause = co_await turning;
    }
    if (self->stopped_) break;
    net::Task<bool> waiting = self->changed_.wait(pause);
    const bool woken = co_await waiting;
    static_cast<void>(woken);
  }
}

// What is to be done now; how long to wait afterwards.
net::Task<Milliseconds> Dialler::turn(KnownKeeper keeper) {
  const bool followed = inside_.is_followed();
  if (lending_ && followed && std::exchange(failed_, false)) co_return backoff_.next(random_);
  if (lending_ && followed) {
    for (int missing = spare_connections - spare_ - on_way_; missing > 0; --missing) {
      ++on_way_;
      loop_.spawn(lend_one(shared_from_this(), keeper));
    }
    co_return looks_every;
  }
  if (followed) co_return looks_every;
  lending_ = false;
  const bool asks = keeper.asking;
  net::Task<Outcome> dialling = dial(std::move(keeper), false);
  const Outcome outcome = co_await dialling;
  if (stopped_) co_return rests;
  if (asks && (outcome == Outcome::lent || outcome == Outcome::followed)) inside_.let_in();
  switch (outcome) {
    case Outcome::lent:
      lending_ = true;
      backoff_.reset();
      co_return looks_every;
    case Outcome::followed: backoff_.reset(); co_return after_followed;
    case Outcome::asking: backoff_.reset(); co_return asks_every;
    case Outcome::turned_away: co_return rests;
    case Outcome::nobody: break;
  }
  co_return backoff_.next(random_);
}

net::Task<void> Dialler::lend_one(std::shared_ptr<Dialler> self, KnownKeeper keeper) {
  net::Task<Outcome> dialling = self->dial(std::move(keeper), true);
  const Outcome outcome = co_await dialling;
  --self->on_way_;
  if (outcome == Outcome::followed) self->lending_ = false;
  self->failed_ = outcome != Outcome::lent;
}

// A keeper that was named may have got another address: its name leads there.
net::Task<void> Dialler::look_up(std::string name) {
  const std::size_t colon = name.rfind(':');
  std::string host = name.substr(0, colon);
  net::Task<std::vector<std::string>> looking = net::look_up_within(loop_, std::move(host), looks_up_within);
  const std::vector<std::string> found = co_await looking;
  if (found.empty()) co_return;  // no name server answers now: what it said before still holds
  looked_up_.clear();
  for (const std::string& address : found) {
    if (looked_up_.size() >= most_link_addresses) break;
    const bool v6 = address.find(':') != std::string::npos;
    looked_up_.push_back(cat(v6 ? cat("[", address, "]") : address, name.substr(colon)));
  }
}

// To the first of its addresses that answers with its key.
net::Task<Result<net::Stream>> Dialler::connect(KnownKeeper keeper, bool spare) {
  Result<net::Stream> stream = Error{ErrorCode::unreachable, "The keeper has no address."};
  // A spare one goes where the last one went.
  if (!spare && keeper.name.find(':') != std::string::npos) {
    net::Task<void> looking = look_up(keeper.name);
    co_await looking;
  }
  if (!keeper.name.empty()) {
    std::vector<std::string> all = looked_up_;
    for (std::string& known : keeper.addresses) {
      if (std::ranges::find(all, known) == all.end()) all.push_back(std::move(known));
    }
    keeper.addresses = std::move(all);
  }
  for (const std::string& address : keeper.addresses) {
    const Result<net::Endpoint> endpoint = net::parse_endpoint(address, 0);
    if (!endpoint) continue;
    net::Endpoint to = *endpoint;
    net::Secure secure{tls_, keeper.key_print};
    const Milliseconds within = dials_within / static_cast<int>(keeper.addresses.size());
    net::Task<Result<net::Stream>> connecting =
        net::connect_secure(loop_, std::move(to), std::move(secure), within);
    stream = co_await connecting;
    if (stream) break;
  }
  co_return std::move(stream);
}

net::Task<Dialler::Outcome> Dialler::dial(KnownKeeper keeper, bool spare) {
  net::Task<Result<net::Stream>> connecting = connect(keeper, spare);
  Result<net::Stream> stream = co_await connecting;
  if (!stream) {
    if (stream.error().code == ErrorCode::wrong_key) tell_once(stream.error().message);
    co_return Outcome::nobody;
  }
  if (stopped_) co_return Outcome::nobody;
  LinkRequest asked = inside_.introduction();
  asked.asking = keeper.asking;
  asked.spare = spare;
  const std::string body = link_request_text(asked);
  net::ClientRequest request{.method = "POST",
                             .target = link_path,
                             .headers = {{"Upgrade", "rbee-hive"}, {"Content-Type", "application/json"}},
                             .body = body};
  net::Endpoint to{.address = "keeper"};
  net::Task<Result<net::ClientExchange::Upgraded>> upgrading =
      net::ClientExchange::upgrade(std::move(*stream), std::move(to), std::move(request), dials_within);
  Result<net::ClientExchange::Upgraded> upgraded = co_await upgrading;
  if (!upgraded || stopped_) co_return Outcome::nobody;
  if (upgraded->stream.is_open()) {
    serve(std::move(upgraded->stream), std::move(upgraded->rest));
    co_return Outcome::lent;
  }
  const int status = upgraded->refusal.head().status;
  if (status == 200) co_return Outcome::followed;
  if (status == 202) co_return Outcome::asking;
  const Result<std::string> text = co_await upgraded->refusal.read_all(largest_answer_bytes, dials_within);
  if (!text || stopped_) co_return Outcome::nobody;
  const Result<Json> json = parse_json(*text);
  const Error why = json ? error_from_json(*json) : json.error();
  if (status == 403 && why.code == ErrorCode::not_allowed) {
    inside_.turned_away(why);
    co_return Outcome::turned_away;
  }
  tell_once(why.message);
  co_return Outcome::nobody;
}

void Dialler::serve(net::Stream stream, std::string rest) {
  ++spare_;
  inside_.serve(std::move(stream), std::move(rest), [weak = weak_from_this()] {
    const std::shared_ptr<Dialler> self = weak.lock();
    if (!self || self->stopped_) return;
    --self->spare_;
    self->changed_.notify();
  });
}

void Dialler::tell_once(std::string what) {
  if (told_ == what) return;
  told_ = std::move(what);
  log_->warning(cat("This hive's keeper is dialled in vain: ", told_));
}

}  // namespace rbee::hive
