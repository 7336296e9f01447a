// The models that a hive holds: names to GGUF files, kept in models.json of the store's folder.
//
// What was fetched lies in blobs/, each file under its sha256, one copy however many names it has; a split
// model is a folder of sets/ with links to its parts, named as the engine wants them. A file that a user
// added stays where it is; the store remembers what it is and checks at each listing that it is still there
// with the size it had. Not safe from several threads; add() and open() read files and block, list() only
// looks at sizes.
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
  // The same of files that lie in blobs/ already, by their checksums in the order of their parts.
  // `projector`: the checksum of the one that belongs to it; empty: none.
  [[nodiscard]] Result<ModelFile> add_blobs(std::string_view name, const std::vector<std::string>& sha256s,
                                            const std::string& projector = {});
  // A file of another program: a hard link in the store where the file system allows one, so that it stays
  // when that program lets go of it; else the file where it is.
  struct Foreign {
    std::filesystem::path path;
    std::string sha256 = {};               // empty: unknown
    std::filesystem::path projector = {};  // empty: the one that lies beside it, where one does
    std::string projector_sha256 = {};
  };
  [[nodiscard]] Result<ModelFile> import(std::string_view name, const Foreign& file);
  // Another name for the same file. Fails with unknown_model, name_taken.
  [[nodiscard]] Result<ModelFile> add_alias(std::string_view name, std::string_view id);
  // A checksum that was computed of it. Fails with unknown_model.
  [[nodiscard]] Result<void> set_sha256(std::string_view id, const std::string& sha256);
  [[nodiscard]] std::filesystem::path blob_path(const std::string& sha256) const;
  [[nodiscard]] std::filesystem::path downloads_folder() const { return folder_ / "downloads"; }
  // Removes files of the store that no name leads to and no download waits with: for the hive, when it starts
  // and after what came was no model. Does nothing where there is no models.json.
  void sweep() const;
  // Forgets it; a file of the store goes with its last name, a user's own stays. Fails with unknown_model.
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
  [[nodiscard]] Result<ModelFile> put(std::string_view name, const std::filesystem::path& path,
                                      const std::string& sha256, const std::filesystem::path& projector);
  // The store's own link to a file of another program; the file itself where none can be made.
  [[nodiscard]] Result<std::filesystem::path> link_in(const std::filesystem::path& path,
                                                      const std::string& sha256) const;
  [[nodiscard]] Result<ModelFile> enter(ModelFile file);
  [[nodiscard]] bool is_in_a_set(const std::filesystem::path& blob) const;
  [[nodiscard]] Result<std::filesystem::path> make_set(const std::vector<std::string>& sha256s) const;
  [[nodiscard]] std::vector<std::string> known_ids() const;

  std::filesystem::path folder_;
  std::vector<ModelFile> files_;  // by id
};

}  // namespace rbee::model
