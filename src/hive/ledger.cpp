#include "hive/ledger.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::hive {
namespace {

// Less than this is noise between what a driver says at one time and at another.
constexpr std::uint64_t worth_naming_bytes = 64u << 20;

using Sums = std::map<std::string, std::uint64_t>;

// Two needs of one pool count together.
Sums sums_of(const std::vector<Need>& needs) {
  Sums sums;
  for (const Need& need : needs) sums[need.pool] += need.bytes;
  return sums;
}

}  // namespace

void Ledger::set_pool(std::string name, std::uint64_t bytes) {
  pools_.insert_or_assign(std::move(name), bytes);
}

bool Ledger::grow_pool(std::string_view name, std::uint64_t bytes) {
  const auto at = pools_.find(name);
  if (at == pools_.end() || at->second >= bytes) return false;
  at->second = bytes;
  return true;
}

Result<void> Ledger::reserve(const Asker& asker, const std::vector<Need>& needs) {
  if (held_.find(asker.id) != held_.end()) {
    return Error{ErrorCode::internal, cat("Memory for '", asker.id, "' is reserved already.")};
  }
  const Sums sums = sums_of(needs);
  for (const auto& [pool, bytes] : sums) {
    if (pools_.find(pool) == pools_.end()) {
      return Error{ErrorCode::internal, cat("There is no memory pool '", pool, "'.")};
    }
    const std::uint64_t left = free(pool);
    if (bytes <= left) continue;
    const bool beside_device = pool == ram_pool && sums.size() > 1;
    std::string message = cat("'", asker.model, "' needs ", bytes_text(bytes),
                              beside_device ? " of main memory beside the device's" : "", "; '", asker.worker,
                              "' has ", bytes_text(left), " free");
    if (const std::uint64_t others = unreserved(pool) - left; others > worth_naming_bytes)
      message += cat(", and ", bytes_text(others), " that other programs hold now");
    return Error{ErrorCode::does_not_fit, cat(message, "."),
                 cat("`rbee model fit ", asker.model,
                     "` says what would fit: a smaller quantization, a smaller "
                     "model, a shorter --context, a machine with more memory; or stop what "
                     "holds the memory.")};
  }
  Held held;
  for (const auto& [pool, bytes] : sums) held.needs.push_back({pool, bytes});
  held_.emplace(asker.id, std::move(held));
  return {};
}

void Ledger::see_free(std::string pool, std::uint64_t bytes) {
  seen_.insert_or_assign(std::move(pool), bytes);
}

bool Ledger::fits_but_for_seen(const std::vector<Need>& needs) const {
  const Sums sums = sums_of(needs);
  return std::all_of(sums.begin(), sums.end(),
                     [&](const auto& sum) { return sum.second <= unreserved(sum.first); });
}

void Ledger::correct(std::string_view id, const std::vector<Need>& measured) {
  const auto at = held_.find(id);
  if (at == held_.end()) return;
  at->second = Held{measured, true};
}

void Ledger::release(std::string_view id) {
  const auto at = held_.find(id);
  if (at != held_.end()) held_.erase(at);
}

std::uint64_t Ledger::size(std::string_view pool) const {
  const auto at = pools_.find(pool);
  return at == pools_.end() ? 0 : at->second;
}

std::uint64_t Ledger::reserved(std::string_view pool, bool pending_only) const {
  std::uint64_t sum = 0;
  for (const auto& [id, held] : held_) {
    if (pending_only && held.taken) continue;
    for (const Need& need : held.needs) sum += need.pool == pool ? need.bytes : 0;
  }
  return sum;
}

std::uint64_t Ledger::unreserved(std::string_view pool) const {
  const std::uint64_t all = size(pool);
  return all - std::min(all, reserved(pool, false));
}

std::uint64_t Ledger::free(std::string_view pool) const {
  const std::uint64_t left = unreserved(pool);
  const auto seen = seen_.find(pool);
  if (seen == seen_.end()) return left;
  const std::uint64_t pending = reserved(pool, true);
  return std::min(left, seen->second - std::min(seen->second, pending));
}

std::uint64_t Ledger::held(std::string_view id, std::string_view pool) const {
  const auto at = held_.find(id);
  std::uint64_t bytes = 0;
  if (at == held_.end()) return bytes;
  for (const Need& need : at->second.needs) {
    if (need.pool == pool) bytes += need.bytes;
  }
  return bytes;
}

std::uint64_t Ledger::held(std::string_view id) const {
  const auto at = held_.find(id);
  std::uint64_t sum = 0;
  if (at == held_.end()) return sum;
  for (const Need& need : at->second.needs) sum += need.bytes;
  return sum;
}

}  // namespace rbee::hive
