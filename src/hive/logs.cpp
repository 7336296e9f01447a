// GET /logs: what engines have said, and what they say from now on.
#include "hive/agent.h"

#include "base/text.h"
#include "net/http.h"

#include <utility>

namespace rbee::hive {

// One request that follows the log. A reader that is too slow loses its oldest lines, not the engine's time.
struct Agent::Follower {
  static constexpr std::size_t most_waiting_bytes = 1u << 20;
  explicit Follower(net::Loop& loop) : news(loop) {}
  std::string worker;  // empty: all
  net::Signal news;
  std::string waiting = {};
  bool left = false;
};

void Agent::spread_log(const std::string& engine, std::string_view lines) {
  std::erase_if(followers_, [](const auto& follower) { return follower.expired(); });
  if (followers_.empty()) return;
  const Load* load = supervisor_.find_load(engine);
  const std::string text = with_engine(engine, lines);
  for (const auto& weak : followers_) {
    const auto follower = weak.lock();
    if (!follower || (!follower->worker.empty() && (load == nullptr || load->worker != follower->worker)))
      continue;
    follower->waiting += text;
    if (follower->waiting.size() > Follower::most_waiting_bytes) follower->waiting = text;
    follower->news.notify();
  }
}

net::Task<void> Agent::get_logs(net::Exchange& exchange) {
  constexpr std::size_t tail_bytes = 256u << 10;
  const std::string query = exchange.head().query;
  const std::string worker = net::query_value(query, "worker").value_or("");
  const std::string follow = net::query_value(query, "follow").value_or("");
  if (!worker.empty() && supervisor_.find_worker(worker) == nullptr) {
    const auto unknown = supervisor_.engine_of(worker, "", clock_.now());
    if (!unknown) {
      Error error = unknown.error();
      (void)co_await exchange.respond_error(std::move(error));
      co_return;
    }
  }
  const auto self = std::make_shared<Follower>(exchange.loop());
  self->worker = worker;
  const bool follows = follow == "1" || follow == "true";
  // Before the files are read, so that no line falls between them; one of that moment may come twice.
  if (follows) followers_.push_back(self);
  std::function<std::string()> read = [logs = logs_, worker] { return logs->tail(worker, tail_bytes); };
  std::string text = co_await files_->run(loop_, std::move(read));
  net::Headers headers{{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}};
  if (!follows) {
    (void)co_await exchange.respond(200, std::move(headers), std::move(text));
    co_return;
  }
  exchange.on_disconnect([self] {
    self->left = true;
    self->news.notify();
  });
  const Result<void> started = co_await exchange.start(200, std::move(headers));
  if (!started) co_return;
  while (!self->left && runner_) {
    if (!text.empty()) {
      const Result<void> written = co_await exchange.write(text);
      if (!written) co_return;
    }
    // Woken now and then to see whether the hive ends.
    constexpr Milliseconds longest_wait{1'000};
    if (self->waiting.empty()) (void)co_await self->news.wait(longest_wait);
    text = std::exchange(self->waiting, {});
  }
  if (!self->left) (void)co_await exchange.finish();
}

}  // namespace rbee::hive
