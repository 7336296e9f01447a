#include "sim/report.h"

#include "base/svg.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace rbee::sim {
namespace {

constexpr double width = 840, height = 460, left = 60, top = 20, right = 200, bottom = 50;
constexpr std::size_t plotted_points = 200;

double share(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return 0;
  const double at = std::floor(part * static_cast<double>(sorted.size()));
  return sorted[std::min(static_cast<std::size_t>(at), sorted.size() - 1)];
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  double sum = 0;
  for (const double value : values) sum += value;
  return {sum / static_cast<double>(values.size()), share(values, 0.5), share(values, 0.95),
          share(values, 0.99)};
}

Json spread_json(const Spread& spread) {
  return {{"mean", spread.mean}, {"p50", spread.p50}, {"p95", spread.p95}, {"p99", spread.p99}};
}

std::vector<double> latencies(const SimResult& result, const Trace& trace) {
  std::vector<double> values;
  for (std::size_t i = 0; i < result.requests.size(); ++i) {
    if (result.requests[i].ended_s >= 0)
      values.push_back(result.requests[i].ended_s - trace.arrivals[i].at_s);
  }
  return values;
}

}  // namespace

Figures figures_of(const SimResult& result, const Trace& trace, const Bound& bound) {
  Figures figures;
  figures.strategy = result.strategy;
  figures.requests = result.requests.size();
  figures.loads = result.loads;
  figures.evictions = result.evictions;
  figures.bound = bound;
  figures.wait_by_quarter = {};
  std::array<double, 4> counts{};
  std::vector<double> ttft;
  double tokens = 0;
  for (std::size_t i = 0; i < result.requests.size(); ++i) {
    const SimResult::One& one = result.requests[i];
    if (one.ended_s < 0) {
      ++figures.refused;
      continue;
    }
    ++figures.completed;
    ttft.push_back(one.first_token_s - trace.arrivals[i].at_s);
    tokens += trace.arrivals[i].output_tokens;
    const std::size_t quarter = 4 * i / result.requests.size();
    // A request of a rule that pushes waits at its worker: its slot comes when its prompt can be read.
    figures.wait_by_quarter[quarter] += one.started_s - trace.arrivals[i].at_s;
    ++counts[quarter];
  }
  for (std::size_t q = 0; q < 4; ++q) {
    if (counts[q] > 0) figures.wait_by_quarter[q] /= counts[q];
  }
  figures.ttft = spread_of(std::move(ttft));
  figures.latency = spread_of(latencies(result, trace));
  figures.tokens_per_second = result.span_s > 0 ? tokens / result.span_s : 0;
  for (std::size_t i = 0; i < result.workers.size(); ++i) {
    figures.utilization.emplace_back(result.workers[i], result.busy_share[i]);
  }
  figures.decision_us = spread_of({result.decision_us.begin(), result.decision_us.end()});
  return figures;
}

Json to_json(std::span<const Figures> all) {
  Json strategies = Json::array();
  for (const Figures& one : all) {
    Json utilization = Json::object();
    for (const auto& [name, value] : one.utilization) utilization[name] = value;
    strategies.push_back(
        {{"strategy", one.strategy},
         {"requests", one.requests},
         {"completed", one.completed},
         {"refused", one.refused},
         {"loads", one.loads},
         {"evictions", one.evictions},
         {"ttft", spread_json(one.ttft)},
         {"latency", spread_json(one.latency)},
         {"wait_by_quarter", one.wait_by_quarter},
         {"tokens_per_second", one.tokens_per_second},
         {"utilization", std::move(utilization)},
         {"bound",
          {{"mean_latency", one.bound.mean_latency_s}, {"tokens_per_second", one.bound.tokens_per_second}}},
         {"decision_us", {{"p50", one.decision_us.p50}, {"p99", one.decision_us.p99}}}});
  }
  return {{"strategies", std::move(strategies)}};
}

std::string plot_svg(std::span<const SimResult> results, const Trace& trace) {
  double longest = 1, shortest = 0.1;
  std::vector<std::vector<double>> sorted;
  for (const SimResult& result : results) {
    sorted.push_back(latencies(result, trace));
    std::ranges::sort(sorted.back());
    if (!sorted.back().empty()) longest = std::max(longest, share(sorted.back(), 0.999));
  }
  // Times from 0.1 s on a logarithmic axis: they spread over four powers of ten.
  const auto x_of = [&](double seconds) {
    const double part = std::log(std::max(seconds, shortest) / shortest) / std::log(longest / shortest);
    return left + part * (width - left - right);
  };
  const auto y_of = [&](double part) { return height - bottom - part * (height - top - bottom); };
  SvgPage page(width, height);
  for (double tick = shortest; tick <= longest; tick *= 10) {
    page.line({x_of(tick), top}, {x_of(tick), height - bottom}, "#ddd");
    page.label(x_of(tick) - 10, height - bottom + 18, cat(fixed(tick, tick < 1 ? 1 : 0), " s"));
  }
  for (const double part : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    page.label(14, y_of(part) + 4, cat(fixed(100 * part, 0), " %"));
  }
  page.label(left, height - 10, "Share of requests that were done within a time");
  for (std::size_t i = 0; i < results.size(); ++i) {
    std::vector<std::pair<double, double>> points;
    for (std::size_t p = 0; p <= plotted_points; ++p) {
      const double part = static_cast<double>(p) / static_cast<double>(plotted_points);
      points.emplace_back(x_of(std::min(longest, share(sorted[i], part))), y_of(part));
    }
    page.polyline(points, SvgPage::color(i));
    const double y = top + 18 * static_cast<double>(i + 1);
    page.box({.x = width - right + 14, .y = y - 9, .width = 12, .height = 9}, SvgPage::color(i));
    page.label(width - right + 32, y, results[i].strategy);
  }
  return page.svg();
}

}  // namespace rbee::sim
