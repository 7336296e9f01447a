#include "hive/device_yield.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::hive {
namespace {

std::uint64_t taken_bytes(const DeviceLook& seen) {
  const auto share =
      static_cast<std::uint64_t>(static_cast<double>(seen.memory_bytes) * DeviceYield::taken_share);
  return std::max(DeviceYield::least_taken_bytes, share);
}

// One step towards `most`, or back towards none.
void step(int& count, bool seen, int most) { count = std::clamp(count + (seen ? 1 : -1), 0, most); }

}  // namespace

std::optional<std::uint64_t> DeviceYield::others_bytes(const DeviceLook& seen) const {
  if (!seen.used_bytes) return std::nullopt;
  const std::uint64_t own =
      seen.own_bytes + static_cast<std::uint64_t>(seen.own_engines) * unlogged_bytes_per_engine;
  return *seen.used_bytes > own ? *seen.used_bytes - own : 0;
}

bool DeviceYield::settled(Instant now, const DeviceLook& seen) {
  const bool changed =
      seen.own_changes || seen.own_bytes != last_own_bytes_ || seen.own_engines != last_own_engines_;
  last_own_bytes_ = seen.own_bytes;
  last_own_engines_ = seen.own_engines;
  if (changed) unsettled_until_ = now + settles_within;
  return !unsettled_until_ || now >= *unsettled_until_;
}

void DeviceYield::look(Instant now, const DeviceLook& seen) {
  const bool sure = settled(now, seen);
  if (taken_ || overruled_) {
    look_for_return(now, seen);
  } else if (sure) {
    look_for_taking(now, seen);
  }
}

void DeviceYield::look_for_taking(Instant now, const DeviceLook& seen) {
  const std::optional<std::uint64_t> others = others_bytes(seen);
  if (others) step(memory_seen_, *others >= taken_bytes(seen), memory_looks);
  const bool own_silent = seen.own_engines == 0 || seen.own_idle >= own_load_fades_within;
  if (seen.load_percent && own_silent) step(load_seen_, *seen.load_percent >= taken_load_percent, load_looks);
  const bool by_memory = memory_seen_ >= memory_looks;
  if (!by_memory && load_seen_ < load_looks) return;
  taken_ = true;
  quiet_since_.reset();
  disturbed_ = 0;
  words_ = by_memory ? cat("another program holds ", bytes_text(*others), " of its memory")
                     : cat("another program keeps it busy (", fixed(*seen.load_percent, 0), " %)");
  static_cast<void>(now);
}

// While it is taken our engines leave: what they still hold is not counted, and what they do is not seen in
// the load once they have left.
void DeviceYield::look_for_return(Instant now, const DeviceLook& seen) {
  const std::optional<std::uint64_t> others = others_bytes(seen);
  if (!others && !seen.load_percent) return;  // nothing is known: it stays as it is
  const double limit = static_cast<double>(taken_bytes(seen)) * left_alone_share;
  const bool own_silent = seen.own_engines == 0 || seen.own_idle >= own_load_fades_within;
  const bool by_memory = others && static_cast<double>(*others) >= limit;
  const bool by_load = own_silent && seen.load_percent && *seen.load_percent >= taken_load_percent;
  const bool disturbed = by_memory || by_load;
  step(disturbed_, disturbed, looks_that_end_quiet);
  if (disturbed_ >= looks_that_end_quiet) quiet_since_.reset();
  if (disturbed) return;
  if (!quiet_since_ && disturbed_ < looks_that_end_quiet) quiet_since_ = now;
  if (!quiet_since_ || now - *quiet_since_ < back_after_) return;
  taken_ = false;
  overruled_ = false;
  words_.clear();
  memory_seen_ = 0;
  load_seen_ = 0;
}

void DeviceYield::overrule() {
  if (!taken_) return;
  taken_ = false;
  overruled_ = true;
  quiet_since_.reset();
  disturbed_ = 0;
  words_.clear();
}

}  // namespace rbee::hive
