#include "keeper/model_access.h"

#include "base/text.h"
#include "domain/model_name.h"

#include <algorithm>

namespace rbee::keeper {
namespace {

using Aliases = std::vector<std::pair<std::string, std::string>>;

bool may_use_file(const Visitor& visitor, const ModelFile& file, const Aliases& aliases) {
  if (visitor.may_use(file.id) || visitor.may_use(file.name)) return true;
  return std::ranges::any_of(aliases, [&](const auto& alias) {
    return visitor.may_use(alias.first) && answers_to(file, alias.second);
  });
}

}  // namespace

std::vector<ModelFile> models_for(const Core& core, const Visitor& visitor) {
  std::vector<ModelFile> models = core.placing->models();
  if (!visitor.key || visitor.key->models.empty()) return models;
  const Aliases aliases = core.models->aliases();
  std::erase_if(models, [&](const ModelFile& file) { return !may_use_file(visitor, file, aliases); });
  return models;
}

bool may_ask(const Core& core, const Visitor& visitor, const std::string& asked) {
  if (visitor.may_use(asked)) return true;
  const std::string name = core.models->resolve(asked);
  if (visitor.may_use(name)) return true;
  const Aliases aliases = core.models->aliases();
  bool found = false;
  for (const ModelFile& file : core.placing->models()) {
    if (!answers_to(file, name)) continue;
    found = true;
    if (!may_use_file(visitor, file, aliases)) return false;
  }
  return found;
}

Error model_unknown(const Core& core, const Visitor& visitor, const std::string& asked) {
  std::vector<std::string> names;
  for (const ModelFile& file : models_for(core, visitor)) {
    names.push_back(file.id);
    names.push_back(file.name);
  }
  return Error{ErrorCode::unknown_model, cat("There is no model '", asked, "'."), did_you_mean(asked, names)};
}

}  // namespace rbee::keeper
