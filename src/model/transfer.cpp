#include "model/transfer.h"

#include "base/text.h"

#include <algorithm>
#include <limits>

namespace rbee::model {
namespace {

// The end of a part while the size is not known.
constexpr std::uint64_t unknown_end = std::numeric_limits<std::uint64_t>::max();

}  // namespace

bool parse_content_range(std::string_view text, AnswerHead& head) {
  constexpr std::string_view unit = "bytes ";
  if (!text.starts_with(unit)) return false;
  text = trim(text.substr(unit.size()));
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  if (text.substr(slash + 1) != "*") {
    head.range_total = parse_int<std::uint64_t>(text.substr(slash + 1));
    if (!head.range_total) return false;
  }
  const std::string_view range = text.substr(0, slash);
  if (range == "*") return true;  // of a 416: the size alone
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return false;
  const auto first = parse_int<std::uint64_t>(range.substr(0, dash));
  const auto last = parse_int<std::uint64_t>(range.substr(dash + 1));
  if (!first || !last || *last < *first || *last == unknown_end) return false;
  if (head.range_total && *last >= *head.range_total) return false;
  head.range = Span{*first, *last + 1};
  return true;
}

Transfer::Transfer(Start start, const TransferLimits& limits)
    : limits_(limits),
      what_(std::move(start.what)),
      bytes_(start.bytes),
      etag_(std::move(start.etag)),
      pinned_(start.pinned),
      allowed_(limits.connections) {
  begin(bytes_ ? std::move(start.missing) : std::nullopt);
}

void Transfer::begin(std::optional<std::vector<Span>> missing) {
  parts_.clear();
  if (missing) {
    for (const Span& span : *missing) {
      if (span.from < span.to) parts_.push_back(Part{.at = span.from, .to = std::min(span.to, *bytes_)});
    }
  } else {
    parts_.push_back(Part{.at = 0, .to = bytes_.value_or(unknown_end)});
  }
  if (bytes_) std::erase_if(parts_, [](const Part& part) { return part.at >= part.to; });
  std::ranges::sort(parts_, {}, &Part::at);
  if (parts_.empty()) state_ = TransferState::complete;
}

Transfer::Part* Transfer::part_of(int connection) {
  const auto part = std::ranges::find(parts_, connection, &Part::connection);
  return part == parts_.end() ? nullptr : &*part;
}
const Transfer::Part* Transfer::part_of(int connection) const {
  const auto part = std::ranges::find(parts_, connection, &Part::connection);
  return part == parts_.end() ? nullptr : &*part;
}

int Transfer::open_connections() const {
  return static_cast<int>(
      std::ranges::count_if(parts_, [](const Part& part) { return part.connection >= 0; }));
}

// Halves the largest part, so that a free connection has something to do. False where none is worth it, or
// where it is not known yet whether the server answers with ranges at all.
bool Transfer::cut_largest() {
  if (!bytes_ || !ranges_) return false;
  const auto left = [](const Part& part) { return part.to - part.at; };
  const auto largest = std::ranges::max_element(parts_, {}, left);
  if (largest == parts_.end() || left(*largest) < 2 * limits_.smallest_cut) return false;
  if (largest->connection >= 0 && !largest->answered) return false;
  split(static_cast<std::size_t>(largest - parts_.begin()), left(*largest) / 2);
  return true;
}

// Its first `size` bytes stay; the rest is a part that nobody fetches yet.
void Transfer::split(std::size_t index, std::uint64_t size) {
  Part& first = parts_[index];
  const Part rest{.at = first.at + size, .to = first.to};
  first.to = rest.at;
  parts_.insert(parts_.begin() + static_cast<std::ptrdiff_t>(index) + 1, rest);
}

// Of what one connection asks for at once. Ranges become smaller towards the end, where all are to end
// together.
std::uint64_t Transfer::range_size(const Part& part) const {
  const std::uint64_t left = part.to - part.at;
  const std::uint64_t share = left / static_cast<std::uint64_t>(limits_.connections);
  const std::uint64_t size = std::clamp(share, limits_.smallest_cut, limits_.largest_range);
  return left < size + limits_.smallest_cut ? left : size;
}

// The first that nobody fetches: the front, which is hashed as it grows, moves soonest that way.
Transfer::Part* Transfer::next_part() {
  const auto idle = [](const Part& part) { return part.connection < 0; };
  auto part = std::ranges::find_if(parts_, idle);
  if (part == parts_.end() && cut_largest()) part = std::ranges::find_if(parts_, idle);
  if (part == parts_.end()) return nullptr;
  const std::ptrdiff_t index = part - parts_.begin();
  if (bytes_ && ranges_) {
    const std::uint64_t size = range_size(*part);
    if (size < part->to - part->at) split(static_cast<std::size_t>(index), size);
  }
  return &parts_[static_cast<std::size_t>(index)];
}

std::vector<TransferAction> Transfer::take_actions(Instant now) {
  std::vector<TransferAction> actions = std::exchange(pending_, {});
  if (state_ != TransferState::running) return actions;
  if (retry_at_ && *retry_at_ > now) return actions;
  retry_at_.reset();
  // A size that the hub told lets all begin at once; else the first answer must tell it.
  const bool all_at_once = bytes_.has_value() && ranges_;
  const int wanted = all_at_once ? allowed_ : 1;
  while (open_connections() < wanted) {
    Part* part = next_part();
    if (part == nullptr) break;
    part->connection = next_connection_++;
    part->answered = false;
    actions.push_back({TransferAction::Kind::open, part->connection, Span{part->at, part->to}, ranges_});
  }
  return actions;
}

void Transfer::release(int connection) {
  if (Part* part = part_of(connection)) {
    part->connection = -1;
    part->skip = 0;
  }
}

void Transfer::fail(Error error) {
  for (const Part& part : parts_) {
    if (part.connection >= 0) pending_.push_back({TransferAction::Kind::close, part.connection, {}});
  }
  for (Part& part : parts_) part.connection = -1;
  state_ = TransferState::failed;
  error_ = std::move(error);
}

bool Transfer::refuse(int connection, Error error) {
  release(connection);
  fail(std::move(error));
  return false;
}

void Transfer::retry_later(std::string_view why, Instant now, std::optional<std::uint64_t> asked_s) {
  // Connections that fail together are one failure.
  if (retry_at_ && *retry_at_ >= now && !asked_s) return;
  if (taken_since_failure_ >= limits_.progress_bytes) failures_ = 0;
  taken_since_failure_ = 0;
  ++failures_;
  trouble_ = why;
  if (failures_ >= limits_.most_failures) {
    return fail(Error{ErrorCode::source_unreachable,
                      cat("The download of ", what_, " failed ", failures_, " times in a row: ", why, "."),
                      "What has come is kept: the same command goes on where it stopped."});
  }
  // The first failure after progress is tried again at once: a connection that was cut is no news.
  Milliseconds wait = failures_ == 1 ? Milliseconds{0} : limits_.first_wait * (1 << (failures_ - 2));
  wait = std::min(wait, limits_.longest_wait);
  if (asked_s) {
    const auto asked = static_cast<std::uint64_t>(limits_.longest_asked_wait.count()) / 1000;
    wait = std::max(wait, Milliseconds{1000 * static_cast<std::int64_t>(std::min(*asked_s, asked))});
  }
  retry_at_ = std::max(retry_at_.value_or(now), now + wait);
}

bool Transfer::on_bad_status(int connection, const AnswerHead& head, Instant now) {
  const int status = head.status;
  if (status == 416 && head.range_total && bytes_ && *head.range_total != *bytes_)
    return changed(connection, cat("it has ", *head.range_total, " bytes now, not ", *bytes_));
  if (status == 401 || status == 403) {
    return refuse(connection,
                  Error{ErrorCode::not_allowed, cat("The server refuses ", what_, " (status ", status, ")."),
                        "A gated model needs HF_TOKEN in the hive's environment, and its licence accepted on "
                        "the hub's page."});
  }
  if (status == 404 || status == 410) {
    return refuse(connection, Error{ErrorCode::unknown_model, cat("The server has no ", what_, "."),
                                    "Check the name; `rbee model search TEXT` lists what there is."});
  }
  release(connection);
  if (status == 429 || status >= 500) {
    if (status == 429) allowed_ = std::max(1, allowed_ / 2);
  }
  retry_later(cat("the server answers with status ", status), now, head.retry_after_s);
  return false;
}

bool Transfer::changed(int connection, std::string_view how) {
  release(connection);
  if (pinned_) {
    fail(Error{ErrorCode::bad_model_file, cat(what_, " is not the file that was asked for: ", how, "."),
               "Ask again: the source may have been replaced just now."});
    return false;
  }
  if (++restarts_ > limits_.most_restarts) {
    fail(Error{ErrorCode::bad_model_file,
               cat(what_, " changed ", restarts_, " times while it was fetched: ", how, "."),
               "Try again when its server has settled."});
    return false;
  }
  for (const Part& part : parts_) {
    if (part.connection >= 0) pending_.push_back({TransferAction::Kind::close, part.connection, {}});
  }
  pending_.push_back({TransferAction::Kind::restart, 0, {}});
  bytes_.reset();
  etag_.clear();
  ranges_ = true;
  begin(std::nullopt);
  return false;
}

// `trouble`: why the file is not the one that was begun.
bool Transfer::settle_size(const AnswerHead& head, std::string& trouble) {
  const std::optional<std::uint64_t> total = head.status == 200 ? head.length : head.range_total;
  if (!total) return true;
  if (bytes_ && *bytes_ != *total) {
    trouble = cat("it has ", *total, " bytes now, not ", *bytes_);
    return false;
  }
  bytes_ = total;
  for (Part& part : parts_) part.to = std::min(part.to, *total);
  return true;
}

// The server sends the whole file, whatever was asked for: one connection, which brings what is there
// already once more.
void Transfer::go_on_without_ranges(int connection) {
  ranges_ = false;
  for (const Part& part : parts_) {
    if (part.connection >= 0 && part.connection != connection)
      pending_.push_back({TransferAction::Kind::close, part.connection, {}});
  }
  parts_ = {Part{.at = front(), .to = bytes_.value_or(unknown_end), .connection = connection}};
}

bool Transfer::on_head(int connection, const AnswerHead& head, Instant now) {
  Part* part = part_of(connection);
  if (part == nullptr || state_ != TransferState::running) return false;
  if (head.status != 200 && head.status != 206) return on_bad_status(connection, head, now);
  if (lower(head.content_type).starts_with("text/html")) {
    return refuse(connection,
                  Error{ErrorCode::bad_model_file, cat(what_, " is a web page, not a model file."),
                        "Use the link of the file itself (on the hub: /resolve/, not /blob/)."});
  }
  // An ETag that begins with W/ promises nothing about bytes.
  const std::string etag = head.etag.starts_with("W/") ? "" : head.etag;
  if (!pinned_ && !etag_.empty() && !etag.empty() && etag != etag_)
    return changed(connection, "its ETag is another one now");
  std::string trouble;
  const bool was_sized = bytes_.has_value();
  if (!settle_size(head, trouble)) return changed(connection, trouble);
  if (etag_.empty()) etag_ = etag;
  if (head.status == 206) {
    if (!ranges_ || !head.range || head.range->from != part->at) {
      release(connection);
      retry_later("the server sent another range than the one that was asked for", now, std::nullopt);
      return false;
    }
    // The first answer of a file whose size nobody knew: the others take what lies behind its first range.
    const bool is_sized_now = !was_sized && bytes_;
    if (const std::uint64_t size = range_size(*part); is_sized_now && size < part->to - part->at) {
      split(static_cast<std::size_t>(part - parts_.data()), size);
      part = part_of(connection);
    }
  } else {
    go_on_without_ranges(connection);
    part = part_of(connection);
    part->skip = part->at;
  }
  part->answered = true;
  return true;
}

Transfer::Place Transfer::take(int connection, std::uint64_t size) {
  Part* part = part_of(connection);
  if (part == nullptr) return Place{.last = true};
  Place place;
  place.skip = std::min(part->skip, size);
  part->skip -= place.skip;
  place.at = part->at;
  place.keep = std::min(size - place.skip, part->to - part->at);
  part->at += place.keep;
  taken_since_failure_ += place.keep;
  place.last = part->at >= part->to;
  if (place.last) {
    parts_.erase(parts_.begin() + (part - parts_.data()));
    if (parts_.empty()) state_ = TransferState::complete;
  }
  return place;
}

void Transfer::on_end(int connection, std::string_view failure, Instant now) {
  Part* part = part_of(connection);
  if (part == nullptr || state_ != TransferState::running) return;
  const bool open_ended = part->to == unknown_end;
  if (failure.empty() && open_ended && part->answered && part->at > 0) {
    // No length was ever told: the answer's clean end is the file's.
    bytes_ = part->at;
    parts_.clear();
    state_ = TransferState::complete;
    return;
  }
  release(connection);
  retry_later(failure.empty() ? std::string_view("the answer ended too soon") : failure, now, std::nullopt);
}

std::string_view Transfer::trouble() const {
  return failures_ > 0 && taken_since_failure_ == 0 ? std::string_view(trouble_) : std::string_view();
}

std::uint64_t Transfer::done_bytes() const {
  std::uint64_t left = 0;
  for (const Part& part : parts_) {
    if (part.to == unknown_end) return part.at;
    left += part.to - part.at;
  }
  return bytes_.value_or(0) - left;
}

std::uint64_t Transfer::front() const { return parts_.empty() ? bytes_.value_or(0) : parts_.front().at; }

std::vector<Span> Transfer::missing() const {
  std::vector<Span> spans;
  for (const Part& part : parts_) spans.push_back({part.at, part.to});
  return spans;
}

}  // namespace rbee::model
