#include "cli/routing_config.h"

#include "base/text.h"
#include "cli/config.h"

#include <cmath>

namespace rbee::cli {
namespace {

// A card of more than a petabyte, or a backend a million times slower, is a slip of the pen.
constexpr double most_vram = 1e6;
constexpr double most_weight = 1e6;
constexpr std::int64_t most_queue = 10'000'000;
// Half a minute of a script, for one request; and as deep as the language keeps its own stack safe.
constexpr double most_operations = 1e9;
constexpr double most_depth = 10'000;

class RoutingReader {
 public:
  explicit RoutingReader(std::string_view file) : file_(file) {}

  Result<routing::RouterSettings> read(const toml::table& root) {
    routing::RouterSettings settings;
    const toml::table* table = root["routing"].as_table();
    if (table == nullptr) return settings;
    read_limits(*table, settings.limits);
    read_policy(*table, settings.policy);
    settings.resume_streams =
        table->get("resume_streams") == nullptr || (*table)["resume_streams"].value_or(true);
    settings.hedge = (*table)["hedge"].value_or(false);
    if (const toml::array* rules = table->get_as<toml::array>("rules")) {
      for (const toml::node& node : *rules) {
        if (const toml::table* rule = node.as_table()) settings.policy.rules.push_back(read_rule(*rule));
      }
    }
    if (error_) return *error_;
    return settings;
  }

  Result<routing::ScriptLimits> read_script(const toml::table& root) {
    routing::ScriptLimits limits;
    const toml::table* table = root["routing"]["script"].as_table();
    if (table == nullptr) return limits;
    auto operations = static_cast<double>(limits.operations);
    auto depth = static_cast<double>(limits.depth);
    read_number(*table, "max_operations", 1, most_operations, operations);
    read_number(*table, "max_depth", 1, most_depth, depth);
    if (error_) return *error_;
    limits.operations = static_cast<std::uint64_t>(operations);
    limits.depth = static_cast<std::size_t>(depth);
    return limits;
  }

 private:
  void fail(const toml::node& node, const Error& why) {
    if (error_) return;
    const toml::source_position& at = node.source().begin;
    error_ =
        Error{ErrorCode::bad_config, cat(file_, ":", at.line, ":", at.column, ": ", why.message), why.hint};
  }
  template <class T>
  void take(const toml::node& node, Result<T> parsed, T& into) {
    if (parsed) {
      into = std::move(*parsed);
    } else {
      fail(node, parsed.error());
    }
  }
  template <class T>
  void take(const toml::node& node, Result<T> parsed, std::optional<T>& into) {
    T value{};
    take(node, std::move(parsed), value);
    into = std::move(value);
  }
  void read_number(const toml::table& table, std::string_view key, double least, double most, double& into) {
    const toml::node* node = table.get(key);
    if (node == nullptr) return;
    const double value = node->value_or(std::nan(""));
    if (value >= least && value <= most) {
      into = value;
      return;
    }
    fail(*node, {ErrorCode::bad_config,
                 cat("'", key, "' must be from ", fixed(least, 0), " to ", fixed(most, 0), "."),
                 "Leave it out for the usual value."});
  }

  std::int64_t read_queue(const toml::node& node) {
    const std::int64_t most = node.value_or<std::int64_t>(0);
    if (most <= most_queue) return most;
    fail(node, {ErrorCode::bad_config, cat("'max_queue' must be at most ", most_queue, "."),
                "Leave it out for the usual value."});
    return 0;
  }

  void read_limits(const toml::table& table, routing::Limits& limits) {
    if (const toml::node* node = table.get("max_queue")) {
      limits.most_waiting_per_model = static_cast<std::size_t>(read_queue(*node));
    }
    if (const toml::node* node = table.get("max_wait")) {
      take(*node, parse_duration(node->value_or<std::string>("")), limits.longest_wait);
      // As the usual stay is to the usual wait, so that whoever waits is still served in time.
      limits.least_stay = std::min(limits.least_stay, limits.longest_wait / 4);
    }
  }

  void read_policy(const toml::table& table, routing::Policy& policy) {
    if (const toml::node* node = table.get("strategy")) {
      take(*node, routing::parse_strategy(node->value_or<std::string>("")), policy.strategy);
    }
    if (const toml::node* node = table.get("cpu_fallback")) {
      if (node->is_boolean()) {
        policy.cpu_fallback.reset();
      } else {
        take(*node, routing::parse_size_range(node->value_or<std::string>("")), policy.cpu_fallback);
      }
    }
    read_number(table, "prefer_weight", 1, most_weight, policy.prefer_weight);
  }

  std::vector<Backend> backends(const toml::table& rule, std::string_view key) {
    std::vector<Backend> found;
    if (const toml::array* list = rule.get_as<toml::array>(key)) {
      for (const toml::node& node : *list) {
        Backend backend{};
        take(node, parse_backend(node.value_or<std::string>("")), backend);
        found.push_back(backend);
      }
    }
    return found;
  }

  routing::Rule read_rule(const toml::table& table) {
    routing::Rule rule;
    rule.model = table["model"].value_or<std::string>("");
    rule.user = table["user"].value_or<std::string>("");
    if (const toml::node* node = table.get("model_size")) {
      rule.model_size_text = node->value_or<std::string>("");
      take(*node, routing::parse_size_range(rule.model_size_text), rule.model_size);
    }
    rule.prefer_backends = backends(table, "prefer_backends");
    rule.require_backends = backends(table, "require_backends");
    read_number(table, "min_vram", 0, most_vram, rule.min_vram);
    if (const toml::node* node = table.get("min_quant")) {
      rule.min_quant = node->value_or<std::string>("");
      if (routing::bits_of_quant(rule.min_quant) <= 0) {
        fail(*node, {ErrorCode::bad_config, cat("'", rule.min_quant, "' is no quantization."),
                     "Write one as \"Q4_K_M\" or \"F16\"."});
      }
    }
    if (const toml::array* labels = table.get_as<toml::array>("labels")) {
      for (const toml::node& node : *labels) {
        const std::string label = node.value_or<std::string>("");
        if (label.empty() || label.starts_with('=')) {
          fail(node, {ErrorCode::bad_config, cat("'", label, "' is no label."),
                      "Write \"name\", or \"name=value\"."});
        }
        rule.labels.push_back(label);
      }
    }
    if (const toml::node* node = table.get("max_queue")) {
      rule.max_queue = static_cast<std::size_t>(read_queue(*node));
    }
    return rule;
  }

  std::string_view file_;
  std::optional<Error> error_;
};

}  // namespace

Result<routing::RouterSettings> take_routing(const toml::table& file, std::string_view name) {
  return RoutingReader(name).read(file);
}

Result<routing::ScriptLimits> take_script(const toml::table& file, std::string_view name) {
  return RoutingReader(name).read_script(file);
}

}  // namespace rbee::cli
