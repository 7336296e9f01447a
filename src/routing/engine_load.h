// EngineLoad: what an engine is doing now, as far as it can be told from outside: which requests it has, how
// much of their prompts is read, how much of their answers is made, and how long that will take.
//
// It is moved along by the speeds that are believed, and set right by the ends of requests. An engine reads
// prompts one after the other, and all but stops generating meanwhile; requests that generate slow each other
// down (shared with the simulator's worker, and measured on llama.cpp).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rbee::routing {

// Tokens a second. All are positive and finite: who makes one sees to it.
struct EngineSpeed {
  double prompt = 1;
  double alone = 1;     // one request by itself
  double slowdown = 0;  // for each further one that generates

  // Seconds a token takes each of `n` requests.
  [[nodiscard]] double step_s(int n) const { return (1 + slowdown * (n > 1 ? n - 1 : 0)) / alone; }
};

struct Job {
  std::uint64_t request = 0;
  double unread = 0;       // tokens of its prompt that are not in the cache
  double output = 0;       // tokens it is expected to make
  double made_before = 0;  // of `made` when it began to generate
  int slots = 1;
  bool reading = true;
};

class EngineLoad {
 public:
  EngineLoad() = default;
  EngineLoad(EngineSpeed speed, int slots) : speed_(speed), slots_(slots) {}

  void set_speed(EngineSpeed speed) { speed_ = speed; }
  void set_slots(int slots) { slots_ = slots; }
  [[nodiscard]] const EngineSpeed& speed() const { return speed_; }
  [[nodiscard]] int slots() const { return slots_; }
  [[nodiscard]] int busy() const { return busy_; }
  [[nodiscard]] int free_slots() const { return slots_ - busy_; }
  [[nodiscard]] std::span<const Job> jobs() const { return jobs_; }

  void advance(double now_s);
  void begin(double now_s, Job job);
  // What it had made by this model, or nothing where it is not here.
  struct Ended {
    bool known = false;
    double made = 0;
  };
  Ended end(double now_s, std::uint64_t request);
  // An engine said that the prompt of this one is read.
  void first_token(double now_s, std::uint64_t request);

  // Prompt tokens that are to be read before a new one's turn.
  [[nodiscard]] double unread() const { return unread_; }
  // What is expected to be left of a job's answer: when it made more than expected, a share of that.
  [[nodiscard]] double remaining(const Job& job) const;
  // Who gets a slot before: so many, with so many tokens of their prompts to be read.
  struct Ahead {
    int count = 0;
    double unread = 0;
  };
  // Seconds until a slot is free for the one behind those.
  [[nodiscard]] double until_free_s(Ahead ahead) const;

 private:
  [[nodiscard]] int generating() const { return generating_; }
  [[nodiscard]] double rate() const;
  void finish_reading(Job& job);

  EngineSpeed speed_;
  int slots_ = 1;
  int busy_ = 0;
  int generating_ = 0;
  double at_s_ = 0;
  double made_ = 0;        // tokens each generating request has made since the beginning
  double unread_ = 0;      // sum over jobs_
  std::vector<Job> jobs_;  // in the order in which they got their slots
};

}  // namespace rbee::routing
