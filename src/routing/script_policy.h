// ScriptPolicy: the user's script, whatever language it is in.
//
// It is asked once when a request arrives, before the scheduler and outside its lock, with the fleet as it
// was last told; its word goes with the request (Request::script). An error, a limit that was reached or
// nonsense is `nothing` with a failure: then rules and strategy hold, and the failure is shown.
#pragma once

#include "domain/fleet.h"

#include <memory>
#include <span>
#include <vector>

namespace rbee::routing {

// What changes of an engine with every request.
struct EngineNow {
  int busy = 0;
  int queued = 0;           // requests that wait for it
  double prompt_speed = 0;  // tokens a second, as they are believed
  double speed = 0;
};

class ScriptPolicy {
 public:
  virtual ~ScriptPolicy() = default;
  // From every thread at once. `engines` are those of the fleet, in its order. The fleet is the same object
  // until it changes, so that what is made of it can be kept.
  [[nodiscard]] virtual ScriptWord ask(const Request& request, const std::shared_ptr<const Fleet>& fleet,
                                       std::span<const EngineNow> engines) const = 0;
};

}  // namespace rbee::routing
