// ask_engine(): one request put to one engine, and its answer relayed. What becomes of the request where that
// engine is not the one to answer it is the caller's: nothing was sent to the client then.
#pragma once

#include "keeper/passage.h"

namespace rbee::keeper {

// An engine's socket is on this machine and takes a connection in microseconds, or it is stuck.
inline constexpr Milliseconds engine_connects_within{5'000};
// The errors of an engine have some hundred bytes; one about a grammar may have the grammar in it.
inline constexpr std::size_t largest_error_bytes = 1u << 20;

// The fields that say who answers this request, and why.
[[nodiscard]] net::Headers own_headers(const Passage& passage, const std::string& worker);
// Before the head of an answer goes out: how long the keeper itself was about it, told and counted.
void tell_overhead(Passage& passage);
// An answer that was kept goes to the client after all.
net::Task<Attempt> pass_on(Passage& passage, Kept kept, std::string worker);
// `chosen` must outlive the task.
net::Task<Attempt> ask_engine(Passage& passage, const FleetEngine& chosen);

}  // namespace rbee::keeper
