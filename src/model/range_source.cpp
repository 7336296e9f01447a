#include "model/range_source.h"

#include "base/text.h"
#include "net/client.h"

#include <algorithm>

namespace rbee::model {
namespace {

constexpr Milliseconds answer_within{30'000};
constexpr std::string_view http_scheme = "http://";

struct Place {
  net::Endpoint host;
  std::string host_text;
  std::string target;
};

Result<Place> parse_place(const std::string& url) {
  if (!url.starts_with(http_scheme))
    return Error{ErrorCode::bad_usage, cat("'", url, "' is no http URL."), "Download it, and name the file."};
  const std::string_view rest = std::string_view(url).substr(http_scheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  Place place;
  place.host_text = rest.substr(0, slash);
  place.target = slash == rest.size() ? std::string("/") : std::string(rest.substr(slash));
  constexpr std::uint16_t http_port = 80;
  Result<net::Endpoint> host = net::parse_endpoint(place.host_text, http_port);
  if (!host) return host.error();
  place.host = std::move(*host);
  return place;
}

// Of "bytes 0-99/1000" the last number.
std::optional<std::uint64_t> size_in(const net::Headers& headers) {
  const std::optional<std::string_view> range = headers.find("Content-Range");
  if (!range || !range->starts_with("bytes ")) return std::nullopt;
  const std::size_t slash = range->rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return parse_int<std::uint64_t>(range->substr(slash + 1));
}

Error refusal(const std::string& url, int status) {
  const std::string message = cat("'", url, "' was answered with ", status, " instead of a range.");
  if (status == 404) return Error{ErrorCode::unknown_model, message, "Check the address."};
  if (status == 401 || status == 403)
    return Error{ErrorCode::not_allowed, message, "It may need a token (HF_TOKEN)."};
  return Error{ErrorCode::bad_model_file, message, "Download it, and name the file."};
}

Result<net::ClientResponse> fetch_range(net::Loop& loop, const Place& place, std::uint64_t offset,
                                        std::size_t size) {
  net::ClientRequest request{.target = place.target};
  request.headers.add("Range", cat("bytes=", offset, "-", offset + size - 1));
  // A server that ignores the range sends the whole file: its answer is cut off here.
  return loop.block_on(net::fetch(loop, place.host, std::move(request), answer_within, size));
}

}  // namespace

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

Result<std::unique_ptr<ByteSource>> open_http_source(net::Loop& loop, const std::string& url) {
  const Result<Place> place = parse_place(url);
  if (!place) return place.error();
  const Result<net::ClientResponse> first = fetch_range(loop, *place, 0, 1);
  if (!first) return first.error();
  constexpr int partial_content = 206;
  if (first->status != partial_content) return refusal(url, first->status);
  const std::optional<std::uint64_t> size = size_in(first->headers);
  if (!size) return Error{ErrorCode::bad_model_file, cat("'", url, "' does not say how long it is.")};
  FetchRange fetch = [&loop, place = *place, url](std::uint64_t offset,
                                                  std::size_t bytes) -> Result<std::string> {
    Result<net::ClientResponse> answer = fetch_range(loop, place, offset, bytes);
    if (!answer) return answer.error();
    if (answer->status != partial_content) return refusal(url, answer->status);
    return std::move(answer->body);
  };
  return std::unique_ptr<ByteSource>(std::make_unique<RangeSource>(url, *size, std::move(fetch)));
}

}  // namespace rbee::model
