#include "cli/hive_choice.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <vector>

namespace rbee::cli {
namespace {

template <class Condition>
std::vector<std::string> names_of(const Json& answer, Condition condition) {
  std::vector<std::string> names;
  for (const Json& hive : get_array(answer, "hives")) {
    if (condition(hive)) names.push_back(text_of(hive, "name"));
  }
  return names;
}

}  // namespace

Result<std::string> choose_hive_of(const Json& answer, const std::string& asked) {
  const std::vector<std::string> names = names_of(answer, [](const Json&) { return true; });
  if (names.empty()) {
    return Error{ErrorCode::unknown_name, "The keeper has no hive yet.",
                 "`rbee up` runs both; `rbee hive` runs one."};
  }
  if (asked.empty()) {
    // One that is gone can do nothing: it does not make the choice a question.
    const std::vector<std::string> there =
        names_of(answer, [](const Json& hive) { return get_string(hive, "state") != "gone"; });
    if (there.size() == 1) return there.front();
    if (names.size() == 1) return names.front();
    return Error{ErrorCode::bad_usage, cat("There are ", names.size(), " hives: ", join(names, ", "), "."),
                 "Name one with --hive."};
  }
  if (std::find(names.begin(), names.end(), asked) != names.end()) return asked;
  const std::string near = did_you_mean(asked, names);
  return Error{ErrorCode::unknown_name, cat("There is no hive '", asked, "'."),
               near.empty() ? cat("There are: ", join(names, ", "), ".") : near};
}

Result<std::string> choose_hive(AdminClient& client, const std::string& asked) {
  const Result<Json> answer = client.get("/api/v1/hives");
  if (!answer) return answer.error();
  return choose_hive_of(*answer, asked);
}

}  // namespace rbee::cli
