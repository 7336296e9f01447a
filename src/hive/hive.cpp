#include "hive/hive.h"

#include "hive/agent.h"

#include <utility>

namespace rbee::hive {

struct Hive::Impl {
  net::Loop& loop;
  std::shared_ptr<Agent> agent;
};

Hive::Hive(net::Loop& loop, const Clock& clock, Random& random, std::shared_ptr<Log> log, HiveOptions options)
    : impl_(
          new Impl{loop, std::make_shared<Agent>(loop, clock, random, std::move(log), std::move(options))}) {}

Hive::~Hive() { impl_->agent->close(); }

Result<void> Hive::start() { return impl_->agent->start(); }

void Hive::stop(std::function<void()> stopped) {
  impl_->loop.post([agent = impl_->agent, stopped = std::move(stopped)] { agent->stop(stopped); });
}

void Hive::set_yield(YieldSettings yield) {
  impl_->loop.post([weak = std::weak_ptr(impl_->agent), yield] {
    if (const auto agent = weak.lock()) agent->set_yield(yield);
  });
}

net::Endpoint Hive::endpoint() const {
  net::Endpoint endpoint;
  endpoint.unix_path = impl_->agent->folders().socket.string();
  return endpoint;
}

HiveReport Hive::report() const { return impl_->agent->report(); }

}  // namespace rbee::hive
