#include "keeper/hive_link.h"

#include "base/json.h"
#include "base/text.h"
#include "keeper/pairing.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr std::size_t largest_refusal_bytes = 65536;

}  // namespace

HiveLink::HiveLink(net::Loop& loop, std::string hive, std::shared_ptr<HiveConnections> connections,
                   Random& random, std::shared_ptr<Log> log, Settings settings, Events events)
    : loop_(loop),
      hive_(std::move(hive)),
      connections_(std::move(connections)),
      random_(random),
      log_(std::move(log)),
      settings_(std::move(settings)),
      events_(std::move(events)) {}

std::shared_ptr<HiveLink> HiveLink::start(net::Loop& loop, std::string hive,
                                          std::shared_ptr<HiveConnections> connections, Random& random,
                                          std::shared_ptr<Log> log, Settings settings, Events events) {
  std::shared_ptr<HiveLink> link(new HiveLink(loop, std::move(hive), std::move(connections), random,
                                              std::move(log), std::move(settings), std::move(events)));
  loop.spawn(follow(link));
  return link;
}

void HiveLink::stop() {
  loop_.post([self = shared_from_this()] {
    self->stopped_ = true;
    if (self->current_ != nullptr) self->current_->close();
  });
}

net::Task<void> HiveLink::follow(std::shared_ptr<HiveLink> self) {
  Milliseconds pause = first_pause;
  while (!self->stopped_) {
    const bool heard = co_await self->listen_once();
    if (self->stopped_) break;
    if (heard) {
      self->events_.on_broken(self->hive_);
      pause = first_pause;
    }
    const double more = self->random_.unit() / 2;
    const Milliseconds rest{static_cast<std::int64_t>(static_cast<double>(pause.count()) * (1 + more))};
    net::Task<void> resting = net::sleep_for(self->loop_, rest);
    co_await resting;
    pause = std::min(pause * 2, longest_pause);
  }
}

// Reads events until the stream breaks. Whether a report came.
net::Task<bool> HiveLink::listen_once() {
  net::ClientRequest request{.method = "GET", .target = "/events"};
  net::Task<Result<net::ClientExchange>> asking = HiveConnections::ask(
      connections_, loop_, hive_, std::move(request), settings_.longest_silence, settings_.longest_silence);
  Result<net::ClientExchange> exchange = co_await asking;
  if (!exchange) {
    tell_why(exchange.error());
    co_return false;
  }
  if (exchange->head().status != 200) {
    const Result<std::string> text =
        co_await exchange->read_all(largest_refusal_bytes, settings_.longest_silence);
    const Error why = text ? error_of_hive(*text) : text.error();
    tell_why(why);
    if (!stopped_) events_.on_unfit(hive_, why);
    co_return false;
  }
  current_ = &*exchange;
  net::SseReader reader;
  bool heard = false;
  bool good = true;
  while (good && !stopped_) {
    const Result<std::string_view> bytes = co_await exchange->read_some(settings_.longest_silence);
    if (stopped_ || !bytes || bytes->empty()) break;
    good = static_cast<bool>(reader.feed(*bytes));
    while (good) {
      const std::optional<net::SseEvent> event = reader.next();
      if (!event) break;
      if (event->event == "figures" && heard) events_.on_figures(event->data);
      if (event->event != "report") continue;
      good = take(event->event, event->data);
      heard = heard || good;
    }
  }
  current_ = nullptr;
  co_return heard;
}

std::string HiveLink::where() const { return connections_->way(hive_).text(); }

// A key that is not the pinned one, or a hive that belongs to another keeper now, is worth a line; that
// nobody answers is not: the hive list says so.
void HiveLink::tell_why(const Error& error) {
  if (error.code == ErrorCode::unreachable || error.code == ErrorCode::timed_out) return;
  if (std::exchange(told_, error.message) == error.message) return;
  log_->warning(cat("Hive '", hive_, "' cannot be followed: ", error.message, " ", hint_of(error)));
}

bool HiveLink::take(std::string_view event, std::string_view data) {
  const Result<Json> json = parse_json(data);
  // Before all else: the report of another version may not be readable at all.
  if (json && !settings_.version.empty()) {
    const std::string version = text_of(*json, "version");
    const std::string named = hive_ != own_hive ? hive_ : text_of(*json, "hive");
    if (const Result<void> same = check_versions(settings_.version, named, version); !same) {
      tell_why(same.error());
      events_.on_unfit(named, same.error());
      return false;
    }
  }
  Result<HiveReport> report = json ? report_from_json(*json) : json.error();
  if (!report) {
    log_->error(
        cat("The hive at ", where(), " sent a ", event, " that cannot be read: ", report.error().message));
    return false;
  }
  // A hive goes by the name that the keeper gave it, whatever it says.
  if (hive_ != own_hive) report->hive = hive_;
  if (name_ != report->hive) log_->info(cat("Hive '", report->hive, "' answers at ", where(), "."));
  name_ = report->hive;
  events_.on_report(hive_, std::move(*report));
  return true;
}

}  // namespace rbee::keeper
