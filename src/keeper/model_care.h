// ModelCare: engines that nobody has used for their model's keep_alive go, and models that are to be there
// before anybody asks come. Pure but for a mutex: the time and the fleet go in, what is to be done comes out.
#pragma once

#include "base/brief_mutex.h"
#include "domain/fleet.h"
#include "keeper/model_book.h"
#include "routing/scheduler.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rbee::keeper {

// What a request says of it (Ollama's `keep_alive`): this long, or for ever.
struct KeepAliveWish {
  std::optional<Milliseconds> time = {};  // nothing: for ever
};

class ModelCare {
 public:
  // A request began or ended on that engine. The last wish holds until there is another.
  void used(const std::string& engine_id, Instant now, const std::optional<KeepAliveWish>& wish);
  void preload_failed(const std::string& name, Instant now);

  struct ToDo {
    std::vector<routing::Unload> unload = {};
    std::vector<std::string> preload = {};  // names; each is told once, and again after preload_failed()
  };
  // To be asked once a second or so. `fleet` with the scheduler's busy counts.
  [[nodiscard]] ToDo look(Instant now, const Fleet& fleet, const ModelBook& book);
  [[nodiscard]] std::optional<Instant> last_used(const std::string& engine_id) const;
  // When an engine would go if nobody used it any more; nothing: never, or it is not known yet.
  [[nodiscard]] std::optional<Instant> goes_at(const std::string& engine_id) const;

 private:
  struct Engine {
    Instant last_use = {};
    std::optional<KeepAliveWish> wish = {};
    std::optional<Milliseconds> keep = default_keep_alive;  // as look() found it, or the last wish said
    std::optional<Instant> told_at = {};                    // that it is to go
    bool seen = false;                                      // by this look
  };
  struct Preload {
    bool told = false;
    std::optional<Instant> again_at = {};
  };
  void look_at_engine(Instant now, const FleetEngine& engine, const ModelFile* file, const ModelBook& book,
                      ToDo& todo);
  [[nodiscard]] bool wants_preload(Instant now, const std::string& name, const Fleet& fleet);

  mutable BriefMutex mutex_;
  std::unordered_map<std::string, Engine> engines_;
  std::map<std::string, Preload, std::less<>> preloads_;
};

}  // namespace rbee::keeper
