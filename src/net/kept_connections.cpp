#include "net/kept_connections.h"

#include <algorithm>

namespace rbee::net {

Stream KeptConnections::take(const std::string& name, Instant now) {
  const auto found = kept_.find(name);
  if (found == kept_.end()) return {};
  while (!found->second.empty()) {
    Idle newest = std::move(found->second.back());
    found->second.pop_back();
    newest.stream.unwatch();
    // Bytes that nobody asked for would be taken for the next answer.
    if (newest.stream.has_read_ahead()) continue;
    if (newest.stream.is_open() && now - newest.since < kept_for_) return std::move(newest.stream);
  }
  return {};
}

// With a new name those go of which nothing is open any more: engines that ended, hives that left.
KeptConnections::Idles& KeptConnections::place_of(const std::string& name) {
  const auto found = kept_.find(name);
  if (found != kept_.end()) return found->second;
  std::erase_if(kept_, [](const auto& one) {
    return std::ranges::none_of(one.second, [](const Idle& idle) { return idle.stream.is_open(); });
  });
  return kept_[name];
}

void KeptConnections::keep(const std::string& name, Stream stream, Instant now) {
  if (!stream.is_open()) return;
  Idles& idle = place_of(name);
  if (idle.size() >= most_of_each_)
    std::erase_if(idle, [](const Idle& one) { return !one.stream.is_open(); });
  if (idle.size() >= most_of_each_) idle.pop_front();
  idle.push_back({std::move(stream), now});
  const auto at = std::prev(idle.end());
  // Closed, not erased: the callback runs within the stream that goes. take() passes it over.
  at->stream.watch([at] { at->stream.close(); }, Stream::Watch::reads_ahead);
}

EngineConnections::EngineConnections(std::vector<Loop*> loops) : loops_(std::move(loops)) {
  const std::size_t of_each_loop = std::max<std::size_t>(most_kept / loops_.size(), 1);
  for (std::size_t i = 0; i < loops_.size(); ++i)
    kept_.push_back(std::make_unique<KeptConnections>(of_each_loop, kept_for));
}

KeptConnections& EngineConnections::of(Loop& loop) {
  const auto at = std::ranges::find(loops_, &loop);
  return *kept_.at(static_cast<std::size_t>(at - loops_.begin()));
}

namespace {

Task<Result<ClientExchange>> begin_anew(Loop& loop, Endpoint to, ClientRequest request, Milliseconds within) {
  Task<Result<Stream>> connecting = Stream::connect(loop, to, within);
  Result<Stream> connected = co_await connecting;
  if (!connected) co_return connected.error();
  Task<Result<ClientExchange>> beginning =
      ClientExchange::begin_on(std::move(*connected), std::move(to), std::move(request), within);
  Result<ClientExchange> exchange = co_await beginning;
  co_return std::move(exchange);
}

}  // namespace

// No coroutine: on a kept connection there is nothing to wait for.
Task<Result<ClientExchange>> EngineConnections::begin(Loop& loop, const std::string& socket,
                                                      ClientRequest request, Milliseconds within,
                                                      bool& kept) {
  Stream stream;
  if (kept) stream = of(loop).take(socket, loop.clock().recent());
  Endpoint to{.unix_path = socket};
  kept = stream.is_open();
  return kept ? ClientExchange::begin_on(std::move(stream), std::move(to), std::move(request), within)
              : begin_anew(loop, std::move(to), std::move(request), within);
}

void EngineConnections::give_back(Loop& loop, const std::string& socket, ClientExchange& exchange) {
  if (exchange.framing().kind != Framing::length) return;
  std::optional<Stream> stream = exchange.give_back();
  if (stream) of(loop).keep(socket, std::move(*stream), loop.clock().recent());
}

void EngineConnections::close() {
  for (Loop* loop : loops_) {
    loop->post([self = shared_from_this(), at = &of(*loop)]() mutable {
      at->clear();
      self.reset();
    });
  }
}

}  // namespace rbee::net
