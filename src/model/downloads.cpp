#include "model/downloads.h"

#include "base/file.h"
#include "base/text.h"
#include "domain/model_name.h"
#include "model/sha256.h"

#include "net/tls.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <system_error>

namespace rbee::model {
namespace {

namespace fs = std::filesystem;

// At once: more only share the same line, and each has four connections.
constexpr int most_running = 3;
// Of those that are over, so that who asks later still learns how they ended.
constexpr std::size_t most_remembered = 32;
constexpr std::size_t largest_request_bytes = 16384;
// What a download that failed has left waits so long for somebody to ask again; then its disk space is worth
// more than the time it saves.
constexpr std::chrono::hours oldest_part{14 * 24};
constexpr Milliseconds between_speeds{500};
// A speed is the mean of some of the last seconds: a moment's stall is no news.
constexpr double newest_share = 0.3;

// A rename is kept over a power cut once its folder is synced.
void sync_folder(const fs::path& folder) {
  const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return;
  ::fsync(opened);
  ::close(opened);
}

bool has_size(const fs::path& path, std::uint64_t bytes) {
  std::error_code failure;
  return fs::file_size(path, failure) == bytes && !failure;
}

void remove_quietly(const fs::path& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

}  // namespace

struct Downloads::Entry {
  std::string id;
  DownloadRequest request;
  Source source;
  std::atomic<bool> cancelled = false;
  // Under the mutex of Downloads.
  DownloadReport report = {};
  std::optional<Error> error = {};
  std::optional<ModelFile> model = {};
  Instant speed_at = {};
  std::uint64_t speed_from = 0;
  double speed = 0;
  Instant ended = {};
  bool over = false;
  // The thread's own.
  std::vector<PartFile::Paths> parts = {};
  std::thread thread = {};
};

namespace {

Json to_json(const FromHive& from) {
  Json files = Json::array();
  for (const WantedFile& file : from.files)
    files.push_back({{"name", file.file_name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  return {{"hive", from.hive},        {"address", from.address}, {"key", from.key},
          {"ticket", from.ticket},    {"model", from.model},     {"projector", from.projector},
          {"files", std::move(files)}};
}

// Nothing where a part of it is missing or no checksum: nothing is taken unchecked.
std::optional<FromHive> from_hive_from_json(const Json& json) {
  FromHive from{.hive = text_of(json, "hive"),
                .address = text_of(json, "address"),
                .key = text_of(json, "key"),
                .ticket = text_of(json, "ticket"),
                .model = text_of(json, "model"),
                .projector = get_bool(json, "projector").value_or(false),
                .files = {}};
  for (const Json& file : get_array(json, "files")) {
    WantedFile wanted{
        .url = cat("https://", from.address, "/files/", from.ticket, "/", from.files.size()),
        .file_name = text_of(file, "name"),
        .bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, get_int(file, "bytes").value_or(0))),
        .sha256 = text_of(file, "sha256")};
    if (wanted.bytes == 0 || !is_sha256(wanted.sha256)) return std::nullopt;
    from.files.push_back(std::move(wanted));
  }
  const bool whole = !from.address.empty() && from.key.size() == net::key_print_length &&
                     !from.ticket.empty() && from.files.size() > (from.projector ? 1 : 0);
  return whole && check_name(from.model) ? std::optional(std::move(from)) : std::nullopt;
}

WantedModel files_of(const FromHive& from) {
  WantedModel model{.name = from.model, .quant = {}, .files = from.files, .projector = {}};
  if (!from.projector) return model;
  model.projector = model.files.back();
  model.files.pop_back();
  return model;
}

}  // namespace

Json to_json(const DownloadRequest& request) {
  Json json{{"source", request.source},
            {"quant", request.quant},
            {"name", request.name},
            {"allow_private", request.allow_private}};
  if (request.from) json["from"] = to_json(*request.from);
  for (const FromHive& peer : request.peers) json["peers"].push_back(to_json(peer));
  return json;
}

std::optional<DownloadRequest> download_request_from_json(const Json& json) {
  const std::optional<std::string> source = get_string(json, "source");
  if (!source || source->empty()) return std::nullopt;
  std::optional<FromHive> from;
  if (const Json& told = get_array(json, "from"); told.is_object()) {
    from = from_hive_from_json(told);
    if (!from) return std::nullopt;
  }
  // A peer that cannot be read is one less: the web has it too.
  std::vector<FromHive> peers;
  for (const Json& told : get_array(json, "peers")) {
    if (std::optional<FromHive> peer = from_hive_from_json(told)) peers.push_back(std::move(*peer));
  }
  return DownloadRequest{.source = *source,
                         .quant = text_of(json, "quant"),
                         .name = text_of(json, "name"),
                         .allow_private = get_bool(json, "allow_private").value_or(false),
                         .from = std::move(from),
                         .peers = std::move(peers)};
}

Downloads::Downloads(Options options, const Clock& clock, Events events)
    : options_(std::move(options)), clock_(clock), events_(std::move(events)) {}

Downloads::~Downloads() {
  std::vector<std::shared_ptr<Entry>> entries;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    for (const auto& [id, entry] : entries_) entries.push_back(entry);
  }
  news_.notify_all();
  for (const auto& entry : entries) {
    if (entry->thread.joinable()) entry->thread.join();
  }
}

fs::path Downloads::request_path(const std::string& id) const {
  return options_.folder / "downloads" / cat(sha256_of(id).substr(0, 32), ".request");
}

void Downloads::resume() {
  std::error_code failure;
  std::vector<DownloadRequest> requests;
  for (const auto& file : fs::directory_iterator(options_.folder / "downloads", failure)) {
    if (file.path().extension() != ".request") continue;
    const Result<std::string> text = read_file(file.path(), largest_request_bytes);
    const Result<Json> json = text ? parse_json(*text) : text.error();
    const auto request = json ? download_request_from_json(*json) : std::nullopt;
    if (request) requests.push_back(*request);
  }
  for (const DownloadRequest& request : requests) static_cast<void>(start(request));
  remove_old_parts();
}

// Only while nothing is on its way: then no part can be one that somebody is about to go on with.
void Downloads::remove_old_parts() {
  const std::chrono::sys_time<Milliseconds> now{Milliseconds(clock_.unix_ms())};
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (!entry->over) return;
  }
  std::error_code failure;
  for (const auto& file : fs::directory_iterator(options_.folder / "downloads", failure)) {
    if (file.path().extension() == ".request") continue;
    std::error_code gone;
    const auto written = std::chrono::file_clock::to_sys(file.last_write_time(gone));
    if (!gone && now - written > oldest_part) remove_quietly(file.path());
  }
}

// What another hive has is known by that hive and its own name for it.
Result<Source> Downloads::source_of(const DownloadRequest& request) {
  if (!request.from) return parse_source(request.source, request.quant, catalog());
  return Source{.kind = SourceKind::url,
                .location = cat("hive:", request.from->hive, "/", request.from->model),
                .name = request.from->model};
}

// Its key is all that is looked at; no proxy stands between two hives of one system.
WebSettings Downloads::web_to(const FromHive& hive) const {
  WebSettings web = options_.web;
  web.allow_private = true;
  web.pinned_key = hive.key;
  web.token.clear();
  web.http_proxy.clear();
  web.https_proxy.clear();
  return web;
}

WebSettings Downloads::web_of(const Entry& entry) const {
  if (entry.request.from) return web_to(*entry.request.from);
  WebSettings web = options_.web;
  web.allow_private = entry.request.allow_private;
  return web;
}

// The house's network is faster than the internet: hives that have the very same bytes come first.
std::vector<Downloads::Way> Downloads::ways_to(const Entry& entry, const WantedFile& file) const {
  std::vector<Way> ways;
  for (const FromHive& peer : entry.request.peers) {
    const auto same = std::ranges::find(peer.files, file.sha256, &WantedFile::sha256);
    if (!file.sha256.empty() && same != peer.files.end() && same->url != file.url)
      ways.push_back({same->url, web_to(peer)});
  }
  const auto its_peer = std::ranges::find_if(entry.request.peers, [&](const FromHive& peer) {
    return std::ranges::find(peer.files, file.url, &WantedFile::url) != peer.files.end();
  });
  const bool from_peer = its_peer != entry.request.peers.end();
  ways.push_back({file.url, from_peer ? web_to(*its_peer) : web_of(entry)});
  return ways;
}

Result<WantedModel> Downloads::find_wanted(Entry& entry) const {
  if (entry.request.from) return files_of(*entry.request.from);
  Result<WantedModel> wanted = find_files(entry.source, web_of(entry), [&] { return keep_on(entry); });
  const bool unreachable = !wanted && wanted.error().code == ErrorCode::source_unreachable;
  if (unreachable && !entry.request.peers.empty()) return files_of(entry.request.peers.front());
  return wanted;
}

Result<std::string> Downloads::start(const DownloadRequest& request) {
  const Result<Source> source = source_of(request);
  if (!source) return source.error();
  if (source->kind == SourceKind::path) {
    return Error{ErrorCode::bad_request, cat("'", source->location, "' is a path; nothing is to be fetched."),
                 "`rbee model add NAME FILE` makes a file of the hive's machine known."};
  }
  // Said before the file has come, not after.
  if (Result<void> good = request.name.empty() ? Result<void>() : check_name(request.name); !good)
    return good.error();
  const std::string id = canonical(*source);
  for (const fs::path& folder : {options_.folder / "downloads", options_.folder / "blobs"}) {
    if (Result<void> made = make_folder(folder); !made) return made.error();
  }
  std::thread ended;
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = entries_.find(id); known != entries_.end()) {
      if (!known->second->over) return id;
      ended = std::move(known->second->thread);
      entries_.erase(known);
    }
  }
  if (ended.joinable()) ended.join();
  if (Result<void> kept = write_file(request_path(id), dump_json(to_json(request))); !kept)
    return kept.error();
  const auto entry = std::make_shared<Entry>();
  entry->id = id;
  entry->request = request;
  entry->source = *source;
  entry->report = {.id = id,
                   .name = request.name.empty() ? source->name : request.name,
                   .state = "waiting",
                   .reason = {},
                   .seconds_left = {},
                   .model_id = {}};
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return Error{ErrorCode::cancelled, "This hive is ending.", "Try again when it is back.", {}};
    if (!entries_.emplace(id, entry).second) return id;
    entry->thread = std::thread([this, entry] { run(*entry); });
  }
  forget_old();
  events_.changed();
  return id;
}

void Downloads::forget_old() {
  std::vector<std::thread> ended;
  {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<Instant, std::string>> over;
    for (const auto& [id, entry] : entries_) {
      if (entry->over) over.emplace_back(entry->ended, id);
    }
    std::ranges::sort(over);
    for (std::size_t i = 0; i + most_remembered < over.size(); ++i) {
      ended.push_back(std::move(entries_.at(over[i].second)->thread));
      entries_.erase(over[i].second);
    }
  }
  for (std::thread& thread : ended) thread.join();
}

Result<void> Downloads::cancel(const std::string& which) {
  const Result<Source> source = parse_source(which, "", catalog());
  const std::string id = source ? canonical(*source) : which;
  {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    std::shared_ptr<Entry> found;
    for (const auto& [known, entry] : entries_) {
      if (entry->over) continue;
      if (known == id || known == which || equal_ignoring_case(entry->report.name, which)) found = entry;
      names.push_back(entry->report.name);
    }
    if (!found) {
      return Error{ErrorCode::unknown_name, cat("There is no download of '", which, "' now."),
                   names.empty() ? "None is on its way." : did_you_mean(which, names)};
    }
    found->cancelled = true;
  }
  news_.notify_all();
  return {};
}

std::optional<Downloads::View> Downloads::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return std::nullopt;
  return View{entry->second->report, entry->second->error, entry->second->model};
}

std::vector<DownloadReport> Downloads::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<DownloadReport> reports;
  for (const auto& [id, entry] : entries_) reports.push_back(entry->report);
  return reports;
}

bool Downloads::keep_on(const Entry& entry) const {
  const std::lock_guard lock(mutex_);
  return !ending_ && !entry.cancelled;
}

void Downloads::tell(Entry& entry, const std::function<void(DownloadReport&)>& change) {
  {
    const std::lock_guard lock(mutex_);
    change(entry.report);
  }
  events_.changed();
}

// At most twice a second: who looks on gets a whole report each time.
void Downloads::progress(Entry& entry, const FileProgress& sum) {
  const std::uint64_t done = sum.done;
  const std::uint64_t total = sum.bytes;
  const Instant now = clock_.now();
  const std::lock_guard lock(mutex_);
  DownloadReport& report = entry.report;
  report.state = sum.checking ? "checking" : "fetching";
  report.reason = sum.trouble;
  report.bytes = total;
  report.done_bytes = std::max(report.done_bytes, done);
  if (entry.speed_at == Instant{}) {
    entry.speed_at = now;
    entry.speed_from = done;
  }
  const double seconds = static_cast<double>((now - entry.speed_at).count()) / 1000;
  if (now - entry.speed_at < between_speeds) return;
  const double fresh = done > entry.speed_from ? static_cast<double>(done - entry.speed_from) / seconds : 0;
  entry.speed = entry.speed == 0 ? fresh : entry.speed + newest_share * (fresh - entry.speed);
  entry.speed_at = now;
  entry.speed_from = done;
  report.bytes_per_s = static_cast<std::uint64_t>(entry.speed);
  report.seconds_left.reset();
  if (entry.speed >= 1 && total > done)
    report.seconds_left = static_cast<std::uint64_t>(static_cast<double>(total - done) / entry.speed);
  events_.changed();
}

void Downloads::run(Entry& entry) {
  {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [&] { return running_ < most_running || ending_ || entry.cancelled; });
    ++running_;
  }
  Result<ModelFile> outcome = Error{ErrorCode::cancelled, "The download was cancelled.", {}, {}};
  if (keep_on(entry)) outcome = bring(entry);
  {
    const std::lock_guard lock(mutex_);
    --running_;
  }
  news_.notify_all();
  finish(entry, std::move(outcome));
}

void Downloads::finish(Entry& entry, Result<ModelFile> outcome) {
  const bool cancelled = entry.cancelled;
  bool ending = false;
  {
    const std::lock_guard lock(mutex_);
    ending = ending_;
  }
  // What a hive that ends leaves is gone on with by the next one.
  if (!ending || cancelled || outcome) remove_quietly(request_path(entry.id));
  if (cancelled) {
    for (const PartFile::Paths& part : entry.parts) remove_quietly(part.journal);
  }
  const Instant now = clock_.now();
  {
    const std::lock_guard lock(mutex_);
    entry.over = true;
    entry.ended = now;
    DownloadReport& report = entry.report;
    report.seconds_left.reset();
    report.bytes_per_s = 0;
    if (outcome) {
      entry.model = *outcome;
      report.state = "done";
      report.reason.clear();
      report.done_bytes = report.bytes = outcome->bytes + outcome->projector_bytes;
      report.model_id = outcome->id;
    } else {
      entry.error = outcome.error();
      report.state = cancelled ? "cancelled" : "failed";
      report.reason = outcome.error().message;
    }
  }
  remove_old_parts();
  events_.changed();
}

PartFile::Paths Downloads::paths_of(const WantedFile& file) const {
  const std::string key = file.sha256.empty() ? sha256_of(file.url) : file.sha256;
  const fs::path base = options_.folder / "downloads" / key.substr(0, 32);
  return {.data = cat(base.string(), ".part"), .journal = cat(base.string(), ".json")};
}

// False where the download is to end.
bool Downloads::claim(Entry& entry, const std::string& key) {
  std::unique_lock lock(mutex_);
  news_.wait(lock, [&] { return !claimed_.contains(key) || ending_ || entry.cancelled; });
  if (ending_ || entry.cancelled) return false;
  claimed_.insert(key);
  return true;
}

void Downloads::release(const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    claimed_.erase(key);
  }
  news_.notify_all();
}

Result<FileDone> Downloads::bring_file(Entry& entry, const WantedFile& file, std::uint64_t before,
                                       std::uint64_t total) {
  const PartFile::Paths paths = paths_of(file);
  const auto blob = [this](const std::string& sha256) {
    return options_.folder / "blobs" / cat(sha256, ".gguf");
  };
  const std::string key = paths.data.filename().string();
  if (!claim(entry, key)) return Error{ErrorCode::cancelled, "The download was cancelled.", {}, {}};
  entry.parts.push_back(paths);
  const auto brought = [&]() -> Result<FileDone> {
    if (!file.sha256.empty() && file.bytes > 0 && has_size(blob(file.sha256), file.bytes))
      return FileDone{file.sha256, file.bytes};
    // It was whole already, and ended before it had its name.
    const std::optional<PartState> past = PartFile::read_journal(paths);
    if (past && past->url == file.url && !past->sha256.empty() && has_size(blob(past->sha256), past->bytes))
      return FileDone{past->sha256, past->bytes};
    FileOrder order{.url = {}, .bytes = {}, .sha256 = file.sha256};
    if (file.bytes > 0) order.bytes = file.bytes;
    const auto on_progress = [&](const FileProgress& now) {
      FileProgress sum = now;
      sum.done = before + now.done;
      sum.bytes = std::max(total, before + now.bytes);
      progress(entry, sum);
    };
    Result<FileDone> done = Error{};
    for (const Way& way : ways_to(entry, file)) {
      order.url = way.url;
      done = fetch_file(order, paths, way.web, clock_, on_progress, [&] { return keep_on(entry); });
      if (done || !keep_on(entry) || done.error().code == ErrorCode::no_space) break;
    }
    if (!done) return done;
    std::error_code failure;
    fs::rename(paths.data, blob(done->sha256), failure);
    if (failure) return io_error(cat("'", blob(done->sha256).string(), "' cannot be made"), failure.value());
    sync_folder(options_.folder / "blobs");
    return done;
  }();
  if (entry.cancelled) {
    remove_quietly(paths.data);
    remove_quietly(paths.journal);
  }
  release(key);
  return brought;
}

Result<ModelFile> Downloads::bring(Entry& entry) {
  tell(entry, [](DownloadReport& report) { report.state = "asking"; });
  const Result<WantedModel> wanted = find_wanted(entry);
  if (!wanted) return wanted.error();
  std::vector<WantedFile> files = wanted->files;
  if (wanted->projector) files.push_back(*wanted->projector);
  std::uint64_t total = 0;
  for (const WantedFile& file : files) total += file.bytes;
  tell(entry, [&](DownloadReport& report) {
    report.state = "fetching";
    report.bytes = total;
  });
  std::vector<std::string> sha256s;
  std::uint64_t before = 0;
  for (const WantedFile& file : files) {
    tell(entry, [&](DownloadReport& report) { report.sha256 = file.sha256; });
    const Result<FileDone> done = bring_file(entry, file, before, total);
    if (!done) return done.error();
    sha256s.push_back(done->sha256);
    before += done->bytes;
  }
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    name = entry.report.name;
  }
  std::string projector;
  if (wanted->projector) {
    projector = sha256s.back();
    sha256s.pop_back();
  }
  const Result<ModelFile> stored = events_.store(name, sha256s, projector);
  const bool settled = stored || stored.error().code == ErrorCode::bad_model_file;
  if (settled) {
    for (const PartFile::Paths& part : entry.parts) remove_quietly(part.journal);
  }
  return stored;
}

}  // namespace rbee::model
