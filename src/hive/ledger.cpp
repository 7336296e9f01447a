#include "hive/ledger.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::hive {

void Ledger::set_pool(std::string name, std::uint64_t bytes) {
  pools_.insert_or_assign(std::move(name), bytes);
}

Result<void> Ledger::reserve(const Asker& asker, const std::vector<Need>& needs) {
  if (held_.find(asker.id) != held_.end()) {
    return Error{ErrorCode::internal, cat("Memory for '", asker.id, "' is reserved already.")};
  }
  std::map<std::string, std::uint64_t> sums;  // two needs of one pool count together
  for (const Need& need : needs) sums[need.pool] += need.bytes;
  for (const auto& [pool, bytes] : sums) {
    if (pools_.find(pool) == pools_.end()) {
      return Error{ErrorCode::internal, cat("There is no memory pool '", pool, "'.")};
    }
    const std::uint64_t left = free(pool);
    if (bytes <= left) continue;
    const bool beside_device = pool == ram_pool && sums.size() > 1;
    return Error{ErrorCode::does_not_fit, cat("'", asker.model, "' needs ", bytes_text(bytes),
                                              beside_device ? " of main memory beside the device's" : "",
                                              "; '", asker.worker, "' has ", bytes_text(left), " free.")};
  }
  std::vector<Need> held;
  for (const auto& [pool, bytes] : sums) held.push_back({pool, bytes});
  held_.emplace(asker.id, std::move(held));
  return {};
}

void Ledger::correct(std::string_view id, const std::vector<Need>& measured) {
  const auto at = held_.find(id);
  if (at == held_.end()) return;
  at->second = measured;
}

void Ledger::release(std::string_view id) {
  const auto at = held_.find(id);
  if (at != held_.end()) held_.erase(at);
}

std::uint64_t Ledger::size(std::string_view pool) const {
  const auto at = pools_.find(pool);
  return at == pools_.end() ? 0 : at->second;
}

std::uint64_t Ledger::reserved(std::string_view pool) const {
  std::uint64_t sum = 0;
  for (const auto& [id, needs] : held_) {
    for (const Need& need : needs) sum += need.pool == pool ? need.bytes : 0;
  }
  return sum;
}

std::uint64_t Ledger::free(std::string_view pool) const {
  const std::uint64_t all = size(pool);
  return all - std::min(all, reserved(pool));
}

std::uint64_t Ledger::held(std::string_view id) const {
  const auto at = held_.find(id);
  std::uint64_t sum = 0;
  if (at == held_.end()) return sum;
  for (const Need& need : at->second) sum += need.bytes;
  return sum;
}

}  // namespace rbee::hive
