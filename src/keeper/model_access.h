// Which models a visitor may use: those that his key names, by their id, name or alias.
#pragma once

#include "keeper/core.h"
#include "keeper/gate.h"

#include <string>
#include <vector>

namespace rbee::keeper {

[[nodiscard]] std::vector<ModelFile> models_for(const Core& core, const Visitor& visitor);
// Where a name stands for several files, all of them must be his.
[[nodiscard]] bool may_ask(const Core& core, const Visitor& visitor, const std::string& asked);
// What he hears of a model that is not there, or not for him: both are the same to him.
[[nodiscard]] Error model_unknown(const Core& core, const Visitor& visitor, const std::string& asked);

}  // namespace rbee::keeper
