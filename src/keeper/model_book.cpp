#include "keeper/model_book.h"

#include "base/text.h"
#include "domain/model_name.h"

namespace rbee::keeper {
namespace {

// The more a name says, the more it counts; 0: it does not name this file.
int fit_of(const ModelFile& file, std::string_view name) {
  if (equal_ignoring_case(name, file.id)) return 3;
  if (!answers_to(file, name)) return 0;
  return equal_ignoring_case(name, file.name) ? 1 : 2;
}

}  // namespace

ModelBook::ModelBook(ModelSettingsByName settings) { set(std::move(settings)); }

void ModelBook::set(ModelSettingsByName settings) {
  auto page = std::make_shared<Page>();
  for (const auto& [name, one] : settings) {
    for (const std::string& alias : one.aliases) page->aliases.emplace(lower(alias), name);
  }
  page->settings = std::move(settings);
  const std::scoped_lock lock(mutex_);
  page_ = std::move(page);
}

std::shared_ptr<const ModelBook::Page> ModelBook::page() const {
  const std::scoped_lock lock(mutex_);
  return page_;
}

std::string ModelBook::resolve(std::string_view asked) const {
  const std::shared_ptr<const Page> now = page();
  if (now->aliases.empty()) return std::string(asked);
  const auto at = now->aliases.find(lower(asked));
  return at == now->aliases.end() ? std::string(asked) : at->second;
}

ModelSettings ModelBook::of(const ModelFile& file) const {
  const std::shared_ptr<const Page> now = page();
  const ModelSettings* best = nullptr;
  int best_fit = 0;
  for (const auto& [name, settings] : now->settings) {
    const int fit = fit_of(file, name);
    if (fit <= best_fit) continue;
    best_fit = fit;
    best = &settings;
  }
  return best == nullptr ? ModelSettings{} : *best;
}

std::vector<std::pair<std::string, std::string>> ModelBook::aliases() const {
  std::vector<std::pair<std::string, std::string>> all;
  const std::shared_ptr<const Page> now = page();
  for (const auto& [name, settings] : now->settings) {
    for (const std::string& alias : settings.aliases) all.emplace_back(alias, name);
  }
  return all;
}

std::vector<std::string> ModelBook::preloads() const {
  std::vector<std::string> names;
  const std::shared_ptr<const Page> now = page();
  for (const auto& [name, settings] : now->settings) {
    if (settings.preload) names.push_back(name);
  }
  return names;
}

}  // namespace rbee::keeper
