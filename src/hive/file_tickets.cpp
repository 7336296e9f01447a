#include "hive/file_tickets.h"

#include "base/text.h"
#include "net/tls.h"

#include <algorithm>

namespace rbee::hive {
namespace {

constexpr std::string_view prefix = "/files/";

Error no_ticket() {
  return Error{ErrorCode::not_allowed, "There is no such ticket for this key, or it is too old.",
               "Ask for the copy anew."};
}

}  // namespace

void FileTickets::issue(std::string secret, std::string for_key, std::vector<SharedFile> files, Instant now) {
  std::erase_if(tickets_, [&](const Ticket& ticket) { return ticket.until <= now; });
  if (tickets_.size() >= most) tickets_.pop_front();
  tickets_.push_back({std::move(secret), std::move(for_key), std::move(files), now + serves_for});
}

Result<SharedFile> FileTickets::find(std::string_view secret, std::string_view key, std::size_t file,
                                     Instant now) const {
  for (const Ticket& ticket : tickets_) {
    if (!net::equal_secrets(ticket.secret, secret)) continue;
    if (ticket.until <= now || !net::equal_secrets(ticket.for_key, key)) return no_ticket();
    if (file >= ticket.files.size())
      return Error{ErrorCode::unknown_name, cat("This ticket has no file ", file, "."), {}, {}};
    return ticket.files[file];
  }
  return no_ticket();
}

std::optional<FileTarget> file_target(std::string_view path) {
  if (!path.starts_with(prefix)) return std::nullopt;
  const std::vector<std::string_view> parts = split(path.substr(prefix.size()), '/');
  if (parts.size() != 2 || parts[0].empty()) return std::nullopt;
  const std::optional<std::size_t> file = parse_int<std::size_t>(parts[1]);
  if (!file) return std::nullopt;
  return FileTarget{std::string(parts[0]), *file};
}

Result<ByteRange> parse_range(std::string_view header, std::uint64_t file_bytes) {
  if (header.empty()) return ByteRange{0, file_bytes};
  const Error bad{
      ErrorCode::bad_request, cat("'", header, "' is no range of ", file_bytes, " bytes."), {}, {}};
  constexpr std::string_view unit = "bytes=";
  if (!header.starts_with(unit)) return bad;
  const std::string_view range = header.substr(unit.size());
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return bad;
  const auto first = parse_int<std::uint64_t>(range.substr(0, dash));
  const std::string_view end = range.substr(dash + 1);
  const auto last = end.empty() ? std::optional(file_bytes - 1) : parse_int<std::uint64_t>(end);
  if (!first || !last || *first >= file_bytes || *last < *first) return bad;
  return ByteRange{*first, std::min(*last, file_bytes - 1) - *first + 1};
}

}  // namespace rbee::hive
