#include "hive/event_hub.h"

#include "net/sse.h"

#include <utility>

namespace rbee::hive {

void EventHub::publish(std::string event) {
  newest_ = std::make_shared<const std::string>(std::move(event));
  change_ = std::make_shared<const std::string>();
  notify_all();
}

void EventHub::publish_change(std::string event) {
  change_ = std::make_shared<const std::string>(std::move(event));
  notify_all();
}

void EventHub::close() {
  closed_ = true;
  notify_all();
}

void EventHub::notify_all() {
  std::erase_if(subscribers_, [](const auto& subscriber) { return subscriber.expired(); });
  for (const auto& subscriber : subscribers_) {
    if (const auto there = subscriber.lock()) there->news.notify();
  }
}

net::Task<void> EventHub::serve(std::shared_ptr<EventHub> hub, net::Exchange& exchange) {
  const auto self = std::make_shared<Subscriber>(exchange.loop());
  hub->subscribers_.push_back(self);
  exchange.on_disconnect([self] {
    self->left = true;
    self->news.notify();
  });
  net::Headers headers{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}};
  const Result<void> started = co_await exchange.start(200, headers);
  if (!started) co_return;
  const std::string heartbeat = net::format_sse("heartbeat", "{}");
  std::shared_ptr<const std::string> sent;
  std::shared_ptr<const std::string> sent_change;
  while (!hub->closed_ && !self->left) {
    std::shared_ptr<const std::string> next;
    if (hub->newest_ != sent && !hub->newest_->empty()) {
      next = hub->newest_;
    } else if (hub->change_ != sent_change && !hub->change_->empty()) {
      next = hub->change_;
      sent_change = next;
    }
    sent = hub->newest_;
    const std::string_view text = next ? std::string_view(*next) : std::string_view(heartbeat);
    const Result<void> written = co_await exchange.write(text);
    if (!written) co_return;
    const bool more = hub->newest_ != sent || (hub->change_ != sent_change && !hub->change_->empty());
    if (more) continue;
    (void)co_await self->news.wait(heartbeat_every);
  }
  if (self->left) co_return;
  (void)co_await exchange.finish();
}

}  // namespace rbee::hive
