#include "cli/own_libraries.h"

namespace rbee::cli {

// A Mac is never installed over ssh: what is linked there comes from where it was built.
std::vector<std::string> own_libraries() { return {}; }

}  // namespace rbee::cli
