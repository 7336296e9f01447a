// Asks the web through libcurl: small documents whole, and a file by its ranges. Blocks: for a download's
// own thread.
#pragma once

#include "base/clock.h"
#include "model/part_file.h"
#include "model/web_rules.h"

#include <functional>
#include <string>

namespace rbee::model {

// Asked now and then by everything that waits; false ends it with cancelled.
using KeepOn = std::function<bool()>;

// A document of up to 32 MiB. Redirects are followed within the rules. Tried again where the network or the
// server fails for a moment. Fails with not_allowed, unknown_model (404), unreachable, cancelled.
[[nodiscard]] Result<std::string> get_document(const std::string& url, const WebSettings& settings,
                                               const std::string& accept, const KeepOn& keep_on);

// `size` bytes of a file from `offset` on. Fails as get_document(), or with bad_model_file where the server
// gives no ranges.
struct FileRange {
  std::string bytes;
  std::uint64_t total = 0;  // of the whole file
  std::string etag;
};
[[nodiscard]] Result<FileRange> get_range(const std::string& url, std::uint64_t offset, std::size_t size,
                                          const WebSettings& settings, const KeepOn& keep_on);

struct FileOrder {
  std::string url;
  std::optional<std::uint64_t> bytes = {};  // where its source told
  std::string sha256 = {};                  // the same; empty: unknown
  bool gguf = true;                         // its first bytes must say so
};
struct FileProgress {
  std::uint64_t done = 0;
  std::uint64_t bytes = 0;   // 0: not known yet
  bool checking = false;     // all is here and is being hashed
  std::string trouble = {};  // why it is being tried again; empty where it goes on
};
struct FileDone {
  std::string sha256;
  std::uint64_t bytes = 0;
};
// Fetches it into `paths.data`, going on with what an earlier try left there. The journal stays until its
// caller removes it: the file may be moved, and the journal still tells its checksum. Fails as
// get_document(), with no_space, or with bad_model_file where size, checksum or content are wrong; then
// what has come is thrown away.
[[nodiscard]] Result<FileDone> fetch_file(const FileOrder& order, const PartFile::Paths& paths,
                                          const WebSettings& settings, const Clock& clock,
                                          const std::function<void(const FileProgress&)>& on_progress,
                                          const KeepOn& keep_on);

}  // namespace rbee::model
