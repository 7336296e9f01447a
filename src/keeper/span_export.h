// SpanExport: requests that are over, on their way to a collector of OpenTelemetry (OTLP over HTTP, JSON).
//
// Off until there is an endpoint. It has a thread and a loop of its own, so a collector that is slow or gone
// costs requests nothing: they leave a record behind, and where too many wait already it is dropped and
// counted. What a collector does not take is not sent again. Safe from every thread.
#pragma once

#include "base/log.h"
#include "base/random.h"
#include "keeper/request_record.h"
#include "net/loop.h"
#include "net/stream.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace rbee::keeper {

class SpanExport {
 public:
  // As OpenTelemetry's own batch processor has it by default.
  static constexpr std::size_t most_waiting = 2048;
  static constexpr std::size_t most_at_once = 512;

  SpanExport(const Clock& clock, Random& random, std::shared_ptr<Log> log, std::string version);
  // What waits is dropped.
  ~SpanExport();
  SpanExport(const SpanExport&) = delete;
  SpanExport& operator=(const SpanExport&) = delete;

  // Where spans go from now on; none: nowhere.
  void set_endpoint(std::optional<net::Endpoint> endpoint);
  [[nodiscard]] bool is_on() const { return on_; }
  void offer(RequestRecord record);
  [[nodiscard]] std::uint64_t sent() const { return state_->sent; }
  [[nodiscard]] std::uint64_t dropped() const { return state_->dropped; }

 private:
  // Shared with the sender, which may wait for a collector when this ends.
  struct State {
    std::mutex mutex;
    std::vector<RequestRecord> waiting;
    std::optional<net::Endpoint> endpoint;
    bool failing = false;
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> dropped{0};
  };
  static net::Task<void> send_all(std::shared_ptr<State> state, net::Loop& loop, Random& random,
                                  std::shared_ptr<Log> log, std::string version);
  static net::Task<void> send(std::shared_ptr<State> state, net::Loop& loop, std::string body,
                              std::uint64_t spans, std::shared_ptr<Log> log);

  const Clock& clock_;
  Random& random_;
  std::shared_ptr<Log> log_;
  std::string version_;
  std::atomic<bool> on_{false};
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::unique_ptr<net::Runtime> runtime_;  // made with the first endpoint
};

}  // namespace rbee::keeper
