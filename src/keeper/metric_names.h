// The names that a count has: rbee's own, and those that dashboards of others ask for.
//
// What is counted once is written under each of its names, with the labels that go with that name: so a
// further name costs a request nothing.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace rbee::keeper {

// In Prometheus' text form, each family followed by its other names.
[[nodiscard]] std::string metrics_text(const std::vector<prometheus::MetricFamily>& families);

}  // namespace rbee::keeper
