// Transfer: one file on its way, in several ranges at once. Which connection fetches what, what an answer
// means, when to try again and when to give up.
//
// Pure: answers, bytes, ends and the time go in; actions come out by take_actions(). download.h has the
// shell around it. A byte is missing until take() has given it its place in the file, and missing() is all
// that must be kept to go on later.
#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::model {

struct Span {
  std::uint64_t from = 0;
  std::uint64_t to = 0;  // one past its last byte
  friend bool operator==(const Span&, const Span&) = default;
};

struct TransferLimits {
  int connections = 4;
  // A range smaller than this is not cut in two: a new connection costs about as much.
  std::uint64_t smallest_cut = 4u << 20;
  // Nor is a range larger than this asked for: the checksum follows the front, and what lies behind a range
  // that is not whole waits. At the usual rates a range lasts for seconds, so asking anew costs nothing.
  std::uint64_t largest_range = 256u << 20;
  // Failures in a row without this much between them; then it gives up. With the waits below, after 90 s.
  int most_failures = 10;
  std::uint64_t progress_bytes = 64u << 10;
  Milliseconds first_wait{500};
  Milliseconds longest_wait{30'000};
  // What a server may ask for by Retry-After.
  Milliseconds longest_asked_wait{300'000};
  // A file that changes while it is fetched is begun anew so often.
  int most_restarts = 2;
};

// What an answer's head says, as far as it matters here.
struct AnswerHead {
  int status = 0;
  std::string etag = {};
  std::string content_type = {};
  std::optional<std::uint64_t> length = {};       // Content-Length
  std::optional<Span> range = {};                 // Content-Range
  std::optional<std::uint64_t> range_total = {};  // what it says behind the '/'
  std::optional<std::uint64_t> retry_after_s = {};
};
// "bytes 0-99/1000"; false where it is malformed.
[[nodiscard]] bool parse_content_range(std::string_view text, AnswerHead& head);

struct TransferAction {
  enum class Kind {
    open,     // ask for `span` on this connection; its end is open where the size is not known
    close,    // its bytes are not wanted any more
    restart,  // the file is another one now: what was kept of it is worth nothing
  };
  Kind kind = Kind::open;
  int connection = 0;
  Span span = {};
  bool ranged = false;  // ask for that range; else for the whole file
};

enum class TransferState { running, complete, failed };

class Transfer {
 public:
  struct Start {
    std::string what = {};                          // for messages: the URL without its query
    std::optional<std::uint64_t> bytes = {};        // where the hub or an earlier try told
    std::string etag = {};                          // of an earlier try
    std::optional<std::vector<Span>> missing = {};  // of an earlier try
    bool pinned = false;                            // a checksum is known: another size is an error
  };
  explicit Transfer(Start start, const TransferLimits& limits = {});

  [[nodiscard]] std::vector<TransferAction> take_actions(Instant now);
  // Of an open connection: whether its bytes are to be read on.
  [[nodiscard]] bool on_head(int connection, const AnswerHead& head, Instant now);
  // `size` bytes came: at which place the first `keep` of them lie, after `skip` that are there already.
  struct Place {
    std::uint64_t at = 0;
    std::uint64_t skip = 0;
    std::uint64_t keep = 0;
    bool last = false;  // the connection has brought all that it should
  };
  [[nodiscard]] Place take(int connection, std::uint64_t size);
  // The answer ended, whole or not; `failure` in words where it did not.
  void on_end(int connection, std::string_view failure, Instant now);
  // What no retry mends: a full disk, a refused address.
  void fail(Error error);

  [[nodiscard]] TransferState state() const { return state_; }
  [[nodiscard]] const Error& error() const { return error_; }
  [[nodiscard]] std::optional<std::uint64_t> bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t done_bytes() const;
  // Everything before it is there.
  [[nodiscard]] std::uint64_t front() const;
  [[nodiscard]] std::vector<Span> missing() const;
  [[nodiscard]] const std::string& etag() const { return etag_; }
  [[nodiscard]] bool is_open(int connection) const { return part_of(connection) != nullptr; }
  // Why it is being tried again; empty where bytes have come since.
  [[nodiscard]] std::string_view trouble() const;
  // When take_actions() has something again by itself.
  [[nodiscard]] std::optional<Instant> wake_at() const { return retry_at_; }

 private:
  struct Part {
    std::uint64_t at = 0;
    std::uint64_t to = 0;
    int connection = -1;     // -1: nobody fetches it now
    std::uint64_t skip = 0;  // bytes to come that are there already
    bool answered = false;
  };
  [[nodiscard]] Part* part_of(int connection);
  [[nodiscard]] const Part* part_of(int connection) const;
  [[nodiscard]] int open_connections() const;
  [[nodiscard]] Part* next_part();
  [[nodiscard]] bool cut_largest();
  void split(std::size_t index, std::uint64_t size);
  [[nodiscard]] std::uint64_t range_size(const Part& part) const;
  void begin(std::optional<std::vector<Span>> missing);
  void release(int connection);
  void retry_later(std::string_view why, Instant now, std::optional<std::uint64_t> asked_s);
  bool refuse(int connection, Error error);
  bool on_bad_status(int connection, const AnswerHead& head, Instant now);
  bool changed(int connection, std::string_view how);
  [[nodiscard]] bool settle_size(const AnswerHead& head, std::string& trouble);
  void go_on_without_ranges(int connection);

  TransferLimits limits_;
  std::string what_;
  std::optional<std::uint64_t> bytes_;
  std::string etag_;
  bool pinned_;
  bool ranges_ = true;
  std::vector<Part> parts_;
  std::vector<TransferAction> pending_;
  int next_connection_ = 0;
  int failures_ = 0;
  std::string trouble_ = {};  // of the last of them
  int restarts_ = 0;
  int allowed_;  // connections: fewer where the server asked for patience
  std::uint64_t taken_since_failure_ = 0;
  std::optional<Instant> retry_at_;
  TransferState state_ = TransferState::running;
  Error error_;
};

}  // namespace rbee::model
