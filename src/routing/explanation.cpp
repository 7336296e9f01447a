#include "routing/explanation.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::routing {

void put_in_order(Explanation& explanation) {
  std::vector<const Explanation::Worker*> kept;
  for (const Explanation::Worker& worker : explanation.workers) {
    if (worker.kept) kept.push_back(&worker);
  }
  std::ranges::stable_sort(kept, {}, [](const Explanation::Worker* worker) { return worker->total(); });
  explanation.order.clear();
  for (const Explanation::Worker* worker : kept) explanation.order.push_back(worker->name);
}

Json to_json(const Explanation& explanation) {
  Json workers = Json::array();
  for (const Explanation::Worker& worker : explanation.workers) {
    Json one = {{"name", worker.name}, {"kept", worker.kept}, {"why", worker.why}};
    if (worker.kept) {
      one["expected_seconds"] = {{"wait", worker.cost.wait},     {"load", worker.cost.load},
                                 {"prompt", worker.cost.prompt}, {"generate", worker.cost.generate},
                                 {"others", worker.cost.others}, {"later", worker.cost.later},
                                 {"total", worker.total()}};
      one["weight"] = worker.weight;
      one["model_file"] = worker.model_file;
      if (worker.speed > 0) {
        one["prompt_speed"] = worker.prompt_speed;
        one["speed"] = worker.speed;
        one["speed_from"] = speed_from_name(worker.speed_from);
      }
    }
    workers.push_back(std::move(one));
  }
  Json json = {{"model", explanation.model},           {"placed", nullptr},
               {"model_file", explanation.model_file}, {"reason", explanation.reason},
               {"order", explanation.order},           {"workers", std::move(workers)}};
  if (!explanation.placed.empty()) json["placed"] = explanation.placed;
  return json;
}

std::string in_one_line(const Explanation& explanation, std::size_t most_workers) {
  std::string text = explanation.reason;
  std::size_t told = 0;
  for (const Explanation::Worker& worker : explanation.workers) {
    if (told == most_workers) break;
    text += cat(told++ == 0 ? " [" : "; ", worker.name, ": ", worker.why);
  }
  const std::size_t more = explanation.workers.size() - told;
  if (more > 0 && told > 0) text += cat("; and ", more, " more");
  return told == 0 ? text : cat(text, "]");
}

std::string in_words(const Explanation& explanation) {
  std::string text = explanation.placed.empty()
                         ? cat("'", explanation.model, "' is placed nowhere. ")
                         : cat("'", explanation.model, "' goes to ", explanation.placed, " (",
                               explanation.model_file, "). ");
  text += cat(explanation.reason, "\n");
  for (const Explanation::Worker& worker : explanation.workers) {
    text += cat("  ", worker.name, ": ", worker.kept ? "kept" : "dropped", ", ", worker.why);
    if (worker.kept) {
      const auto part = [&](std::string_view name, double value) {
        if (value > 0) text += cat(", ", name, " ", fixed(value, 2), " s");
      };
      part("wait", worker.cost.wait);
      part("load", worker.cost.load);
      part("prompt", worker.cost.prompt);
      part("generate", worker.cost.generate);
      part("others lose", worker.cost.others);
      part("later ones lose", worker.cost.later);
      text += cat(", times ", fixed(worker.weight, 1), " = ", fixed(worker.total(), 2));
      if (worker.speed > 0) text += cat("; ", speed_text(worker.speed, worker.speed_from));
    }
    text += "\n";
  }
  return text;
}

}  // namespace rbee::routing
