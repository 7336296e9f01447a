#include "model/part_file.h"

#include "base/file.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>

namespace rbee::model {
namespace {

// Some spans of 40 characters: four connections never leave more than a few dozen.
constexpr std::size_t largest_journal_bytes = 1u << 20;
// A kill loses no more than what came since; each save makes the disk write out what it has.
constexpr Milliseconds between_saves{500};
constexpr Milliseconds between_looks{100};
// Stays in a processor's second cache between being read and being hashed.
constexpr std::size_t hash_piece_bytes = 256u << 10;

}  // namespace

Json to_json(const PartState& state) {
  Json missing = Json::array();
  for (const Span& span : state.missing) missing.push_back(Json::array({span.from, span.to}));
  return {{"url", state.url},
          {"bytes", state.bytes},
          {"etag", state.etag},
          {"missing", std::move(missing)},
          {"sha256", state.sha256}};
}

std::optional<PartState> part_state_from_json(const Json& json) {
  const std::optional<std::string> url = get_string(json, "url");
  const std::optional<std::int64_t> bytes = get_int(json, "bytes");
  if (!url || !bytes || *bytes <= 0 || !json.contains("missing")) return std::nullopt;
  PartState state{.url = *url,
                  .bytes = static_cast<std::uint64_t>(*bytes),
                  .etag = text_of(json, "etag"),
                  .missing = {},
                  .sha256 = text_of(json, "sha256")};
  if (!state.sha256.empty() && !is_sha256(state.sha256)) return std::nullopt;
  std::uint64_t before = 0;
  for (const Json& span : get_array(json, "missing")) {
    if (!span.is_array() || span.size() != 2 || !span[0].is_number_unsigned() ||
        !span[1].is_number_unsigned())
      return std::nullopt;
    const Span one{span[0].get<std::uint64_t>(), span[1].get<std::uint64_t>()};
    if (one.from >= one.to || one.from < before || one.to > state.bytes) return std::nullopt;
    before = one.to;
    state.missing.push_back(one);
  }
  return state;
}

std::optional<PartState> PartFile::read_journal(const Paths& paths) {
  const Result<std::string> text = read_file(paths.journal, largest_journal_bytes);
  if (!text) return std::nullopt;
  const Result<Json> json = parse_json(*text);
  if (!json) return std::nullopt;
  return part_state_from_json(*json);
}

bool PartFile::has_data_of(const PartState& state, const Paths& paths) {
  // Up to the last byte that came: what is missing at the end may be several ranges.
  std::uint64_t needed = state.bytes;
  for (auto span = state.missing.rbegin(); span != state.missing.rend() && span->to == needed; ++span)
    needed = span->from;
  std::error_code failure;
  const std::uintmax_t there = std::filesystem::file_size(paths.data, failure);
  return !failure && there >= needed;
}

Result<std::unique_ptr<PartFile>> PartFile::open(Paths paths, const Clock& clock) {
  const int file = ::open(paths.data.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return io_error(cat("'", paths.data.string(), "' cannot be opened"), errno);
  return std::unique_ptr<PartFile>(new PartFile(std::move(paths), clock, file));
}

PartFile::PartFile(Paths paths, const Clock& clock, int file)
    : paths_(std::move(paths)),
      clock_(clock),
      file_(file),
      piece_(hash_piece_bytes),
      hashing_([this] { keep_hashing(); }),
      journal_([this] { keep_journal(); }) {}

PartFile::~PartFile() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  news_.notify_all();
  hashing_.join();
  journal_.join();
  ::close(file_);
}

Result<void> PartFile::write(std::uint64_t at, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error(cat("'", paths_.data.string(), "' cannot be written"), errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    at += static_cast<std::uint64_t>(written);
  }
  return {};
}

void PartFile::note(PartState state, std::uint64_t front) {
  bool more_to_hash = false;
  {
    const std::lock_guard lock(mutex_);
    more_to_hash = front > front_;
    front_ = front;
    // Of a file of which nothing has come there is nothing to keep.
    std::uint64_t left = 0;
    for (const Span& span : state.missing) left += span.to - span.from;
    unsaved_ = left < state.bytes;
    state_ = std::move(state);
  }
  if (more_to_hash) news_.notify_all();
}

Result<void> PartFile::restart() {
  const std::scoped_lock lock(journal_mutex_, mutex_);
  ++generation_;
  hashed_ = 0;
  front_ = 0;
  state_ = PartState{};
  unsaved_ = false;
  std::error_code ignored;
  std::filesystem::remove(paths_.journal, ignored);
  if (::ftruncate(file_, 0) != 0)
    return io_error(cat("'", paths_.data.string(), "' cannot be emptied"), errno);
  return {};
}

std::uint64_t PartFile::hashed_bytes() const {
  const std::lock_guard lock(mutex_);
  return hashed_;
}

Result<std::string> PartFile::finish(std::uint64_t bytes, const std::function<bool()>& keep_on) {
  std::unique_lock lock(mutex_);
  finish_at_ = bytes;
  front_ = bytes;
  news_.notify_all();
  while (!whole_is_kept_ && !failure_) {
    news_.wait_for(lock, between_looks);
    if (!keep_on()) return Error{ErrorCode::cancelled, "The download was cancelled.", {}, {}};
  }
  if (failure_) return *failure_;
  return sha256_;
}

// One piece. The lock is let go while it reads and hashes.
void PartFile::hash_some(std::unique_lock<std::mutex>& lock) {
  if (hashed_ == 0) hash_ = Sha256();
  const std::uint64_t at = hashed_;
  const std::uint64_t generation = generation_;
  const std::size_t size = std::min<std::uint64_t>(front_ - at, piece_.size());
  lock.unlock();
  const ssize_t got = ::pread(file_, piece_.data(), size, static_cast<off_t>(at));
  const int failure = errno;
  if (got > 0) hash_.add({piece_.data(), static_cast<std::size_t>(got)});
  lock.lock();
  if (generation != generation_) return;
  if (got <= 0) {
    failure_ = got < 0
                   ? io_error(cat("'", paths_.data.string(), "' cannot be read"), failure)
                   : Error{ErrorCode::io_failed, cat("'", paths_.data.string(), "' was cut by somebody.")};
    return;
  }
  hashed_ = at + static_cast<std::uint64_t>(got);
}

void PartFile::save(std::unique_lock<std::mutex>& lock) {
  const PartState state = state_;
  const std::uint64_t generation = generation_;
  unsaved_ = false;
  lock.unlock();
  const bool synced = ::fdatasync(file_) == 0;
  const int failure = errno;
  // Held so that no restart comes between; the network's thread never waits for it.
  const std::lock_guard journal(journal_mutex_);
  lock.lock();
  if (generation != generation_ || state.bytes == 0) return;
  lock.unlock();
  const Result<void> written =
      synced ? write_file(paths_.journal, dump_json(to_json(state)))
             : Result<void>(io_error(cat("'", paths_.data.string(), "' cannot be synced"), failure));
  lock.lock();
  if (!written && !failure_) failure_ = written.error();
}

void PartFile::keep_hashing() {
  std::unique_lock lock(mutex_);
  while (!ending_ && !failure_) {
    if (hashed_ < front_) {
      hash_some(lock);
    } else if (finish_at_ && hashed_ == *finish_at_ && sha256_.empty()) {
      sha256_ = hashed_ == 0 ? Sha256().finish() : hash_.finish();
      state_.missing.clear();
      state_.bytes = *finish_at_;
      state_.sha256 = sha256_;
      unsaved_ = true;
      news_.notify_all();
    } else {
      news_.wait(lock);
    }
  }
  news_.notify_all();
}

void PartFile::keep_journal() {
  std::unique_lock lock(mutex_);
  Instant saved = clock_.now() - between_saves;
  while (!ending_ && !failure_) {
    const bool is_whole = !sha256_.empty() && !whole_is_kept_;
    if (unsaved_ && (is_whole || clock_.now() - saved >= between_saves)) {
      save(lock);
      whole_is_kept_ = is_whole && !failure_;
      saved = clock_.now();
      news_.notify_all();
    } else {
      news_.wait_for(lock, between_looks);
    }
  }
  if (unsaved_) save(lock);
}

}  // namespace rbee::model
