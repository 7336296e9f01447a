#include "model/verify.h"

#include "base/text.h"
#include "model/model_parts.h"
#include "model/sha256.h"

namespace rbee::model {

Result<ModelFile> verify(const ModelFile& file, const std::function<bool()>& keep_on,
                         std::atomic<std::uint64_t>& done) {
  const Result<ModelParts> parts = read_model(file.path);
  if (!parts) return parts.error();
  std::vector<std::string> sha256s;
  for (const std::filesystem::path& path : parts->files) {
    const Result<std::string> sha256 = sha256_of_file(path, keep_on, &done);
    if (!sha256) return sha256.error();
    sha256s.push_back(*sha256);
  }
  // Of several parts the checksum of their checksums, as the store keeps it.
  ModelFile checked = file;
  checked.sha256 = sha256s.size() == 1 ? sha256s.front() : sha256_of(join(sha256s, "\n"));
  if (!file.projector.empty()) {
    // One of the store is named by its checksum; of one that lies elsewhere nobody has told it.
    const std::filesystem::path projector = file.projector;
    const Result<std::string> sha256 = sha256_of_file(projector, keep_on, &done);
    if (!sha256) return sha256.error();
    if (is_sha256(projector.stem().string()) && projector.stem() != *sha256) {
      return Error{ErrorCode::bad_model_file,
                   cat("The projector of '", file.id, "' has changed: its checksum is ", *sha256, "."),
                   cat("`rbee model remove ", file.id, "`, and fetch it again."),
                   {}};
    }
  }
  if (file.sha256.empty() || file.sha256 == checked.sha256) return checked;
  return Error{
      ErrorCode::bad_model_file,
      cat("'", file.id, "' has changed: its checksum is ", checked.sha256, ", not ", file.sha256, "."),
      cat("`rbee model remove ", file.id, "`, and fetch it again."),
      {}};
}

}  // namespace rbee::model
