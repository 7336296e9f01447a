// EngineSpeed: how fast an engine is believed to read prompts and to answer, alone and in company.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace rbee::routing {

// All that it holds is positive and finite: who makes one sees to it.
struct EngineSpeed {
  // Beyond it a prompt's start is nonsense and no measurement.
  static constexpr double longest_start_s = 60;
  // More at once than engines are commonly started with; beyond it the last step goes on in a straight line.
  static constexpr int most_told_apart = 16;

  double prompt = 1;    // tokens/s of a prompt
  double slowdown = 0;  // for each further request that generates, by whoever knows no more
  double start_s = 0;   // of each prompt, however short
  // Seconds that a token takes each of 1, 2, 3 ... requests that generate together.
  std::array<double, most_told_apart> steps_s = straight(1, 0);

  EngineSpeed() = default;
  EngineSpeed(double prompt_speed, double alone, double batch_slowdown)
      : prompt(prompt_speed), slowdown(batch_slowdown), steps_s(straight(alone, batch_slowdown)) {}
  // `in_company`: tokens/s of each of 1, 2, 3 ... together, and at least one of them.
  EngineSpeed(double prompt_speed, std::span<const double> in_company, double batch_slowdown)
      : EngineSpeed(prompt_speed, in_company.front(), batch_slowdown) {
    const std::size_t told = std::min(in_company.size(), steps_s.size());
    for (std::size_t n = 0; n < told; ++n) steps_s[n] = 1 / in_company[n];
    for (std::size_t n = told; n < steps_s.size(); ++n) steps_s[n] = steps_s[n - 1] + slowdown * steps_s[0];
  }

  [[nodiscard]] double alone() const { return 1 / steps_s[0]; }
  [[nodiscard]] double step_s(int n) const {
    if (n <= most_told_apart) return steps_s[static_cast<std::size_t>(std::max(n, 1) - 1)];
    return steps_s.back() + (n - most_told_apart) * slowdown * steps_s.front();
  }

 private:
  static std::array<double, most_told_apart> straight(double alone, double slowdown) {
    std::array<double, most_told_apart> steps{};
    for (std::size_t n = 0; n < steps.size(); ++n) steps[n] = (1 + slowdown * static_cast<double>(n)) / alone;
    return steps;
  }
};

}  // namespace rbee::routing
