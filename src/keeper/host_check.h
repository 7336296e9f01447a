// Whether a request was meant for this keeper. A page on the web may make a browser send requests to loopback
// (DNS rebinding, or plain cross-site posts): its Host or Origin gives it away.
#pragma once

#include "base/error.h"
#include "net/http.h"

#include <span>
#include <string>

namespace rbee::keeper {

// That Host names this machine: for who needs no key. Fails with not_allowed or bad_request.
[[nodiscard]] Result<void> check_host(const net::RequestHead& head);

// Of which page a request comes: none, one of this machine or of the very address that is asked, or one of
// `allowed` ("https://chat.example", "*"). Fails with not_allowed for any other.
enum class Page { none, own, allowed };
[[nodiscard]] Result<Page> page_of(const net::RequestHead& head, std::span<const std::string> allowed);

}  // namespace rbee::keeper
