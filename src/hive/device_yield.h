// DeviceYield: has another program taken this device? One look a second goes in, a word comes out. Pure.
//
// It is taken when others hold much of its memory, or when it is busy though no engine of ours works: for
// some seconds, so that a window that opens or a video that starts is not a game. What our own engines hold
// and do is known to the supervisor, and subtracted; while that changes nothing is concluded. It is free
// again when it was left alone for `back_after`.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <optional>
#include <string>

namespace rbee::hive {

// What one look at a device sees.
struct DeviceLook {
  std::uint64_t memory_bytes = 0;
  std::optional<std::uint64_t> used_bytes = {};  // by all programs; nothing where it has no memory of its own
  std::optional<double> load_percent = {};
  std::uint64_t own_bytes = 0;  // of our engines
  int own_engines = 0;          // processes
  bool own_changes = false;     // one of them starts or ends
  Milliseconds own_idle{0};     // since one of them last worked
};

class DeviceYield {
 public:
  // A desktop with a browser on a large screen holds some 2 GB; a game of these years 3 to 16.
  static constexpr std::uint64_t least_taken_bytes = (std::uint64_t{5} << 30) / 2;
  static constexpr double taken_share = 0.25;  // of the device's memory, where that is more
  // It counts as left alone only well below, so that it does not go to and fro at the limit.
  static constexpr double left_alone_share = 0.8;
  // Drivers keep so much beside what an engine's log tells of.
  static constexpr std::uint64_t unlogged_bytes_per_engine = std::uint64_t{512} << 20;
  // A video or a page that scrolls takes 5 to 40 %, a game 60 to 100.
  static constexpr double taken_load_percent = 50;
  // Looks in which it is seen, less those in which it is not.
  static constexpr int memory_looks = 3;
  static constexpr int load_looks = 5;
  // Drivers take and give memory late, and a load figure is a mean of up to a second.
  static constexpr Milliseconds settles_within{5'000};
  static constexpr Milliseconds own_load_fades_within{3'000};
  // One busy look in a quiet minute is a window that opens; two in a row are not.
  static constexpr int looks_that_end_quiet = 2;

  explicit DeviceYield(Milliseconds back_after = Milliseconds{60'000}) : back_after_(back_after) {}
  void set_back_after(Milliseconds back_after) { back_after_ = back_after; }

  void look(Instant now, const DeviceLook& seen);
  // The user takes it back in spite of it; it yields again only after it was left alone once.
  void overrule();
  [[nodiscard]] bool taken() const { return taken_; }
  // Of one that is taken: "another program holds 8.1 GB of its memory", as it was when it was taken.
  [[nodiscard]] const std::string& words() const { return words_; }

 private:
  [[nodiscard]] std::optional<std::uint64_t> others_bytes(const DeviceLook& seen) const;
  [[nodiscard]] bool settled(Instant now, const DeviceLook& seen);
  void look_for_taking(Instant now, const DeviceLook& seen);
  void look_for_return(Instant now, const DeviceLook& seen);

  Milliseconds back_after_;
  bool taken_ = false;
  bool overruled_ = false;
  std::string words_;
  int memory_seen_ = 0;
  int load_seen_ = 0;
  int disturbed_ = 0;
  std::optional<Instant> quiet_since_ = {};
  std::uint64_t last_own_bytes_ = 0;
  int last_own_engines_ = 0;
  std::optional<Instant> unsettled_until_ = {};
};

}  // namespace rbee::hive
