// ModelBook: what the user's configuration says of models, for every thread; taken up anew while running.
#pragma once

#include "base/brief_mutex.h"
#include "domain/model_settings.h"
#include "domain/report.h"

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rbee::keeper {

class ModelBook {
 public:
  explicit ModelBook(ModelSettingsByName settings = {});
  void set(ModelSettingsByName settings);

  // Of an alias the name that it stands for; any other name as it is.
  [[nodiscard]] std::string resolve(std::string_view asked) const;
  // What its id says, else name@quant, else the name; the defaults where nothing is said.
  [[nodiscard]] ModelSettings of(const ModelFile& file) const;
  // Each with the name that it stands for.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> aliases() const;
  // The names of those that are to be loaded before anybody asks.
  [[nodiscard]] std::vector<std::string> preloads() const;

 private:
  struct Page {
    ModelSettingsByName settings;
    std::map<std::string, std::string, std::less<>> aliases;  // in lower case
  };
  [[nodiscard]] std::shared_ptr<const Page> page() const;
  mutable BriefMutex mutex_;
  std::shared_ptr<const Page> page_;
};

}  // namespace rbee::keeper
