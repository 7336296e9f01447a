// Corrections: what engines really took of what was computed for them, by architecture and backend, so that
// the next plan of the same kind is right. Pure; the shell keeps the text in a file.
//
// Only ever upwards: a model that took less than its plan may be followed by one that does not.
#pragma once

#include "base/error.h"
#include "domain/backend.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace rbee::hive {

struct Correction {
  double device = 1;
  double host = 1;
};

class Corrections {
 public:
  // What a plan is multiplied with; 1 where nothing was seen yet.
  [[nodiscard]] Correction of(std::string_view architecture, Backend backend) const;

  struct Seen {
    std::uint64_t estimated = 0;  // 0: nothing was planned there
    std::uint64_t taken = 0;
  };
  // After a load. True where it changes what of() says.
  bool note(std::string_view architecture, Backend backend, const Seen& device, const Seen& host);

  [[nodiscard]] std::string text() const;
  // Fails with bad_json or bad_config; entries that cannot be understood are left out.
  [[nodiscard]] static Result<Corrections> parse(std::string_view text);

 private:
  std::map<std::string, Correction, std::less<>> by_kind_;  // "llama on Vulkan"
};

// What `bytes` were before they were corrected.
[[nodiscard]] std::uint64_t uncorrected(std::uint64_t bytes, double factor);

}  // namespace rbee::hive
