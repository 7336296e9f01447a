#include "cli/commands.h"
namespace rbee::cli {
Result<void> run_doctor(const Context&) { return {}; }
}  // namespace rbee::cli
