// TemplateChecks: of which engines the chat template goes on where a text ends (resume.h), asked once of each
// start of one. Safe from every thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace rbee::keeper {

class TemplateChecks {
 public:
  // Starts of engines in a keeper's life; beyond it all are forgotten, and asked again.
  static constexpr std::size_t most = 1000;

  [[nodiscard]] std::optional<bool> find(const std::string& engine, bool reasoning) const {
    const std::scoped_lock lock(mutex_);
    const auto at = known_.find({engine, reasoning});
    return at == known_.end() ? std::nullopt : std::optional<bool>(at->second);
  }
  void put(const std::string& engine, bool reasoning, bool goes_on) {
    const std::scoped_lock lock(mutex_);
    if (known_.size() >= most) known_.clear();
    known_[{engine, reasoning}] = goes_on;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, bool>, bool> known_;
};

}  // namespace rbee::keeper
