// Hedging: a stream that begins late is put to a second engine as well, where the scheduler has one that is
// expected to be faster. The first of the two to begin answers; the other is let go of at once, and its slot
// counts as busy until it has closed. Nothing is with the client while that is decided.
#pragma once

#include "keeper/passage.h"

namespace rbee::keeper {

// Waits for the head of the answer of the chosen engine, which was asked. `engine` becomes the exchange with
// the second one where that began first, and `by` that one.
net::Task<Result<void>> read_head_or_hedge(Passage& passage, const FleetEngine& chosen,
                                           net::ClientExchange& engine,
                                           std::shared_ptr<const FleetEngine>& by);

}  // namespace rbee::keeper
