// Ledger: who has been promised how much of which memory pool, so that two loads are never promised the same
// bytes.
//
// A pool is memory that cannot be used twice: a card's VRAM, a machine's RAM. A software device, a device
// with unified memory, the CPU worker and every engine's host buffers all draw on the RAM pool. Pure: no I/O.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::hive {

inline constexpr std::string_view ram_pool = "ram";

struct Need {
  std::string pool;
  std::uint64_t bytes = 0;
};

class Ledger {
 public:
  // A pool of that name, or its new size: a promise already given stays, also where it is now too large.
  void set_pool(std::string name, std::uint64_t bytes);
  // So many are there: a pool that was sized while another program had a part of it follows. Whether it grew;
  // one that is not there stays away.
  bool grow_pool(std::string_view name, std::uint64_t bytes);

  struct Asker {
    std::string_view id;     // under which the memory is held
    std::string_view model;  // for the refusal's sentence
    std::string_view worker;
  };
  // What the device, or the machine, says now that is free of a pool, whoever took the rest. Holds for the
  // reservations that follow, until forget_seen(): what was seen grows old at once.
  void see_free(std::string pool, std::uint64_t bytes);
  void forget_seen() { seen_.clear(); }

  // All of the needs, or nothing. Fails with does_not_fit and the numbers; with internal for an id that holds
  // memory already or a pool that there is not.
  [[nodiscard]] Result<void> reserve(const Asker& asker, const std::vector<Need>& needs);
  // What it really took, by the engine's own log. More than was free is booked as well, because it is taken:
  // the pool then has nothing free.
  void correct(std::string_view id, const std::vector<Need>& measured);
  void release(std::string_view id);

  // The least of what is not reserved and what was seen to be free, less what is reserved and not yet taken.
  [[nodiscard]] std::uint64_t free(std::string_view pool) const;
  // Whether these would fit but for what was seen: another program holds it, or a device has not given it
  // back yet.
  [[nodiscard]] bool fits_but_for_seen(const std::vector<Need>& needs) const;
  [[nodiscard]] std::uint64_t size(std::string_view pool) const;
  // Of all pools.
  [[nodiscard]] std::uint64_t held(std::string_view id) const;
  [[nodiscard]] std::uint64_t held(std::string_view id, std::string_view pool) const;

 private:
  [[nodiscard]] std::uint64_t reserved(std::string_view pool, bool pending_only) const;
  std::map<std::string, std::uint64_t, std::less<>> pools_;
  struct Held {
    std::vector<Need> needs;
    bool taken = false;  // by now, so that the device counts it too
  };
  // Of a pool, not reserved, whatever the device says.
  [[nodiscard]] std::uint64_t unreserved(std::string_view pool) const;
  std::map<std::string, Held, std::less<>> held_;
  std::map<std::string, std::uint64_t, std::less<>> seen_;
};

}  // namespace rbee::hive
