// An answer on its way from one connection to another, piece by piece: with its framing left as it came where
// the other end can take that, and re-framed where it cannot. For whoever stands between two ends.
#pragma once

#include "net/client.h"
#include "net/server.h"

namespace rbee::net {

// An HTTP/1.0 client knows no chunks, and a body that ends with its connection has no framing to pass on.
[[nodiscard]] bool can_pass_framing(const Exchange& to, const ClientExchange& from);
// The next piece, raw or decoded. Fails as read_raw and read_some.
Task<Result<ClientExchange::Raw>> next_piece(ClientExchange& from, bool raw, Milliseconds silence);
// Writes a piece; the last one ends the answer.
Task<Result<void>> pass_piece(Exchange& to, std::string_view bytes, bool last, bool raw);

}  // namespace rbee::net
