// Agent: a model that its keeper brings piece by piece, where this hive cannot reach the one that has it.
//
// A file is appended to at the place where it ends and nowhere else, so whoever was cut asks where that is
// and goes on. It counts as a model only when its checksum is right.
#include "hive/agent.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "domain/model_name.h"
#include "model/sha256.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <utility>

namespace rbee::hive {
namespace {

// A keeper brings a few models at a time.
constexpr std::size_t most_uploads = 16;
constexpr std::size_t key_digits = 32;

std::uint64_t size_of(const std::filesystem::path& path) {
  std::error_code failure;
  const std::uintmax_t bytes = std::filesystem::file_size(path, failure);
  return failure ? 0 : bytes;
}

Result<void> append(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.flush();
  if (file) return {};
  return io_error(cat("'", path.string(), "' cannot be written"), errno);
}

// Checked and put among the store's files; what is wrong is thrown away.
Result<void> take_file(const Upload::File& file, const std::function<bool()>& keep_on) {
  if (size_of(file.blob) == file.bytes) return {};
  const Result<std::string> sha256 = model::sha256_of_file(file.part, keep_on);
  if (!sha256) return sha256.error();
  std::error_code failure;
  if (*sha256 != file.sha256) {
    std::filesystem::remove(file.part, failure);
    return Error{
        ErrorCode::bad_model_file,
        cat("A file came with the checksum ", *sha256, ", not ", file.sha256, ". It was thrown away."),
        "Copy it again.",
        {}};
  }
  std::filesystem::rename(file.part, file.blob, failure);
  if (failure) return io_error(cat("'", file.blob.string(), "' cannot be made"), failure.value());
  return {};
}

}  // namespace

net::Task<Result<std::string>> Agent::post_upload(std::string body) {
  const Result<Json> json = parse_json(body);
  if (!json) co_return json.error();
  Upload upload{.model = text_of(*json, "model"),
                .has_projector = get_bool(*json, "projector").value_or(false),
                .files = {}};
  if (Result<void> good = check_name(upload.model); !good) co_return good.error();
  std::string all;
  for (const Json& file : get_array(*json, "files")) {
    const std::string sha256 = text_of(file, "sha256");
    const std::int64_t bytes = get_int(file, "bytes").value_or(0);
    if (!model::is_sha256(sha256) || bytes <= 0)
      co_return Error{ErrorCode::bad_request, "A file has no size or no checksum.", {}, {}};
    upload.files.push_back(
        {.sha256 = sha256,
         .bytes = static_cast<std::uint64_t>(bytes),
         .part = folders_.models / "downloads" / cat(sha256.substr(0, key_digits), ".upload"),
         .blob = folders_.models / "blobs" / cat(sha256, ".gguf")});
    all += sha256;
  }
  if (upload.files.size() <= (upload.has_projector ? 1u : 0u))
    co_return Error{ErrorCode::bad_request, "There is no file to take.", {}, {}};
  Json have = Json::array();
  for (Upload::File& file : upload.files) {
    for (const auto& folder : {file.part.parent_path(), file.blob.parent_path()}) {
      if (Result<void> made = make_folder(folder); !made) co_return made.error();
    }
    const bool whole = size_of(file.blob) == file.bytes;
    file.have = whole ? file.bytes : std::min(size_of(file.part), file.bytes);
    have.push_back(file.have);
  }
  const std::string id = model::sha256_of(all).substr(0, key_digits);
  if (uploads_.size() >= most_uploads && !uploads_.contains(id)) uploads_.erase(uploads_.begin());
  uploads_.insert_or_assign(id, std::move(upload));
  co_return dump_json(Json{{"id", id}, {"have", std::move(have)}});
}

// `path`: {"uploads", ID, file, offset}, or {"uploads", ID, "done"}.
net::Task<Result<std::string>> Agent::go_on_with_upload(std::vector<std::string> path, std::string body) {
  const auto at = uploads_.find(path.at(1));
  if (at == uploads_.end())
    co_return Error{ErrorCode::unknown_name, cat("There is no upload '", path.at(1), "'."), {}, {}};
  if (path.size() == 3 && path.at(2) == "done") {
    net::Task<Result<std::string>> ending = end_upload(at->second);
    Result<std::string> ended = co_await ending;
    if (ended) uploads_.erase(path.at(1));
    co_return ended;
  }
  const auto number = parse_int<std::size_t>(path.at(2));
  const auto offset = path.size() == 4 ? parse_int<std::uint64_t>(path.at(3)) : std::nullopt;
  Upload::File* file = number && *number < at->second.files.size() ? &at->second.files[*number] : nullptr;
  const bool fits = file != nullptr && offset && *offset == file->have && !file->writing &&
                    body.size() <= file->bytes - file->have;
  if (!fits) co_return Error{ErrorCode::bad_request, "That is not where the file goes on.", {}, {}};
  file->writing = true;
  const std::string id = path.at(1);
  const std::size_t size = body.size();
  std::function<Result<void>()> write = [part = file->part, bytes = std::move(body)] {
    return append(part, bytes);
  };
  const Result<void> written = co_await files_->run(loop_, std::move(write));
  // It may have been replaced meanwhile.
  const auto again = uploads_.find(id);
  if (again == uploads_.end()) co_return closing_upload();
  Upload::File& same = again->second.files.at(*number);
  same.writing = false;
  if (!written) co_return written.error();
  same.have += size;
  co_return dump_json(Json{{"have", same.have}});
}

Error Agent::closing_upload() {
  return Error{ErrorCode::unknown_name, "The upload was given up meanwhile.", "Begin it anew.", {}};
}

net::Task<Result<std::string>> Agent::end_upload(Upload upload) {
  std::function<Result<void>()> check = [files = upload.files, ending = ending_]() -> Result<void> {
    const auto keep_on = [&] { return !ending->load(); };
    for (const Upload::File& file : files) {
      if (Result<void> taken = take_file(file, keep_on); !taken) return taken;
    }
    return {};
  };
  const Result<void> checked = co_await checks_->run(loop_, std::move(check));
  if (!checked) co_return checked.error();
  std::vector<std::string> sha256s;
  for (const Upload::File& file : upload.files) sha256s.push_back(file.sha256);
  std::string projector;
  if (upload.has_projector) {
    projector = sha256s.back();
    sha256s.pop_back();
  }
  std::function<Result<ModelFile>()> add = [store = store_, name = upload.model, sha256s, projector] {
    return (*store)->add_blobs(name, sha256s, projector);
  };
  const Result<ModelFile> added = co_await work_->run(loop_, std::move(add));
  if (!added) co_return added.error();
  co_await take_in(*added);
  co_return dump_json(Json{{"model", to_json(*added)}});
}

}  // namespace rbee::hive
