#include "keeper/engine_request.h"

#include "base/text.h"

namespace rbee::keeper {

net::Task<Result<net::ClientExchange>> begin_at_engine(std::shared_ptr<Core> core, net::Loop& loop,
                                                       FleetEngine engine, net::ClientRequest request,
                                                       Milliseconds within) {
  if (core->hives->is_own(engine.hive)) {
    net::Endpoint socket{.unix_path = engine.socket};
    return net::ClientExchange::begin(loop, std::move(socket), std::move(request), within);
  }
  request.target = cat("/engines/", net::percent_encode(engine.id), request.target);
  return HiveConnections::begin(core->hives, loop, engine.hive, std::move(request), within);
}

}  // namespace rbee::keeper
