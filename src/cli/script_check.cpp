#include "cli/script_check.h"

#include "base/text.h"

#include <algorithm>
#include <set>

namespace rbee::cli {
namespace {

// One prompt of a usual length.
constexpr double asked_prompt_tokens = 1000;

}  // namespace

std::vector<ScriptFinding> ask_about_fleet(const routing::ScriptPolicy& script,
                                           const std::shared_ptr<const Fleet>& fleet) {
  std::set<std::string> models;
  for (const FleetWorker& worker : fleet->workers) {
    for (const ModelFile& file : worker.models) models.insert(file.id);
  }
  const std::vector<routing::EngineNow> engines(fleet->engines.size());
  std::vector<ScriptFinding> found;
  for (const std::string& model : models) {
    Request request;
    request.model = model;
    request.prompt_tokens = asked_prompt_tokens;
    const ScriptWord word = script.ask(request, fleet, engines);
    ScriptFinding finding;
    if (!word.failure.empty()) {
      finding = {.is_error = true, .message = word.failure};
    } else if (word.says == ScriptWord::Says::nobody) {
      finding.message = cat("It lets no worker of the live fleet serve '", model, "'.");
    } else {
      continue;
    }
    // A mistake shows with every model: once is enough.
    if (std::ranges::find(found, finding.message, &ScriptFinding::message) == found.end()) {
      found.push_back(std::move(finding));
    }
  }
  return found;
}

}  // namespace rbee::cli
