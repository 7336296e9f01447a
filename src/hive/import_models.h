// Models that other programs have fetched: found in their folders, and linked into the store.
#pragma once

#include "base/json.h"
#include "model/store.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace rbee::hive {

// Where Ollama, LM Studio, the Hugging Face tools and llama.cpp keep their models, by the environment.
[[nodiscard]] std::vector<std::filesystem::path> known_model_folders(
    std::span<const std::string> environment);

// {"imported": [ModelFile], "skipped": [{"path", "reason"}]}. `named`: the user named the folders, so one
// that is not there is told of; of the known ones only those that cannot be read are.
[[nodiscard]] Json import_models(model::ModelStore& store, const std::vector<std::filesystem::path>& folders,
                                 bool named);

}  // namespace rbee::hive
