// Metrics: what the keeper counts, in the text form that Prometheus reads. Safe from every thread.
//
// Beside rbee's own names stand those of vLLM, of llama-server and of OpenTelemetry's conventions for
// generative AI, for what all of them count (metric_names.h), so that dashboards made for those work here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace prometheus {
class Gauge;
}

namespace rbee::keeper {

// Of a request: how it ended. The names are a label's values.
enum class Outcome { ok, refused, engine_error, engine_lost, client_gone };
inline constexpr std::size_t outcomes = 5;
[[nodiscard]] std::string_view outcome_name(Outcome outcome);

// What one answer read and wrote, by the engine's own words.
struct Tokens {
  std::uint64_t prompt = 0;  // those of the cache included
  std::uint64_t cached = 0;
  std::uint64_t made = 0;
  double prompt_s = 0;  // what the engine read the rest of the prompt in
  double made_s = 0;    // from its first token to its last
};

// What is so at the moment of asking.
struct Gauges {
  std::size_t running = 0;
  std::size_t waiting = 0;
  std::span<const std::pair<std::string, std::size_t>> waiting_by_model = {};
  std::size_t connections = 0;  // of clients
  // Since the start: told to go away because there were too many, of all or of their address.
  std::uint64_t connections_refused = 0;
  std::uint64_t connections_refused_of_client = 0;
  std::uint64_t log_lines_dropped = 0;
  std::uint64_t spans_sent = 0;
  std::uint64_t spans_dropped = 0;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Clients choose model names, so a caller gives "" for one that nobody has; beyond this many (model,
  // worker) all others count as "" too. Each has a series for each outcome.
  static constexpr std::size_t most_series = 1000;
  // Models with times of their own: each has some 200 lines. Beyond, they share those of "".
  static constexpr std::size_t most_models = 50;

  // An engine works on it while this lives.
  class Running {
   public:
    explicit Running(prometheus::Gauge& gauge);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    prometheus::Gauge& gauge_;
  };
  // The series of one model on one worker, which are looked up once for a request.
  class Series {
   public:
    // It was sent to that worker after so long in the queue. Only where there is a worker, as tokens().
    void placed(double waited_s);
    [[nodiscard]] Running running();
    // Seconds from the request's last byte to the answer's first.
    void first_token(double seconds);
    void tokens(const Tokens& tokens);
    void ended(Outcome outcome, double seconds);

    struct Impl;  // of metrics.cpp only
    explicit Series(std::unique_ptr<Impl> impl);
    ~Series();

   private:
    std::unique_ptr<Impl> impl_;
  };
  // Valid as long as this is. `worker` is empty for requests that nobody served.
  [[nodiscard]] Series& of(std::string_view model, std::string_view worker);
  // It came back before its first byte, and is placed again.
  void placed_again();
  // Of an answer that came whole: from the request's arrival to its end.
  void predicted(double predicted_s, double actual_s);
  // The keeper's own time until an answer's head is out.
  void overhead(double seconds);
  void engine_lost();
  // A stream whose engine was lost in its middle goes on with another one.
  void resumed();
  // A second engine was asked for a stream that began late, and was the one that answered.
  void hedged();
  void hedge_won();
  // It was asked, and rules and strategy had to hold.
  void script_failed();
  // By the name of its error.
  void refused(std::string_view reason);
  void relayed(std::uint64_t bytes, std::uint64_t chunks);
  // All of them, with the gauges as they are now.
  [[nodiscard]] std::string text(const Gauges& now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee::keeper
