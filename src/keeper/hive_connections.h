// HiveConnections: the keeper's ways to its hives, and the connections that are open on them.
//
// The hive of the same home is asked on its unix socket, another one over TLS with its pinned key.
// One that cannot be reached lends connections that it has dialled (lend()); a request that finds none waits
// a little for the next. Connections are kept for a while; one request has one at a time. Safe from every
// thread; the tasks run on the loop that they are given.
#pragma once

#include "base/brief_mutex.h"
#include "base/clock.h"
#include "net/client.h"
#include "net/loop.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rbee::keeper {

struct HiveWay {
  bool is_known = true;
  net::Endpoint endpoint = {};
  net::Secure secure = {};  // of a unix socket: none
  bool lent = false;        // it dials: only over what it has lent can it be asked
  // Of every connection to it; made by set() where there is none.
  std::shared_ptr<net::SignOfLife> life = {};

  [[nodiscard]] std::string text() const;
};

// What stands for the address of a hive that dials.
inline constexpr std::string_view dials_in = "(dials in)";

// What HiveConnections calls the hive of the same home, whose own name only its report tells.
inline constexpr std::string_view own_hive;

class HiveConnections : public std::enable_shared_from_this<HiveConnections> {
 public:
  // Of one hive and loop: as many as engines of many slots are asked for at once. Beyond, each request has a
  // handshake, which costs both ends four times what the request does.
  static constexpr std::size_t most_kept = 64;
  // A hive keeps its end open for 75 s (ServerOptions): ours ends first, so no request meets a closed one.
  static constexpr Milliseconds kept_for{60'000};

  // A hive that lends keeps spare ones and dials the next when one is taken: a round trip or two.
  static constexpr Milliseconds lent_within{5'000};
  // What a hive has not acknowledged for so long will not arrive: its address is another one by now.
  static constexpr Milliseconds lost_after{5'000};

  // `loops`: all that will ever ask; lent connections lie ready on the first.
  explicit HiveConnections(std::vector<net::Loop*> loops);
  ~HiveConnections();

  void set(const std::string& hive, HiveWay way);
  // Its idle connections are closed.
  void remove(const std::string& hive);
  [[nodiscard]] HiveWay way(const std::string& hive) const;
  // On this machine and of this home: its engines' sockets are at hand.
  [[nodiscard]] bool is_own(const std::string& hive) const;

  // Connects or takes a kept connection, and sends. Fails with unknown_name, unreachable, wrong_key or
  // timed_out.
  static net::Task<Result<net::ClientExchange>> begin(std::shared_ptr<HiveConnections> self, net::Loop& loop,
                                                      std::string hive, net::ClientRequest request,
                                                      Milliseconds within);
  // As begin(), and waits for the answer's head. Fails as read_head too.
  static net::Task<Result<net::ClientExchange>> ask(std::shared_ptr<HiveConnections> self, net::Loop& loop,
                                                    std::string hive, net::ClientRequest request,
                                                    Milliseconds begun_within, Milliseconds head_within);
  // Keeps the connection of an answer that was read to its end, where the other end keeps it too. On the
  // loop that began it.
  void give_back(net::Loop& loop, const std::string& hive, net::ClientExchange& exchange);
  // The whole exchange, its answer up to 16 MiB; `within` bounds all of it.
  static net::Task<Result<net::ClientResponse>> fetch(std::shared_ptr<HiveConnections> self, net::Loop& loop,
                                                      std::string hive, net::ClientRequest request,
                                                      Milliseconds within);
  // A connection that the hive dialled and that its key has proved. On the loop of the stream.
  void lend(const std::string& hive, net::Stream stream);
  // What waits for an answer of a hive for long: given up by give_up() when it is silent. On its loop only.
  class Flight {
   public:
    Flight(std::shared_ptr<HiveConnections> self, net::Loop& loop, std::string hive,
           net::ClientExchange& exchange);
    ~Flight();
    Flight(const Flight&) = delete;
    Flight& operator=(const Flight&) = delete;

   private:
    std::shared_ptr<HiveConnections> self_;
    net::Loop& loop_;
    std::string hive_;
    net::ClientExchange& exchange_;
  };
  // Of an exchange with an engine of that hive; none where it is the own one, which is asked without it.
  [[nodiscard]] static std::unique_ptr<Flight> flight_to(const std::shared_ptr<HiveConnections>& self,
                                                         net::Loop& loop, const std::string& hive,
                                                         net::ClientExchange& exchange);
  // Closes the flights of that hive that were silent for so long.
  void give_up(const std::string& hive, Milliseconds silent);
  // Called when a connection is refused, on any thread; set before anything is asked.
  std::function<void(const std::string& hive)> on_refused = [](const std::string&) {};

  // Closes what is idle, on every loop; what is asked after it fails.
  void stop();

 private:
  struct Pool;  // of one loop, touched on it only
  struct Lent;  // of the first loop, touched on it only
  static net::Task<Result<net::Stream>> open(std::shared_ptr<HiveConnections> self, net::Loop& loop,
                                             std::string hive, HiveWay way, Milliseconds within);
  static net::Task<Result<net::ClientExchange>> begin_anew(std::shared_ptr<HiveConnections> self,
                                                           net::Loop& loop, std::string hive, HiveWay way,
                                                           net::ClientRequest request, Milliseconds within);
  static net::Task<Result<net::Stream>> borrow(std::shared_ptr<HiveConnections> self, net::Loop& loop,
                                               std::string hive, Milliseconds within);
  [[nodiscard]] Pool& pool_of(net::Loop& loop);
  void on_each_pool(std::function<void(Pool&)> change);

  std::vector<net::Loop*> loops_;
  std::vector<std::unique_ptr<Pool>> pools_;  // by loop
  std::shared_ptr<Lent> lent_;
  mutable BriefMutex mutex_;
  std::map<std::string, HiveWay> ways_;
};

// What a hive's refusal says.
[[nodiscard]] Error error_of_hive(std::string_view body);

}  // namespace rbee::keeper
