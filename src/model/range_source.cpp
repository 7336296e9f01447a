#include "model/range_source.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::model {
bool RangeSource::holds(std::uint64_t offset, std::size_t size) const {
  return offset >= window_begin_ && offset - window_begin_ <= window_.size() &&
         size <= window_.size() - static_cast<std::size_t>(offset - window_begin_);
}

Result<std::string> RangeSource::read(std::uint64_t offset, std::size_t size) const {
  if (offset > size_ || size > size_ - offset)
    return Error{ErrorCode::io_failed, cat("'", name_, "' has no byte ", offset + size - 1, ".")};
  while (!holds(offset, size)) {
    // Bytes that are there and still wanted are kept; from their end on it is read further.
    const bool goes_on = holds(offset, 0);
    if (goes_on) {
      window_.erase(0, static_cast<std::size_t>(offset - window_begin_));
    } else {
      window_.clear();
    }
    window_begin_ = offset;
    const std::uint64_t from = offset + window_.size();
    const std::uint64_t wanted = std::max<std::uint64_t>(size - window_.size(), next_range_bytes_);
    Result<std::string> more = fetch_(from, static_cast<std::size_t>(std::min(wanted, size_ - from)));
    if (!more) return more.error();
    if (more->empty())
      return Error{ErrorCode::io_failed, cat("'", name_, "' gave no bytes from ", from, ".")};
    next_range_bytes_ = std::min(2 * next_range_bytes_, largest_range_bytes);
    fetched_bytes_ += more->size();
    window_ += *more;
  }
  return window_.substr(static_cast<std::size_t>(offset - window_begin_), size);
}

Result<std::unique_ptr<ByteSource>> open_web_source(const std::string& url, const WebSettings& settings,
                                                    const KeepOn& keep_on) {
  const Result<FileRange> first = get_range(url, 0, 1, settings, keep_on);
  if (!first) return first.error();
  FetchRange fetch = [url, settings, keep_on, total = first->total, etag = first->etag](
                         std::uint64_t offset, std::size_t bytes) -> Result<std::string> {
    Result<FileRange> range = get_range(url, offset, bytes, settings, keep_on);
    if (!range) return range.error();
    if (range->total != total || range->etag != etag)
      return Error{ErrorCode::bad_model_file, cat("'", without_query(url), "' changed while it was read."),
                   "Ask again."};
    return std::move(range->bytes);
  };
  return std::unique_ptr<ByteSource>(
      std::make_unique<RangeSource>(without_query(url), first->total, std::move(fetch)));
}

}  // namespace rbee::model
