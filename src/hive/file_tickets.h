// FileTickets: which files another hive may take, and which hive. Pure.
//
// A ticket is made at the keeper's word, for one key and the files of one model, and serves until it is old:
// so a copy that was cut goes on with it. What it names are the store's own files, never a path from outside.
#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::hive {

struct SharedFile {
  std::string path = {};  // on this machine
  std::string name = {};  // its last part
  std::uint64_t bytes = 0;
  std::string sha256 = {};  // empty where it is not known yet
};

class FileTickets {
 public:
  // The largest model over the slowest house network takes a night.
  static constexpr Milliseconds serves_for{24 * 3600 * 1000};
  // A system copies a few models at a time; the oldest gives way.
  static constexpr std::size_t most = 64;

  // `secret`: the ticket; nobody guesses it.
  void issue(std::string secret, std::string for_key, std::vector<SharedFile> files, Instant now);
  // Fails with not_allowed: no such ticket, an old one, or another key's; or unknown_name: no such file of
  // it.
  [[nodiscard]] Result<SharedFile> find(std::string_view secret, std::string_view key, std::size_t file,
                                        Instant now) const;

 private:
  struct Ticket {
    std::string secret;
    std::string for_key;
    std::vector<SharedFile> files;
    Instant until;
  };
  std::deque<Ticket> tickets_;
};

// "/files/TICKET/0"; nothing for another path.
struct FileTarget {
  std::string ticket;
  std::size_t file = 0;
};
[[nodiscard]] std::optional<FileTarget> file_target(std::string_view path);

// "bytes=100-" or "bytes=100-199" of a file of that size; all of it where nothing is asked. Fails with
// bad_request: several ranges, other units, or one that lies outside.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t size = 0;
};
[[nodiscard]] Result<ByteRange> parse_range(std::string_view header, std::uint64_t file_bytes);

}  // namespace rbee::hive
