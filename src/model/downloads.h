// Downloads: the models that are on their way to this hive. One for each source, however many ask for it,
// each on a thread of its own; they go on after a restart of the hive, until they are done, failed or
// cancelled.
//
// Safe from every thread. The callbacks run on a download's thread.
#pragma once

#include "base/clock.h"
#include "domain/report.h"
#include "model/hub.h"

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace rbee::model {

// Where another hive of the system has a model, by a ticket that its keeper got for us.
struct FromHive {
  std::string hive;     // its name
  std::string address;  // "10.0.0.8:7835"
  std::string key;      // the print of its key
  std::string ticket;
  std::string model;              // the id that it has there, and gets here
  bool projector = false;         // the last of the files
  std::vector<WantedFile> files;  // their URLs are not told
};

struct DownloadRequest {
  std::string source;  // as a user writes it
  std::string quant = {};
  std::string name = {};  // of the model; empty: its source's
  bool allow_private = false;
  std::optional<FromHive> from = {};  // then `source` only names it
  // Hives that may have the same files: asked before the web for those whose checksums are the source's, and
  // instead of it where the source cannot be asked at all.
  std::vector<FromHive> peers = {};
};
[[nodiscard]] Json to_json(const DownloadRequest& request);
[[nodiscard]] std::optional<DownloadRequest> download_request_from_json(const Json& json);

class Downloads {
 public:
  struct Options {
    std::filesystem::path folder;  // the store's; parts lie in downloads/, what is whole in blobs/
    WebSettings web = {};
  };
  struct Events {
    // Enters what came into the store; blocks. Fails as ModelStore::add_blobs.
    std::function<Result<ModelFile>(const std::string& name, const std::vector<std::string>& sha256s,
                                    const std::string& projector)>
        store;
    std::function<void()> changed;
  };
  // `clock` must outlive it.
  Downloads(Options options, const Clock& clock, Events events);
  // Ends all that run; what has come stays, and resume() goes on with it.
  ~Downloads();
  Downloads(const Downloads&) = delete;
  Downloads& operator=(const Downloads&) = delete;

  // Those that an earlier life of this hive has left.
  void resume();
  // Its id. One that is on its way already is that one. Fails with bad_request or unknown_model (the name).
  [[nodiscard]] Result<std::string> start(const DownloadRequest& request);
  // By its id or the model's name; what has come is thrown away. Fails with unknown_name.
  [[nodiscard]] Result<void> cancel(const std::string& which);

  struct View {
    DownloadReport report;
    std::optional<Error> error = {};
    std::optional<ModelFile> model = {};
    [[nodiscard]] bool is_over() const { return error.has_value() || model.has_value(); }
  };
  [[nodiscard]] std::optional<View> find(const std::string& id) const;
  [[nodiscard]] std::vector<DownloadReport> list() const;

 private:
  struct Entry;
  [[nodiscard]] static Result<Source> source_of(const DownloadRequest& request);
  [[nodiscard]] WebSettings web_of(const Entry& entry) const;
  [[nodiscard]] WebSettings web_to(const FromHive& hive) const;
  struct Way {
    std::string url;
    WebSettings web;
  };
  [[nodiscard]] std::vector<Way> ways_to(const Entry& entry, const WantedFile& file) const;
  [[nodiscard]] Result<WantedModel> find_wanted(Entry& entry) const;
  void run(Entry& entry);
  [[nodiscard]] Result<ModelFile> bring(Entry& entry);
  [[nodiscard]] Result<FileDone> bring_file(Entry& entry, const WantedFile& file, std::uint64_t before,
                                            std::uint64_t total);
  [[nodiscard]] PartFile::Paths paths_of(const WantedFile& file) const;
  [[nodiscard]] std::filesystem::path request_path(const std::string& id) const;
  [[nodiscard]] bool keep_on(const Entry& entry) const;
  bool claim(Entry& entry, const std::string& key);
  void release(const std::string& key);
  void tell(Entry& entry, const std::function<void(DownloadReport&)>& change);
  void progress(Entry& entry, const FileProgress& sum);
  void finish(Entry& entry, Result<ModelFile> outcome);
  void forget_old();
  void remove_old_parts();

  Options options_;
  const Clock& clock_;
  Events events_;
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;  // by id
  std::set<std::string> claimed_;                          // files that somebody fetches now
  int running_ = 0;
  bool ending_ = false;
};

}  // namespace rbee::model
