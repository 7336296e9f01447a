#include "keeper/hive_connections.h"

#include "base/json.h"
#include "base/text.h"
#include "net/kept_connections.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <deque>

namespace rbee::keeper {

struct HiveConnections::Pool {
  explicit Pool(net::Loop& on) : loop(on) {}
  net::Loop& loop;
  net::KeptConnections idle{most_kept, kept_for};
  std::multimap<std::string, net::ClientExchange*> flights = {};
};

struct HiveConnections::Lent {
  // Who waits for a connection of a hive: the loop that asks, and what to do with it there.
  struct Waiter {
    net::Loop* loop;
    std::shared_ptr<net::Stream::Detached> stream;
    std::shared_ptr<net::Signal> here;
    std::shared_ptr<std::atomic<bool>> left;  // it waits no longer
  };
  net::KeptConnections idle{most_kept, kept_for};
  std::map<std::string, std::deque<Waiter>> waiting = {};

  static void hand_over(Waiter waiter, net::Stream stream);
  void wait(const std::string& hive, Waiter waiter, Instant now);
  void put(const std::string& hive, net::Stream stream, Instant now);
};

namespace {

// A report of hundreds of models, or a list of them, is far below.
constexpr std::size_t largest_answer_bytes = std::size_t{16} << 20;

Error no_way(const std::string& hive) {
  return Error{ErrorCode::unknown_name, cat("There is no hive '", hive, "'."), "See `rbee hive list`."};
}

}  // namespace

void HiveConnections::Lent::hand_over(Waiter waiter, net::Stream stream) {
  *waiter.stream = stream.detach();
  waiter.loop->post([here = std::move(waiter.here)]() mutable {
    here->notify();
    here.reset();
  });
}

void HiveConnections::Lent::wait(const std::string& hive, Waiter waiter, Instant now) {
  if (net::Stream stream = idle.take(hive, now); stream.is_open())
    return hand_over(std::move(waiter), std::move(stream));
  std::deque<Waiter>& queue = waiting[hive];
  std::erase_if(queue, [](const Waiter& other) { return other.left->load(); });
  queue.push_back(std::move(waiter));
}

void HiveConnections::Lent::put(const std::string& hive, net::Stream stream, Instant now) {
  if (!stream.is_open()) return;
  std::deque<Waiter>& queue = waiting[hive];
  while (!queue.empty()) {
    Waiter first = std::move(queue.front());
    queue.pop_front();
    if (!first.left->load()) return hand_over(std::move(first), std::move(stream));
  }
  idle.keep(hive, std::move(stream), now);
}

std::string HiveWay::text() const { return lent ? std::string(dials_in) : endpoint.text(); }

HiveConnections::HiveConnections(std::vector<net::Loop*> loops)
    : loops_(std::move(loops)), lent_(std::make_shared<Lent>()) {
  for (net::Loop* loop : loops_) pools_.push_back(std::make_unique<Pool>(*loop));
}

HiveConnections::~HiveConnections() = default;

void HiveConnections::set(const std::string& hive, HiveWay way) {
  if (!way.life) way.life = std::make_shared<net::SignOfLife>();
  {
    const std::scoped_lock lock(mutex_);
    ways_[hive] = std::move(way);
  }
  // What is kept may lead to an address that the machine has no more: a request would wait there for ever.
  on_each_pool([hive](Pool& pool) { pool.idle.forget(hive); });
}

void HiveConnections::remove(const std::string& hive) {
  {
    const std::scoped_lock lock(mutex_);
    ways_.erase(hive);
  }
  on_each_pool([hive](Pool& pool) { pool.idle.forget(hive); });
  loops_.front()->post([lent = lent_, hive]() mutable {
    lent->idle.forget(hive);
    lent.reset();
  });
}

HiveWay HiveConnections::way(const std::string& hive) const {
  const std::scoped_lock lock(mutex_);
  const auto found = ways_.find(hive);
  return found == ways_.end() ? HiveWay{.is_known = false} : found->second;
}

bool HiveConnections::is_own(const std::string& hive) const {
  const std::scoped_lock lock(mutex_);
  const auto found = ways_.find(hive);
  return found != ways_.end() && found->second.endpoint.is_unix();
}

// On the pool's own loop.
void HiveConnections::on_each_pool(std::function<void(Pool&)> change) {
  for (const std::unique_ptr<Pool>& pool : pools_) {
    pool->loop.post([self = shared_from_this(), at = pool.get(), change]() mutable {
      change(*at);
      self.reset();
    });
  }
}

HiveConnections::Pool& HiveConnections::pool_of(net::Loop& loop) {
  const auto at = std::ranges::find(loops_, &loop);
  return *pools_.at(static_cast<std::size_t>(at - loops_.begin()));
}

net::Task<Result<net::Stream>> HiveConnections::open(std::shared_ptr<HiveConnections> self, net::Loop& loop,
                                                     std::string hive, HiveWay way, Milliseconds within) {
  const bool to_unix = way.endpoint.is_unix();
  net::Task<Result<net::Stream>> opening =
      way.lent ? borrow(self, loop, hive, std::min(within, lent_within))
               : net::connect_secure(loop, std::move(way.endpoint), std::move(way.secure), within);
  Result<net::Stream> stream = co_await opening;
  if (stream && !to_unix) stream->lose_after(lost_after);
  co_return std::move(stream);
}

net::Task<Result<net::Stream>> HiveConnections::borrow(std::shared_ptr<HiveConnections> self, net::Loop& loop,
                                                       std::string hive, Milliseconds within) {
  const Lent::Waiter waiter{&loop, std::make_shared<net::Stream::Detached>(),
                            std::make_shared<net::Signal>(loop), std::make_shared<std::atomic<bool>>(false)};
  self->loops_.front()->post([lent = self->lent_, hive, waiter, now = loop.clock().now()]() mutable {
    lent->wait(hive, waiter, now);
    lent.reset();
  });
  net::Task<bool> waiting = waiter.here->wait(within);
  const bool here = co_await waiting;
  if (!here) {
    waiter.left->store(true);
    co_return Error{ErrorCode::unreachable,
                    cat("Hive '", hive, "' has lent no connection within ", within.count(), " ms."),
                    "It dials this keeper; see `rbee hive info`.",
                    {}};
  }
  co_return net::Stream::attach(loop, std::move(*waiter.stream));
}

// No coroutine: on a kept connection there is nothing to wait for.
net::Task<Result<net::ClientExchange>> HiveConnections::begin(std::shared_ptr<HiveConnections> self,
                                                              net::Loop& loop, std::string hive,
                                                              net::ClientRequest request,
                                                              Milliseconds within) {
  net::Stream kept = self->pool_of(loop).idle.take(hive, loop.clock().recent());
  HiveWay way = self->way(hive);
  if (kept.is_open())
    return net::ClientExchange::begin_on(std::move(kept), std::move(way.endpoint), std::move(request), within,
                                         std::move(way.life));
  if (!way.is_known) return net::Task<Result<net::ClientExchange>>::done(no_way(hive));
  return begin_anew(self, loop, std::move(hive), std::move(way), std::move(request), within);
}

net::Task<Result<net::ClientExchange>> HiveConnections::begin_anew(std::shared_ptr<HiveConnections> self,
                                                                   net::Loop& loop, std::string hive,
                                                                   HiveWay way, net::ClientRequest request,
                                                                   Milliseconds within) {
  net::Task<Result<net::Stream>> opening = open(self, loop, hive, way, within);
  Result<net::Stream> stream = co_await opening;
  if (!stream) {
    if (stream.error().code == ErrorCode::unreachable) self->on_refused(hive);
    co_return stream.error();
  }
  net::Task<Result<net::ClientExchange>> beginning = net::ClientExchange::begin_on(
      std::move(*stream), std::move(way.endpoint), std::move(request), within, std::move(way.life));
  Result<net::ClientExchange> exchange = co_await beginning;
  co_return std::move(exchange);
}

net::Task<Result<net::ClientExchange>> HiveConnections::ask(std::shared_ptr<HiveConnections> self,
                                                            net::Loop& loop, std::string hive,
                                                            net::ClientRequest request,
                                                            Milliseconds begun_within,
                                                            Milliseconds head_within) {
  net::Task<Result<net::ClientExchange>> beginning =
      begin(self, loop, hive, std::move(request), begun_within);
  Result<net::ClientExchange> exchange = co_await beginning;
  if (!exchange) co_return exchange.error();
  const Result<void> head = co_await exchange->read_head(head_within);
  if (!head) co_return head.error();
  co_return std::move(exchange);
}

net::Task<Result<net::ClientResponse>> HiveConnections::fetch(std::shared_ptr<HiveConnections> self,
                                                              net::Loop& loop, std::string hive,
                                                              net::ClientRequest request,
                                                              Milliseconds within) {
  const Instant deadline = loop.clock().now() + within;
  net::Task<Result<net::ClientExchange>> beginning = begin(self, loop, hive, std::move(request), within);
  Result<net::ClientExchange> exchange = co_await beginning;
  if (!exchange) co_return exchange.error();
  // A hive that is gone by then is not waited for.
  const Flight flight(self, loop, hive, *exchange);
  const Milliseconds for_head = std::max(deadline - loop.clock().now(), Milliseconds{1});
  const Result<void> head = co_await exchange->read_head(for_head);
  if (!head) co_return head.error();
  const Milliseconds left = std::max(deadline - loop.clock().now(), Milliseconds{1});
  Result<std::string> body = co_await exchange->read_all_within(largest_answer_bytes, left);
  if (!body) co_return body.error();
  net::ClientResponse response{exchange->head().status, exchange->head().headers, std::move(*body)};
  self->give_back(loop, hive, *exchange);
  co_return std::move(response);
}

void HiveConnections::give_back(net::Loop& loop, const std::string& hive, net::ClientExchange& exchange) {
  std::optional<net::Stream> stream = exchange.give_back();
  if (!stream || !way(hive).is_known) return;
  pool_of(loop).idle.keep(hive, std::move(*stream), loop.clock().recent());
}

void HiveConnections::lend(const std::string& hive, net::Stream stream) {
  const auto detached = std::make_shared<net::Stream::Detached>(stream.detach());
  loops_.front()->post([lent = lent_, hive, detached, loop = loops_.front()]() mutable {
    lent->put(hive, net::Stream::attach(*loop, std::move(*detached)), loop->clock().now());
    lent.reset();
  });
}

HiveConnections::Flight::Flight(std::shared_ptr<HiveConnections> self, net::Loop& loop, std::string hive,
                                net::ClientExchange& exchange)
    : self_(std::move(self)), loop_(loop), hive_(std::move(hive)), exchange_(exchange) {
  self_->pool_of(loop_).flights.emplace(hive_, &exchange_);
}

HiveConnections::Flight::~Flight() {
  auto& flights = self_->pool_of(loop_).flights;
  const auto [first, last] = flights.equal_range(hive_);
  for (auto at = first; at != last; ++at) {
    if (at->second != &exchange_) continue;
    flights.erase(at);
    return;
  }
}

std::unique_ptr<HiveConnections::Flight> HiveConnections::flight_to(
    const std::shared_ptr<HiveConnections>& self, net::Loop& loop, const std::string& hive,
    net::ClientExchange& exchange) {
  return self->is_own(hive) ? nullptr : std::make_unique<Flight>(self, loop, hive, exchange);
}

void HiveConnections::give_up(const std::string& hive, Milliseconds silent) {
  on_each_pool([hive, silent](Pool& pool) {
    const Instant now = pool.loop.clock().now();
    const auto [first, last] = pool.flights.equal_range(hive);
    for (auto at = first; at != last; ++at) {
      if (now - at->second->last_byte() >= silent) at->second->close();
    }
    // They would swallow the next request.
    pool.idle.forget(hive);
  });
}

Error error_of_hive(std::string_view body) {
  const Result<Json> json = parse_json(body);
  return json ? error_from_json(*json) : json.error();
}

void HiveConnections::stop() {
  {
    const std::scoped_lock lock(mutex_);
    ways_.clear();
  }
  on_each_pool([](Pool& pool) { pool.idle.clear(); });
  loops_.front()->post([lent = lent_]() mutable {
    lent->idle.clear();
    lent.reset();
  });
}

}  // namespace rbee::keeper
