#include "keeper/hedge.h"

#include "base/text.h"
#include "keeper/ask_engine.h"
#include "keeper/engine_request.h"

#include <algorithm>
#include <utility>

namespace rbee::keeper {
namespace {

// Shared by the coroutine that asks the second engine and the one that waits for the first; of one loop.
// Once it is decided, this is the one that lost.
struct Second {
  std::shared_ptr<Core> core;
  net::Loop& loop;
  std::shared_ptr<Ride> ride;
  std::optional<Placing::Second> place;
  std::shared_ptr<const FleetEngine> engine;
  std::string body;  // the client's own may be gone before it is sent
  AttemptRecord record = {};
  net::ClientExchange* first = nullptr;  // who waits for the other engine; null: that is over
  net::ClientExchange exchange = {};
  bool reads = false;
  bool has_won = false;
};

net::Task<void> leave(std::shared_ptr<Second> second) {
  net::Task<void> leaving = second->exchange.let_go(engine_lets_go_within);
  co_await leaving;
  second->place.reset();
}

net::Task<void> ask_second(std::shared_ptr<Second> second, net::ClientRequest request) {
  request.body = second->body;
  bool kept = false;
  net::Task<Result<net::ClientExchange>> beginning = begin_at_engine(
      second->core, second->loop, *second->engine, std::move(request), engine_connects_within, kept);
  Result<net::ClientExchange> begun = co_await beginning;
  if (!begun) {
    second->place.reset();
    co_return;
  }
  second->exchange = std::move(*begun);
  const auto flight =
      HiveConnections::flight_to(second->core->hives, second->loop, second->engine->hive, second->exchange);
  if (second->first != nullptr && !second->ride->gone) {
    second->reads = true;
    const Result<void> head = co_await second->exchange.read_head(longest_engine_silence);
    second->reads = false;
    const bool answers = head && begins_answer(second->exchange);
    if (answers && second->first != nullptr && !second->ride->gone) {
      second->has_won = true;
      second->first->stop_waiting();
      co_return;
    }
  }
  net::Task<void> leaving = leave(second);
  co_await leaving;
}

std::shared_ptr<Second> begin_second(Passage& passage, const FleetEngine& chosen,
                                     net::ClientExchange& first) {
  std::optional<Placing::Second> place = passage.ride->ticket->hedge();
  if (!place) return nullptr;
  Core& core = *passage.core;
  const std::shared_ptr<const FleetEngine> engine = place->send().engine;
  const std::int64_t now_us = core.clock.now_us();
  auto second = std::make_shared<Second>(Second{.core = passage.core,
                                                .loop = passage.exchange.loop(),
                                                .ride = passage.ride,
                                                .place = std::move(place),
                                                .engine = engine,
                                                .body = std::string(passage.call.body),
                                                .first = &first});
  second->record = {
      .engine = engine, .span_id = new_span_id(core.random), .asked_us = now_us, .begun_us = now_us};
  core.metrics.hedged();
  core.metrics.of(passage.record.model, engine->worker).placed(0);
  core.care.used(engine->id, core.clock.now(), passage.call.keep_alive);
  core.log->info(cat("Request ", passage.record.id, " begins late on worker '", chosen.worker, "': worker '",
                     engine->worker, "' is asked as well."));
  net::ClientRequest request = engine_request(passage, second->record.span_id);
  second->loop.spawn(ask_second(second, std::move(request)));
  return second;
}

// What was the second is the one that answers, and the first is what is let go of.
void change_over(Passage& passage, net::ClientExchange& engine, Second& second) {
  std::swap(engine, second.exchange);
  passage.ride->ticket->change_over(*second.place);
  RequestRecord& record = passage.record;
  AttemptRecord& before = record.attempts.back();
  before.ended_us = passage.core->clock.now_us();
  before.outcome = Outcome::client_gone;  // as that engine sees it
  before.placed_again = true;
  record.attempts.push_back(std::move(second.record));
  passage.series = &passage.core->metrics.of(record.model, second.engine->worker);
  passage.core->metrics.hedge_won();
}

}  // namespace

net::Task<Result<void>> read_head_or_hedge(Passage& passage, const FleetEngine& chosen,
                                           net::ClientExchange& engine,
                                           std::shared_ptr<const FleetEngine>& by) {
  Milliseconds late = passage.late_after;
  std::shared_ptr<Second> second;
  while (!second) {
    const Result<void> head = co_await engine.read_head(late);
    const bool is_late = !head && head.error().code == ErrorCode::timed_out;
    if (!is_late || passage.ride->gone || late >= longest_engine_silence) co_return head;
    second = begin_second(passage, chosen, engine);
    // What has waited twice as long may wait for a slower one.
    late = std::min(2 * late, longest_engine_silence);
  }
  const Pointed<net::ClientExchange> pointed(passage.ride->second, &second->exchange);
  Result<void> head = co_await engine.read_head(longest_engine_silence);
  second->first = nullptr;
  if (!second->has_won) {
    // It is still on its way, and leaves by itself.
    if (second->reads) second->exchange.stop_waiting();
    co_return head;
  }
  if (!head && !passage.ride->gone) {
    change_over(passage, engine, *second);
    by = second->engine;
    head = Result<void>{};
  }
  second->loop.spawn(leave(second));
  co_return head;
}

}  // namespace rbee::keeper
