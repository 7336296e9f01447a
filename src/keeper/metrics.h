// Metrics: what the keeper counts, in the text form that Prometheus reads. Safe from every thread.
//
// Beside rbee's own names stand those of vLLM for what both count, so that dashboards made for that work
// here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace rbee::keeper {

// Of a request: how it ended. The names are a label's values.
enum class Outcome { ok, refused, engine_error, engine_lost, client_gone };
[[nodiscard]] std::string_view outcome_name(Outcome outcome);

// What one answer read and wrote, by the engine's own words.
struct Tokens {
  std::uint64_t prompt = 0;  // those of the cache included
  std::uint64_t cached = 0;
  std::uint64_t made = 0;
};

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
  // It was sent to that worker after so long in the queue.
  void placed(const std::string& model, const std::string& worker, double waited_s);
  // It came back before its first byte, and is placed again.
  void placed_again();
  // Of an answer that came whole: from the request's arrival to its end.
  void predicted(double predicted_s, double actual_s);
  void tokens(const Tokens& tokens);
  // Seconds from the request's last byte to the answer's first.
  void first_byte(double seconds);
  void engine_lost();
  // A stream whose engine was lost in its middle goes on with another one.
  void resumed();
  // It was asked, and rules and strategy had to hold.
  void script_failed();
  // By the name of its error.
  void refused(std::string_view reason);
  void relayed(std::uint64_t bytes, std::uint64_t chunks);
  // All of them, with the gauges as they are now.
  using WaitingByModel = std::span<const std::pair<std::string, std::size_t>>;
  [[nodiscard]] std::string text(std::size_t running, std::size_t waiting, WaitingByModel by_model = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee::keeper
