#include "keeper/engine_request.h"

#include "base/text.h"

namespace rbee::keeper {

net::Task<Result<net::ClientExchange>> begin_at_engine(std::shared_ptr<Core> core, net::Loop& loop,
                                                       const FleetEngine& engine, net::ClientRequest request,
                                                       Milliseconds within, bool& kept) {
  if (core->hives->is_own(engine.hive))
    return core->engines->begin(loop, engine.socket, std::move(request), within, kept);
  kept = false;
  request.target = cat("/engines/", net::percent_encode(engine.id), request.target);
  return HiveConnections::begin(core->hives, loop, engine.hive, std::move(request), within);
}

}  // namespace rbee::keeper
