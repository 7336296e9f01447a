// A Router to play with in tests: pictures of fleets go in, what it does comes out as words.
#pragma once

#include "routing/fleet_picture.h"
#include "routing/router.h"

#include <optional>
#include <string>

namespace rbee::routing {

inline std::string text_of(const Action& action) {
  if (const auto* send = std::get_if<Send>(&action))
    return cat("send ", send->request, " to ", send->engine->id);
  if (const auto* load = std::get_if<Load>(&action))
    return cat("load ", load->model_id, " on ", load->worker);
  if (const auto* unload = std::get_if<Unload>(&action)) return cat("unload ", unload->engine_id);
  if (const auto* refuse = std::get_if<Refuse>(&action)) {
    return cat("refuse ", refuse->request, " ", info(refuse->error.code).name);
  }
  return "";
}

// A scheduler, a clock, and what it did as words: "send 1 to e1; load a on cpu-2". Wake-ups are left out.
struct Play {
  Router scheduler;
  Instant now{};
  std::optional<Refuse> refused;
  std::optional<Instant> wake;

  explicit Play(std::string_view picture, Limits limits = {}, Policy policy = {})
      : scheduler({.limits = limits, .policy = std::move(policy)}) {
    fleet(picture);
  }

  std::string say(const Actions& actions) {
    std::string said;
    for (const Action& action : actions) {
      if (const auto* refuse = std::get_if<Refuse>(&action)) refused = *refuse;
      if (const auto* at = std::get_if<WakeAt>(&action)) wake = at->time;
      const std::string word = text_of(action);
      if (!word.empty()) said += cat(said.empty() ? "" : "; ", word);
    }
    return said;
  }
  std::string fleet(std::string_view picture) { return say(scheduler.on_fleet(now, fleet_of(picture))); }
  std::string ask(std::uint64_t id, const std::string& model, const std::string& worker = "", int slots = 1) {
    Request request;
    request.id = id;
    request.model = model;
    request.worker = worker;
    request.slots = slots;
    return say(scheduler.on_request(now, request));
  }
  std::string done(std::uint64_t id) { return say(scheduler.on_done(now, id, {})); }
  std::string cancel(std::uint64_t id) { return say(scheduler.on_cancel(now, id)); }
  std::string lost(std::uint64_t id) { return say(scheduler.on_returned(now, id, Returned::lost)); }
  std::string not_ready(std::uint64_t id) { return say(scheduler.on_returned(now, id, Returned::not_ready)); }
  std::string refuse_load(const std::string& worker, const std::string& model, ErrorCode code) {
    return say(scheduler.on_load_refused(now, worker, model, Error{code, "the hive's words", {}, {}}));
  }
  std::string later(Milliseconds by) {
    now += by;
    return say(scheduler.on_timer(now));
  }
};

}  // namespace rbee::routing
