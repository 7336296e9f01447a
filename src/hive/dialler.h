// Dialler: goes to this hive's keeper where the keeper does not come by itself: to ask to be let in, to say
// where this hive is now, and to lend connections over which only the keeper asks.
//
// It rests while the keeper follows this hive. Where nobody answers it tries again after 0.5 s, 1 s ... 30 s,
// each up to half longer by chance, so that the hives of a keeper that returns do not all come at once. On
// the hive's loop.
#pragma once

#include "base/log.h"
#include "base/random.h"
#include "domain/link_request.h"
#include "hive/trust.h"
#include "net/client.h"
#include "net/loop.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rbee::hive {

// What a hive asks for when it dials (SNI), so that it meets the keeper's own key whatever certificate
// clients are shown there (keeper/listening.h says the same).
inline constexpr const char* keepers_name_for_hives = "hives.rbee.internal";
// Where it asks.
inline constexpr const char* link_path = "/hive/link";

// The next of a row of waits.
class Backoff {
 public:
  static constexpr Milliseconds first{500};
  static constexpr Milliseconds longest{30'000};
  [[nodiscard]] Milliseconds next(Random& random);
  void reset() { wait_ = first; }

 private:
  Milliseconds wait_ = first;
};

class Dialler : public std::enable_shared_from_this<Dialler> {
 public:
  // Connections that lie ready for the keeper's next requests. Each that is taken is replaced at once.
  static constexpr int spare_connections = 4;
  // How often a hive asks that was not answered yet.
  static constexpr Milliseconds asks_every{2'000};
  // How often it looks whether the keeper still follows it.
  static constexpr Milliseconds looks_every{1'000};
  static constexpr Milliseconds dials_within{10'000};
  // A name server of the house answers in milliseconds; where none does, the addresses that are known are
  // tried.
  static constexpr Milliseconds looks_up_within{3'000};

  struct Inside {
    std::function<std::optional<KnownKeeper>()> keeper;  // none: there is nobody to go to
    std::function<bool()> is_followed;                   // the keeper reads this hive's events now
    std::function<LinkRequest()> introduction;
    // Serves what the keeper asks; `taken` is called once, when it asks first or the connection ends.
    std::function<void(net::Stream stream, std::string rest, std::function<void()> taken)> serve;
    std::function<void()> let_in;                       // it asked, and belongs to that keeper now
    std::function<void(const Error& why)> turned_away;  // it does not belong to it any more
  };

  [[nodiscard]] static std::shared_ptr<Dialler> start(net::Loop& loop, Random& random,
                                                      std::shared_ptr<Log> log,
                                                      std::shared_ptr<const net::TlsContext> tls,
                                                      Inside inside);
  // Something is different: another keeper, another address. It goes at once.
  void look_again();
  // The keeper follows this hive no longer: it is gone to within a second, if it does not come back before.
  void lost() { backoff_.reset(); }
  // Nothing of `inside` is called any more after this.
  void stop();

 private:
  enum class Outcome { lent, followed, asking, turned_away, nobody };
  Dialler(net::Loop& loop, Random& random, std::shared_ptr<Log> log,
          std::shared_ptr<const net::TlsContext> tls, Inside inside);
  static net::Task<void> run(std::shared_ptr<Dialler> self);
  net::Task<Milliseconds> turn(KnownKeeper keeper);
  static net::Task<void> lend_one(std::shared_ptr<Dialler> self, KnownKeeper keeper);
  net::Task<Outcome> dial(KnownKeeper keeper, bool spare);
  net::Task<Result<net::Stream>> connect(KnownKeeper keeper, bool spare);
  net::Task<void> look_up(std::string name);
  void serve(net::Stream stream, std::string rest);
  void tell_once(std::string what);

  net::Loop& loop_;
  Random& random_;
  std::shared_ptr<Log> log_;
  std::shared_ptr<const net::TlsContext> tls_;
  Inside inside_;
  net::Signal changed_;
  Backoff backoff_;
  bool stopped_ = false;
  bool lending_ = false;
  bool failed_ = false;                 // the last one that was to be lent was not
  int spare_ = 0;                       // lie ready
  int on_way_ = 0;                      // are being dialled
  std::string told_;                    // what was logged last
  std::vector<std::string> looked_up_;  // where the keeper's name led last
};

}  // namespace rbee::hive
