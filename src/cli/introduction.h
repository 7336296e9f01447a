// What `up` does once its keeper listens: waits for its own hive, puts the demo model in service where that
// was asked for, and greets.
#pragma once

#include "cli/admin_client.h"
#include "cli/commands.h"

#include <optional>
#include <string>

namespace rbee::cli {

struct Introduction {
  std::string hive;                  // the own one's name
  std::string demo_model_path = {};  // empty: no demo
};

// Tells the progress on stderr. Fails as the admin API does, or with timed_out where the hive stays silent.
net::Task<Result<void>> introduce(const Context& context, AdminClient& client, Introduction what);

// What can be asked now.
struct InService {
  std::string model = {};  // empty: none
  bool has_worker = false;
};
// Of the keeper's answer to GET /api/v1/status.
[[nodiscard]] InService in_service(const Json& status);

// Pure: the greeting for a person. It ends with the address, a curl line and what to do next.
[[nodiscard]] std::string greeting(const std::string& address, const InService& now);

}  // namespace rbee::cli
