// Taking up: a stream whose engine is lost goes on with another one (resume.h says with which words), or its
// client is told in it why it ends.
#pragma once

#include "keeper/passage.h"

namespace rbee::keeper {

// A worker that its owner took back has said why.
[[nodiscard]] Error lost_error(const Core& core, const std::string& worker);
// Whether what the client has can be the beginning of another engine's answer; if not, the client is told.
net::Task<bool> plan_take_up(Passage& passage, const Attempt& attempt, std::string worker);
// The chosen engine goes on with the stream, where its chat template lets a text go on.
net::Task<void> go_on(Passage& passage, const FleetEngine& chosen, Attempt& attempt);

}  // namespace rbee::keeper
