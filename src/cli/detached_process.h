// A process that outlives this one: in a session of its own, with nothing of this one's but its environment.
#pragma once

#include "base/error.h"

#include <filesystem>
#include <string>
#include <vector>

namespace rbee::cli {

class DetachedProcess {
 public:
  // `program` is a path, `words` begin with its name; what it writes goes to `output`, which is emptied.
  // Fails with io_failed.
  [[nodiscard]] static Result<DetachedProcess> start(const std::string& program,
                                                     const std::vector<std::string>& words,
                                                     const std::vector<std::string>& environment,
                                                     const std::filesystem::path& output);
  [[nodiscard]] bool has_ended() const;

 private:
  explicit DetachedProcess(int pid) : pid_(pid) {}
  int pid_;
};

}  // namespace rbee::cli
