// carry(): the keeper takes a model from one hive and brings it to another piece by piece, where the two
// cannot reach each other. It holds one piece at a time; what was cut is gone on with by who asks again.
#pragma once

#include "keeper/core.h"
#include "net/server.h"

namespace rbee::keeper {

struct CarriedModel {
  std::string model;  // the id that `from` has it by
  std::string from;
  std::string to;
};

// Answers with server-sent events, as a download does: progress, then result or error.
net::Task<void> carry(std::shared_ptr<Core> core, net::Exchange& exchange, CarriedModel what);

}  // namespace rbee::keeper
