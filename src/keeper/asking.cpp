#include "keeper/asking.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::keeper {

Result<void> Asking::ask(AskingHive hive) {
  const std::scoped_lock lock(mutex_);
  if (std::ranges::find(refused_, hive.key_print) != refused_.end()) {
    return Error{ErrorCode::not_allowed, cat("Hive '", hive.name, "' was not let in."),
                 "`rbee hive join` on its machine asks once more."};
  }
  std::erase_if(hives_, [&](const AskingHive& one) {
    return one.key_print == hive.key_print || hive.last_asked - one.last_asked > forgotten_after;
  });
  if (std::ranges::find(hives_, hive.name, &AskingHive::name) != hives_.end()) {
    return Error{ErrorCode::name_taken, cat("Another hive asks to be let in as '", hive.name, "'."),
                 "`rbee hive join KEEPER --name N` asks under another name."};
  }
  if (hives_.size() >= most) {
    return Error{ErrorCode::queue_full, cat(most, " hives ask to be let in already."),
                 "`rbee hive list` on the keeper's machine shows them; `rbee hive remove NAME` refuses one."};
  }
  hives_.push_back(std::move(hive));
  return {};
}

std::vector<AskingHive> Asking::all(Instant now) const {
  const std::scoped_lock lock(mutex_);
  std::vector<AskingHive> hives = hives_;
  std::erase_if(hives, [&](const AskingHive& one) { return now - one.last_asked > forgotten_after; });
  return hives;
}

std::optional<AskingHive> Asking::take(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  const auto found = std::ranges::find(hives_, name, &AskingHive::name);
  if (found == hives_.end()) return std::nullopt;
  AskingHive hive = std::move(*found);
  hives_.erase(found);
  return hive;
}

bool Asking::refuse(const std::string& name) {
  const std::optional<AskingHive> hive = take(name);
  if (!hive) return false;
  const std::scoped_lock lock(mutex_);
  refused_.push_back(hive->key_print);
  if (refused_.size() > most_refused) refused_.pop_front();
  return true;
}

void Asking::forgive(const std::string& key_print) {
  const std::scoped_lock lock(mutex_);
  std::erase(refused_, key_print);
}

}  // namespace rbee::keeper
