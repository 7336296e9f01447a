#include "device/rest.h"

namespace rbee::device {

Asking Rest::at(Instant now, std::string_view control, std::string_view status) {
  may_sleep_ = control == "auto";
  if (status == "suspended" || status == "suspending") {
    idle_since_.reset();
    rest_until_.reset();
    return Asking::asleep;
  }
  if (!may_sleep_) return Asking::ask;
  return rest_until_ && now < *rest_until_ ? Asking::leave : Asking::ask;
}

void Rest::saw(Instant now, bool busy) {
  if (busy || !idle_since_) {
    idle_since_ = now;
    rest_until_.reset();
    return;
  }
  if (may_sleep_ && now - *idle_since_ >= idle_before_rest) rest_until_ = now + rest_for;
}

}  // namespace rbee::device
