// ask_engine(): one request put to one engine, and its answer relayed. What becomes of the request where that
// engine is not the one to answer it is the caller's: nothing was sent to the client then.
#pragma once

#include "keeper/passage.h"

namespace rbee::keeper {

// An engine's socket is on this machine and takes a connection in microseconds, or it is stuck.
inline constexpr Milliseconds engine_connects_within{5'000};
// An engine notices a departed client within its current batch, or after a second without news for anybody;
// one that has not let go by now is its hive's to judge.
inline constexpr Milliseconds engine_lets_go_within{60'000};
// The errors of an engine have some hundred bytes; one about a grammar may have the grammar in it.
inline constexpr std::size_t largest_error_bytes = 1u << 20;

// The fields that say who answers this request, and why.
[[nodiscard]] net::Headers own_headers(const Passage& passage, const std::string& worker);
// Before the head of an answer goes out: how long the keeper itself was about it, told and counted.
void tell_overhead(Passage& passage);
// An answer that was kept goes to the client after all.
net::Task<Outcome> pass_on(Passage& passage, Kept kept, std::string worker);
// It as an engine gets it; `span_id`: of this asking.
[[nodiscard]] net::ClientRequest engine_request(const Passage& passage, std::string_view span_id);
// Whether the head that was read is that of an answer: no error, and no word that the engine is gone.
[[nodiscard]] bool begins_answer(const net::ClientExchange& engine);
// What came of it is written to `attempt`: one place for all the steps of a stream, ten thousand of which may
// be under way.
net::Task<void> ask_engine(Passage& passage, const FleetEngine& chosen, Attempt& attempt);

}  // namespace rbee::keeper
