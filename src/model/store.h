// The models that a hive holds: a list of GGUF files, kept in models.json of the store's folder.
//
// A file stays where the user has it; the store remembers what it is and checks at each listing that it
// is still there with the size it had. Not safe from several threads; add() and open() read files and
// block, list() only looks at sizes.
#pragma once

#include "base/error.h"
#include "domain/report.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::model {

class ModelStore {
 public:
  struct Missing {
    ModelFile file;
    std::string reason;  // "'/m/x.gguf' is gone"
  };
  struct Listing {
    std::vector<ModelFile> models;  // by id
    std::vector<Missing> missing;   // known, but not as they were; they come back when the file does
  };

  // An absent models.json is an empty store. Fails with bad_config where it cannot be understood.
  [[nodiscard]] static Result<ModelStore> open(const std::filesystem::path& folder);

  // A name that ends with the file's quantization ("llama-8b-q4_k_m") is the id, and the model's name is
  // what is before it; else the id is the name with the quantization appended. Adding the same again
  // changes nothing. Fails with bad_model_file, bad_request (the name), name_taken, io_failed.
  [[nodiscard]] Result<ModelFile> add(std::string_view name, const std::filesystem::path& path);
  // Forgets it; the file stays. Fails with unknown_model.
  [[nodiscard]] Result<void> remove(std::string_view id);

  [[nodiscard]] Listing list() const;
  // Of an id. Fails with unknown_model and the near names, or with bad_model_file where the file has
  // gone or changed.
  [[nodiscard]] Result<ModelFile> find(std::string_view id) const;
  // All that answer to what a user typed: an id, a name with any quantization, name@quant.
  [[nodiscard]] std::vector<ModelFile> find_by_name(std::string_view asked) const;

 private:
  explicit ModelStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  [[nodiscard]] Result<void> save(const std::vector<ModelFile>& files) const;
  [[nodiscard]] std::vector<std::string> known_ids() const;

  std::filesystem::path folder_;
  std::vector<ModelFile> files_;  // by id
};

}  // namespace rbee::model
