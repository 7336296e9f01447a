// ScriptPolicy: the user's script, whatever language it is in.
//
// It is asked once when a request arrives, before the scheduler and outside its lock, with the fleet as it
// was last told; its word goes with the request (Request::script). An error, a limit that was reached or
// nonsense is `nothing` with a failure: then rules and strategy hold, and the failure is shown.
#pragma once

#include "domain/fleet.h"

namespace rbee::routing {

class ScriptPolicy {
 public:
  virtual ~ScriptPolicy() = default;
  // From every thread at once.
  [[nodiscard]] virtual ScriptWord ask(const Request& request, const Fleet& fleet) const = 0;
};

}  // namespace rbee::routing
