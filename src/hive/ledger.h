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

  struct Asker {
    std::string_view id;     // under which the memory is held
    std::string_view model;  // for the refusal's sentence
    std::string_view worker;
  };
  // All of the needs, or nothing. Fails with does_not_fit and the numbers; with internal for an id that holds
  // memory already or a pool that there is not.
  [[nodiscard]] Result<void> reserve(const Asker& asker, const std::vector<Need>& needs);
  // What it really took, by the engine's own log. More than was free is booked as well, because it is taken:
  // the pool then has nothing free.
  void correct(std::string_view id, const std::vector<Need>& measured);
  void release(std::string_view id);

  [[nodiscard]] std::uint64_t free(std::string_view pool) const;
  [[nodiscard]] std::uint64_t size(std::string_view pool) const;
  // Of all pools.
  [[nodiscard]] std::uint64_t held(std::string_view id) const;

 private:
  [[nodiscard]] std::uint64_t reserved(std::string_view pool) const;
  std::map<std::string, std::uint64_t, std::less<>> pools_;
  std::map<std::string, std::vector<Need>, std::less<>> held_;
};

}  // namespace rbee::hive
