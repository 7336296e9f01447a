// CORS: what a browser must hear so that a page of another site may read an answer. Only for pages that
// allow_origins names.
#pragma once

#include "net/server.h"

namespace rbee::keeper {

// A browser's question whether its page may ask.
[[nodiscard]] bool is_preflight(const net::RequestHead& head);
// Whatever is answered may be read by the page that the request names.
void let_page_read(net::Exchange& exchange);
// After let_page_read().
net::Task<void> answer_preflight(net::Exchange& exchange);

}  // namespace rbee::keeper
