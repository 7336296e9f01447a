// HiveNews: what changes of a hive from second to second, beside its reports. It is put down where it comes
// and read where somebody looks: of a thousand hives somebody looks at one.
#pragma once

#include "net/sign_of_life.h"

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace rbee::keeper {

// The newest figures of its machine (domain/machine_figures.h), as JSON that is not read yet. Safe from every
// thread.
class LatestFigures {
 public:
  // Into the room that it has: they are as long each time.
  void set(std::string_view text) {
    const std::scoped_lock lock(mutex_);
    text_.assign(text);
  }
  [[nodiscard]] std::string get() const {
    const std::scoped_lock lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

struct HiveNews {
  std::shared_ptr<const net::SignOfLife> life = {};
  std::shared_ptr<const LatestFigures> figures = {};
};

}  // namespace rbee::keeper
