// Connections that wait for their next request, by where they lead.
//
// KeptConnections are those of one loop, and touched on it only. EngineConnections are those to the engines
// of this machine, of all loops: for whoever asks an engine on its own unix socket, keeper or hive.
#pragma once

#include "net/client.h"
#include "net/loop.h"

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rbee::net {

class KeptConnections {
 public:
  // Of each name so many, for so long: one that was kept for longer is not given out any more.
  KeptConnections(std::size_t most_of_each, Milliseconds kept_for)
      : most_of_each_(most_of_each), kept_for_(kept_for) {}
  // The one that was kept last; not open: there is none.
  [[nodiscard]] Stream take(const std::string& name, Instant now);
  void keep(const std::string& name, Stream stream, Instant now);
  void forget(const std::string& name) { kept_.erase(name); }
  void clear() { kept_.clear(); }

 private:
  // A list keeps it in place, for the callback of its end.
  struct Idle {
    Stream stream;
    Instant since;
  };
  using Idles = std::list<Idle, RoomAllocator<Idle>>;
  [[nodiscard]] Idles& place_of(const std::string& name);

  std::size_t most_of_each_;
  Milliseconds kept_for_;
  std::map<std::string, Idles> kept_;
};

class EngineConnections : public std::enable_shared_from_this<EngineConnections> {
 public:
  // An engine closes after 5 s without a request, and after a hundred; it has a thread for each connection
  // (engine/launch.cpp). Of all loops together.
  static constexpr std::size_t most_kept = 64;
  static constexpr Milliseconds kept_for{3'000};

  // `loops`: all that will ever ask.
  explicit EngineConnections(std::vector<Loop*> loops);

  // Connects, or takes a kept connection where `kept` allows it and says afterwards whether it did, and
  // sends. A kept one may be at its end without anybody knowing yet: who gets no byte of an answer asks once
  // more, on a new one. Fails as ClientExchange::begin().
  Task<Result<ClientExchange>> begin(Loop& loop, const std::string& socket, ClientRequest request,
                                     Milliseconds within, bool& kept);
  // After an answer that came whole: behind a streamed one an engine closes, whatever its head says. On the
  // loop that began it.
  void give_back(Loop& loop, const std::string& socket, ClientExchange& exchange);
  // Closes them all, each on its loop.
  void close();

 private:
  [[nodiscard]] KeptConnections& of(Loop& loop);

  std::vector<Loop*> loops_;
  std::vector<std::unique_ptr<KeptConnections>> kept_;  // by loop
};

}  // namespace rbee::net
