// route suggest: the rules that the measurements support, on stdout. It changes no file.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/script_file.h"
#include "cli/suggest.h"
#include "routing/fleet_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::cli {
namespace {

// What is asked, and where it is from.
struct Load {
  sim::Trace trace;
  bool is_made = false;
  std::size_t answered = 0;  // of the keeper's last requests
};

// "worker/model" whose speed nobody has measured, of those that count here.
std::vector<std::string> only_estimated(const Fleet& known, const Fleet& all) {
  std::vector<std::string> names;
  for (std::size_t w = 0; w < all.workers.size() && w < known.workers.size(); ++w) {
    const FleetWorker& worker = known.workers[w];
    for (std::size_t f = 0; f < worker.models.size() && f < worker.speeds.size(); ++f) {
      if (!(worker.speeds[f].speed > 0)) names.push_back(cat(worker.report.name, "/", worker.models[f].id));
    }
  }
  return names;
}

Result<Fleet> fleet_of_keeper(AdminClient& client, const std::string& target) {
  const Result<Json> json = client.get(target);
  if (!json) return json.error();
  return routing::fleet_from_json(*json);
}

Result<Load> load_of_keeper(AdminClient& client, const Fleet& fleet) {
  const Result<Json> requests = client.get("/api/v1/requests");
  if (!requests) return requests.error();
  Load load{.trace = trace_of_requests(*requests, fleet)};
  load.answered = load.trace.arrivals.size();
  if (load.answered >= enough_requests) return load;
  load.is_made = true;
  Result<sim::Trace> made = made_trace(fleet);
  if (!made) {
    return Error{ErrorCode::no_worker,
                 "There is nothing to judge rules by: no model is loaded.",
                 "Ask a model something, or put one in service with `rbee worker deploy`.",
                 {}};
  }
  load.trace = std::move(*made);
  return load;
}

Json to_json(const Suggestion& made, const Judged& one) {
  return {{"what", one.what},
          {"mean_s", one.mean_s},
          {"p95_s", one.p95_s},
          {"refused", one.refused},
          {"gain", made.gain(one)}};
}

std::string times_text(const Judged& one) {
  return cat("mean ", fixed(one.mean_s, 2), " s, p95 ", fixed(one.p95_s, 2), " s",
             one.refused > 0 ? cat(", ", one.refused, " refused") : "");
}

std::string percent(double share) { return cat(fixed(100 * share, 1), " %"); }

std::string load_text(const Load& load) {
  if (!load.is_made) return cat("the last ", load.trace.arrivals.size(), " requests");
  return cat("a made load of ", load.trace.arrivals.size(),
             " requests at 70 % of what the fleet can do (only ", load.answered, " real ones are known, ",
             enough_requests, " would be enough)");
}

std::string reason_of(const Suggestion& made, const Load& load) {
  const std::string on = cat("on ", load_text(load), ", simulated");
  if (made.best && made.best->refused < made.now.refused)
    return cat(made.now.refused - made.best->refused, " of ", load.trace.arrivals.size(),
               " requests are served that are refused now, ", on, ": ", times_text(*made.best),
               ", instead of ", times_text(made.now));
  if (made.best)
    return cat(percent(made.gain(*made.best)), " less time ", on, ": ", times_text(*made.best),
               ", instead of ", times_text(made.now));
  if (made.tried.empty())
    return cat("nothing to suggest: the workers do not differ in a way that rules can use; ", on, ": ",
               times_text(made.now));
  const Judged& best = made.tried.front();
  return cat("nothing to suggest: of ", made.tried.size(), " other ways the best (", best.what, ") has ",
             times_text(best), ", what holds now has ", times_text(made.now), ", ", on, "; from ",
             percent(least_gain), " on it would be suggested");
}

// As comments, so that the whole output is a file that `route check` takes.
std::string as_comment(const std::string& text) { return cat("# ", replace_all(text, "\n", "\n# "), "\n"); }

}  // namespace

Result<void> run_route_suggest(const Context& context, AdminClient& client) {
  const Result<Fleet> fleet = fleet_of_keeper(client, "/api/v1/fleet?estimates=1");
  if (!fleet) return fleet.error();
  const Result<Fleet> known = fleet_of_keeper(client, "/api/v1/fleet");
  if (!known) return known.error();
  const Result<Load> load = load_of_keeper(client, *fleet);
  if (!load) return load.error();
  const Result<Config> config = read_config(context.paths.config_file);
  if (!config) return config.error();
  const auto script = read_script(context.paths.script_file, config->script);
  if (!script) return script.error();
  const Result<Suggestion> made = suggest(*fleet, load->trace, config->routing, *script);
  if (!made) return made.error();
  const std::vector<std::string> estimated = only_estimated(*known, *fleet);
  const std::string reason = reason_of(*made, *load);
  Json json{{"suggestion", nullptr},
            {"reason", reason},
            {"requests", load->trace.arrivals.size()},
            {"made_load", load->is_made},
            {"now", to_json(*made, made->now)},
            {"tried", Json::array()},
            {"estimated", estimated}};
  for (const Judged& one : made->tried) json["tried"].push_back(to_json(*made, one));
  if (made->best) {
    json["suggestion"] = to_json(*made, *made->best);
    json["suggestion"]["toml"] = routing_toml(made->best->policy);
  }
  context.out.document(json);
  std::string text = as_comment(made->best ? cat(made->best->what, ": ", reason) : reason);
  if (!estimated.empty())
    text += as_comment(cat("Only estimated, not measured: ", join(estimated, ", "), "."));
  if (made->best)
    text +=
        cat(as_comment("In the place of strategy and rules in rbee.toml:"), routing_toml(made->best->policy));
  context.out.text(text);
  return {};
}

}  // namespace rbee::cli
