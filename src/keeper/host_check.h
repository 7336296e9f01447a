// Whether a request was meant for this machine's own keeper. A page on the web may make a browser send
// requests to loopback (DNS rebinding, or plain cross-site posts): its Host or Origin gives it away.
#pragma once

#include "base/error.h"
#include "net/http.h"

namespace rbee::keeper {

// Fails with not_allowed.
[[nodiscard]] Result<void> check_host(const net::RequestHead& head);

}  // namespace rbee::keeper
