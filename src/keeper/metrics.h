// Metrics: what the keeper counts, in the text form that Prometheus reads. Safe from every thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rbee::keeper {

// Of a request: how it ended. The names are a label's values.
enum class Outcome { ok, refused, engine_error, engine_lost, client_gone };
[[nodiscard]] std::string_view outcome_name(Outcome outcome);

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Series of one name. Clients choose model names, so a caller gives "" for one that nobody has; beyond this
  // many (model, worker, outcome) all others count as "" too.
  static constexpr std::size_t most_series = 1000;

  void request_ended(const std::string& model, const std::string& worker, Outcome outcome, double seconds);
  // Seconds from the request's last byte to the answer's first.
  void first_byte(double seconds);
  void engine_lost();
  // It was asked, and rules and strategy had to hold.
  void script_failed();
  // By the name of its error.
  void refused(std::string_view reason);
  void relayed(std::uint64_t bytes, std::uint64_t chunks);
  // All of them, with the gauges as they are now.
  [[nodiscard]] std::string text(std::size_t running, std::size_t waiting);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee::keeper
