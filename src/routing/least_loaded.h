// The first scheduler: the ready engine with the least share of its slots busy.
//
// Requests wait here, in order, until an engine of their model has a free slot. A model is loaded where
// nobody has it ready, or where all that have it are full and another worker could share the work. An idle
// engine gives way to a model that nobody could serve else; one with work never does.
#pragma once

#include "routing/scheduler.h"

#include <map>
#include <optional>
#include <utility>

namespace rbee::routing {

class LeastLoaded final : public Scheduler {
 public:
  explicit LeastLoaded(Limits limits = {}) : limits_(limits) {}

  Actions on_request(Instant now, Request request) override;
  Actions on_done(Instant now, std::uint64_t request) override;
  Actions on_returned(Instant now, std::uint64_t request, Returned why) override;
  Actions on_cancel(Instant now, std::uint64_t request) override;
  Actions on_fleet(Instant now, Fleet fleet) override;
  Actions on_load_refused(Instant now, const std::string& worker, const std::string& model_id,
                          Error error) override;
  Actions on_timer(Instant now) override;

  const Fleet& fleet() const override { return fleet_; }
  std::size_t waiting() const override;
  std::size_t running() const override { return running_.size(); }

 private:
  struct Waiting {
    Request request;
    int attempts = 0;
    Instant since;     // arrived, or came back
    Instant deadline;  // moves on while its model loads
  };
  // All that wait for one model name, by arrival: ids grow, so one that came back is in its old place.
  struct Queue {
    std::map<std::uint64_t, Waiting> waiting = {};
    bool loading = false;  // since `counted` nobody had the model ready and somebody was loading it
    Instant counted = {};
  };
  struct Running {
    Waiting kept;  // for when it comes back
    FleetEngine engine;
    int slots = 0;
  };
  using WorkerModel = std::pair<std::string, std::string>;  // worker, model_id
  struct Refusal {
    Error error;
    Instant until;
    std::string evicting = {};  // id of the engine whose end may make room; empty: none
  };
  // Places in fleet_ that concern one model name.
  struct Match {
    std::vector<std::size_t> engines = {};
    std::vector<std::pair<std::size_t, std::size_t>> files = {};  // worker, and file of it
  };
  struct Look;  // what one pass over a queue works with

  void settle(Instant now, Actions& actions);
  void serve_queue(Instant now, const std::string& model, Queue& queue, Actions& actions);
  void count_waits(Instant now);
  void forget_old(Instant now);
  void wake_when_due(Actions& actions);

  [[nodiscard]] const Match& match(const std::string& model);
  [[nodiscard]] Look look_at(const std::string& model);
  [[nodiscard]] const FleetWorker* worker(const std::string& name) const;
  [[nodiscard]] FleetEngine* choose(const Waiting& waiting, Look& look);
  void send(Waiting waiting, FleetEngine& engine, Actions& actions);
  [[nodiscard]] bool will_be_served(Instant now, const Waiting& waiting, Look& look, Actions& actions);
  [[nodiscard]] std::optional<Load> load_for(const Waiting& waiting, const Look& look) const;
  [[nodiscard]] bool is_needed(const WorkerModel& load);
  void make_room(Instant now, const WorkerModel& load, Refusal& refusal, Actions& actions);

  [[nodiscard]] std::optional<Error> refused_outright(const Request& request);
  [[nodiscard]] Error why_not(const Waiting& waiting, const Look& look) const;
  [[nodiscard]] Error overdue(const Waiting& waiting) const;
  [[nodiscard]] std::optional<Waiting> take_back(std::uint64_t request);

  Limits limits_;
  Fleet fleet_;
  std::map<std::string, Match> matches_;  // emptied with each new fleet
  std::map<std::string, Queue> queues_;   // by the model's name as asked, in lower case
  std::map<std::uint64_t, Running> running_;
  std::map<std::string, Instant> suspects_;  // engine_key: until when
  std::map<WorkerModel, Instant> asked_;     // loads that no report shows yet: until when
  std::map<WorkerModel, Refusal> refusals_;
  std::map<std::string, std::uint64_t> last_use_;  // by engine_key: when, in uses
  std::uint64_t uses_ = 0;
  std::optional<Instant> wake_;
};

}  // namespace rbee::routing
