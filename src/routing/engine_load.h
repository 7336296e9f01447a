// EngineLoad: what an engine is doing now, as far as it can be told from outside: which requests it has, how
// much of their prompts is read, how much of their answers is made, and how long that will take.
//
// It is moved along by the speeds that are believed, and set right by the ends of requests. An engine reads
// prompts one after the other, and all but stops generating meanwhile; requests that generate slow each other
// down (shared with the simulator's worker, and measured on llama.cpp). Prompts that come while another is
// read, or with one to the moment, are read in one batch: the time that each prompt takes, however short, is
// paid once in a batch.
// Engines that have work and compute on one device have equal parts of it: so do the programs on a GPU or a
// CPU whose driver or kernel gives each its turn. Beliefs are of an engine that has the device to itself.
#pragma once

#include "routing/engine_speed.h"
#include "routing/learned_speed.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace rbee::routing {

struct Job {
  std::uint64_t request = 0;
  double unread = 0;  // tokens of its prompt that are not in the cache, and the start's time as tokens
  double output = 0;  // tokens it is expected to make
  int slots = 1;
  double prompt = 0;  // tokens of its prompt that are not in the cache, as it came
  // The engine's own:
  bool reading = true;
  bool told = false;  // when its first token came
  double began_s = 0;
  double first_token_s = 0;
  double read_with = 0;  // see Company
  double read_since_s = 0;
  double read_share = 1;
  double began_device_s = 0;
  std::uint64_t batch = 0;
  // When it began to generate.
  double made_before = 0;
  Company seen_before = {};
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
  // So many other engines with work are on its device from now on.
  void set_rivals(double now_s, int rivals);
  [[nodiscard]] int rivals() const { return rivals_; }
  // How much longer everything takes for them, while it has work itself.
  [[nodiscard]] double stretch() const { return 1.0 + rivals_; }

  void advance(double now_s);
  void begin(double now_s, Job job);
  // The company that it had, where it is here.
  struct Ended {
    bool known = false;
    Company company = {};
  };
  // `output_s`: for how long it generated, where its own timings say so.
  Ended end(double now_s, std::uint64_t request, double output_s = 0);
  // An engine said that the prompt of this one is read.
  void first_token(double now_s, std::uint64_t request);

  // Prompt tokens that are to be read before a new one's turn.
  [[nodiscard]] double unread() const { return unread_; }
  // A prompt that came now would be read in one batch with another.
  [[nodiscard]] bool joins_batch() const;
  // What is expected to be left of a job's answer: when it made more than expected, a share of that.
  [[nodiscard]] double remaining(const Job& job) const {
    const double made = job.reading ? 0 : made_ - job.made_before;
    return std::max(job.output - made, job.output / 4);
  }
  // What an answer of so many tokens takes from when its prompt is read, as those who are there end before.
  [[nodiscard]] double answer_s(double tokens) const;
  // Who gets a slot before: so many, with so many tokens of their prompts to be read.
  struct Ahead {
    int count = 0;
    double unread = 0;
  };
  // Seconds until a slot is free for the one behind those.
  [[nodiscard]] double until_free_s(Ahead ahead) const;
  // Until all who are there have their answers.
  [[nodiscard]] double until_idle_s() const;

 private:
  [[nodiscard]] int generating() const { return generating_; }
  [[nodiscard]] double rate() const;
  void generate(double seconds);
  void finish_reading(Job& job);
  void begin_generating(Job& job);
  void tell_first_token(Job& job, double at_s);
  [[nodiscard]] double perhaps_read_with(const Job& job) const;
  [[nodiscard]] double share_since_begun(const Job& job) const;

  EngineSpeed speed_;
  int slots_ = 1;
  int busy_ = 0;
  int rivals_ = 0;
  int generating_ = 0;
  double at_s_ = 0;
  double device_s_ =
      0;  // what it had of its device since the beginning; the same as above where it has no rivals
  double made_ = 0;    // tokens each generating request has made since the beginning
  Company seen_;       // since the beginning
  double unread_ = 0;  // sum over jobs_
  std::uint64_t batches_ = 0;
  double batch_open_until_s_ = 0;  // of the one that was begun last
  std::vector<Job> jobs_;          // in the order in which they got their slots
};

}  // namespace rbee::routing
