// PartFile: a file that is being fetched, beside the journal that says what of it is there.
//
// One thread of its own hashes the contiguous front as it grows and another keeps the journal, so that
// neither a checksum nor a slow disk holds up the network, nor the disk the checksum. Whatever moment the
// process or the machine ends at, what the journal says is there is there: data is synced before the journal
// names it.
#pragma once

#include "base/json.h"
#include "model/sha256.h"
#include "model/transfer.h"

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace rbee::model {

// What a journal keeps of a file.
struct PartState {
  std::string url;
  std::uint64_t bytes = 0;
  std::string etag;
  std::vector<Span> missing;
  std::string sha256;  // once all of it was hashed
};
[[nodiscard]] Json to_json(const PartState& state);
// Nothing where it is damaged, or says what cannot be: then the file is fetched anew.
[[nodiscard]] std::optional<PartState> part_state_from_json(const Json& json);

class PartFile {
 public:
  struct Paths {
    std::filesystem::path data;
    std::filesystem::path journal;
  };
  // What an earlier try left; nothing where the journal is damaged or absent.
  [[nodiscard]] static std::optional<PartState> read_journal(const Paths& paths);
  // Whether the data reaches as far as the journal says.
  [[nodiscard]] static bool has_data_of(const PartState& state, const Paths& paths);

  // Opens or makes the file; `clock` must outlive it. Fails with io_failed or no_space.
  [[nodiscard]] static Result<std::unique_ptr<PartFile>> open(Paths paths, const Clock& clock);
  // Keeps the journal of what is there by now.
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  // Fails with no_space or io_failed.
  [[nodiscard]] Result<void> write(std::uint64_t at, std::string_view bytes);
  // What is there by now; `front`: all before it. Cheap: the thread does the rest.
  void note(PartState state, std::uint64_t front);
  // It is another file from now on. Fails with io_failed.
  [[nodiscard]] Result<void> restart();
  // Hashed bytes, for progress.
  [[nodiscard]] std::uint64_t hashed_bytes() const;
  // Waits until all `bytes` are hashed, synced and in the journal with the checksum. `keep_on` is asked now
  // and then; false from it ends the wait with cancelled.
  [[nodiscard]] Result<std::string> finish(std::uint64_t bytes, const std::function<bool()>& keep_on);

 private:
  PartFile(Paths paths, const Clock& clock, int file);
  void keep_hashing();
  void keep_journal();
  void hash_some(std::unique_lock<std::mutex>& lock);
  void save(std::unique_lock<std::mutex>& lock);

  Paths paths_;
  const Clock& clock_;
  int file_;
  std::mutex journal_mutex_;  // of the journal's file; locked before mutex_
  mutable std::mutex mutex_;
  std::condition_variable news_;
  PartState state_;
  bool unsaved_ = false;
  std::uint64_t front_ = 0;
  std::uint64_t hashed_ = 0;
  std::uint64_t generation_ = 0;  // grows with each restart
  std::optional<std::uint64_t> finish_at_;
  std::string sha256_;  // of all; in the journal by the time that finish() gives it
  bool whole_is_kept_ = false;
  std::optional<Error> failure_;
  bool ending_ = false;
  Sha256 hash_;              // the hashing thread's, and so is this
  std::vector<char> piece_;  // what it hashes now
  std::thread hashing_;
  std::thread journal_;
};

}  // namespace rbee::model
