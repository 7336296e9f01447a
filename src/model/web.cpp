#include "model/web.h"

#include "base/text.h"
#include "model/curl_request.h"

#include <curl/curl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <map>
#include <system_error>

namespace rbee::model {
namespace {

// Left free for the journal, logs and everybody else.
constexpr std::uint64_t spare_bytes = 64u << 20;
constexpr int longest_poll_ms = 100;
constexpr Milliseconds between_reports{100};

using Multi = std::unique_ptr<CURLM, void (*)(CURLM*)>;

Error cancelled() {
  return Error{ErrorCode::cancelled, "The download was cancelled.", "Ask again to go on.", {}};
}

Error refused_address(const std::string& url) {
  return Error{ErrorCode::not_allowed, cat("'", without_query(url), "' leads into a private network."),
               "--allow-private allows addresses of private networks."};
}

Result<void> check_space(const std::filesystem::path& folder, std::uint64_t needed) {
  struct statvfs disk{};
  if (::statvfs(folder.c_str(), &disk) != 0) return {};
  const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  if (free >= needed + spare_bytes) return {};
  return Error{ErrorCode::no_space,
               cat("'", folder.string(), "' has ", bytes_text(free), " free; ", bytes_text(needed),
                   " more are needed."),
               "Free some space there; the same command goes on where it stopped."};
}

// One file on its way: the transfer decides, this does what it says.
class FileFetch {
 public:
  FileFetch(const FileOrder& order, const PartFile::Paths& paths, const WebSettings& settings,
            const Clock& clock, PartFile& part, Transfer transfer)
      : order_(order),
        paths_(paths),
        settings_(settings),
        clock_(clock),
        part_(part),
        transfer_(std::move(transfer)) {}
  ~FileFetch() {
    for (const auto& [id, flow] : flows_) ::curl_multi_remove_handle(multi_.get(), flow->handle());
  }
  FileFetch(const FileFetch&) = delete;
  FileFetch& operator=(const FileFetch&) = delete;

  // Until it is complete. Fails as fetch_file().
  Result<std::uint64_t> run(const std::function<void(const FileProgress&)>& on_progress,
                            const KeepOn& keep_on) {
    while (true) {
      for (const TransferAction& action : transfer_.take_actions(clock_.now())) carry_out(action);
      if (transfer_.state() != TransferState::running) break;
      if (!keep_on()) return cancelled();
      int running = 0;
      ::curl_multi_perform(multi_.get(), &running);
      read_ends();
      drop_what_is_done();
      report(on_progress);
      if (transfer_.state() != TransferState::running) continue;
      ::curl_multi_poll(multi_.get(), nullptr, 0, longest_poll_ms, nullptr);
    }
    note();
    if (transfer_.state() == TransferState::failed) return transfer_.error();
    return transfer_.bytes().value_or(0);
  }
  // Nothing came, or nothing that a later try could go on with.
  [[nodiscard]] bool is_worthless() const { return worthless_ || transfer_.done_bytes() == 0; }

 private:
  void carry_out(const TransferAction& action) {
    if (action.kind == TransferAction::Kind::close) return drop(action.connection);
    if (action.kind == TransferAction::Kind::restart) {
      beginning_.clear();
      if (const Result<void> again = part_.restart(); !again) transfer_.fail(again.error());
      return;
    }
    const int id = action.connection;
    auto flow = std::make_unique<CurlRequest>(
        settings_, [this, id](const AnswerHead& head) { return on_head(id, head); },
        [this, id](std::string_view bytes) { return on_body(id, bytes); });
    std::string range;
    if (action.ranged) {
      const bool open = !transfer_.bytes();
      range = cat(action.span.from, "-", open ? std::string() : cat(action.span.to - 1));
    }
    if (const Result<void> aimed = flow->aim(order_.url, range, "*/*"); !aimed)
      return transfer_.fail(aimed.error());
    ::curl_multi_add_handle(multi_.get(), flow->handle());
    flows_.emplace(id, std::move(flow));
  }

  void drop(int id) {
    const auto flow = flows_.find(id);
    if (flow == flows_.end()) return;
    ::curl_multi_remove_handle(multi_.get(), flow->second->handle());
    flows_.erase(flow);
  }

  // Those whose range was brought, or whose rest another one brings now.
  void drop_what_is_done() {
    std::vector<int> done;
    for (const auto& [id, flow] : flows_) {
      if (!transfer_.is_open(id)) done.push_back(id);
    }
    for (const int id : done) drop(id);
  }

  bool on_head(int id, const AnswerHead& head) {
    const bool sized = transfer_.bytes().has_value();
    if (!transfer_.on_head(id, head, clock_.now())) return false;
    if (sized || !transfer_.bytes()) return true;
    const Result<void> space =
        check_space(paths_.data.parent_path(), *transfer_.bytes() - transfer_.done_bytes());
    if (!space) transfer_.fail(space.error());
    return space.has_value();
  }

  bool on_body(int id, std::string_view bytes) {
    const Transfer::Place place = transfer_.take(id, bytes.size());
    const std::string_view kept = bytes.substr(place.skip, place.keep);
    if (kept.empty()) return !place.last;
    if (const Result<void> written = part_.write(place.at, kept); !written) {
      transfer_.fail(written.error());
      return false;
    }
    return looks_right(place.at, kept);
  }

  // The first four bytes tell a model from a page that says why there is none.
  bool looks_right(std::uint64_t at, std::string_view bytes) {
    constexpr std::string_view magic = "GGUF";
    if (!order_.gguf || at != beginning_.size() || at >= magic.size()) return true;
    beginning_ += bytes.substr(0, magic.size() - at);
    if (magic.starts_with(beginning_)) return true;
    worthless_ = true;
    transfer_.fail(Error{ErrorCode::bad_model_file,
                         cat("'", without_query(order_.url), "' is no GGUF file: it begins otherwise."),
                         "Name a GGUF file; other formats must be converted first."});
    return false;
  }

  void read_ends() {
    int left = 0;
    while (const CURLMsg* message = ::curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      CURL* const handle = message->easy_handle;
      for (const auto& [id, flow] : flows_) {
        if (flow->handle() != handle) continue;
        const int ended = id;
        on_ended(ended, *flow, code);
        break;
      }
    }
  }

  void on_ended(int id, CurlRequest& flow, CURLcode code) {
    ::curl_multi_remove_handle(multi_.get(), flow.handle());
    if (flow.refused()) {
      transfer_.fail(refused_address(flow.url()));
    } else if (flow.bad_certificate(code)) {
      transfer_.fail(Error{ErrorCode::source_unreachable,
                           cat("The certificate of '", without_query(flow.url()),
                               "' is not right: ", flow.failure_text(code), "."),
                           "Check the clock and the certificates of this machine."});
    } else if (code == CURLE_OK) {
      const Result<bool> followed = flow.follow();
      if (!followed) {
        transfer_.fail(followed.error());
      } else if (*followed) {
        ::curl_multi_add_handle(multi_.get(), flow.handle());
        return;
      } else {
        flow.tell_head();
        transfer_.on_end(id, "", clock_.now());
      }
    } else {
      transfer_.on_end(id, flow.failure_text(code), clock_.now());
    }
    flows_.erase(id);
  }

  void note() {
    if (!transfer_.bytes()) return;
    part_.note({.url = order_.url,
                .bytes = *transfer_.bytes(),
                .etag = transfer_.etag(),
                .missing = transfer_.missing(),
                .sha256 = {}},
               transfer_.front());
  }

  void report(const std::function<void(const FileProgress&)>& on_progress) {
    const Instant now = clock_.now();
    if (reported_ && now - *reported_ < between_reports) return;
    reported_ = now;
    note();
    on_progress({.done = transfer_.done_bytes(),
                 .bytes = transfer_.bytes().value_or(0),
                 .trouble = std::string(transfer_.trouble())});
  }

  const FileOrder& order_;
  const PartFile::Paths& paths_;
  const WebSettings& settings_;
  const Clock& clock_;
  PartFile& part_;
  Transfer transfer_;
  Multi multi_{::curl_multi_init(), [](CURLM* multi) { ::curl_multi_cleanup(multi); }};
  std::map<int, std::unique_ptr<CurlRequest>> flows_;
  std::string beginning_;
  bool worthless_ = false;
  std::optional<Instant> reported_;
};

void throw_away(const PartFile::Paths& paths) {
  std::error_code ignored;
  std::filesystem::remove(paths.journal, ignored);
  std::filesystem::remove(paths.data, ignored);
}

// What an earlier try left of this very file.
Transfer::Start start_of(const FileOrder& order, const PartFile::Paths& paths) {
  Transfer::Start start{
      .what = cat("'", without_query(order.url), "'"), .bytes = order.bytes, .pinned = !order.sha256.empty()};
  const std::optional<PartState> before = PartFile::read_journal(paths);
  const bool same = before && (before->url == order.url || !order.sha256.empty()) &&
                    (!order.bytes || *order.bytes == before->bytes) && PartFile::has_data_of(*before, paths);
  if (!same) {
    throw_away(paths);
    return start;
  }
  start.bytes = before->bytes;
  start.etag = before->etag;
  start.missing = before->missing;
  return start;
}

}  // namespace

Result<FileDone> fetch_file(const FileOrder& order, const PartFile::Paths& paths, const WebSettings& settings,
                            const Clock& clock, const std::function<void(const FileProgress&)>& on_progress,
                            const KeepOn& keep_on) {
  Transfer transfer(start_of(order, paths));
  if (transfer.bytes()) {
    const Result<void> space =
        check_space(paths.data.parent_path(), *transfer.bytes() - transfer.done_bytes());
    if (!space) return space.error();
  }
  Result<std::unique_ptr<PartFile>> part = PartFile::open(paths, clock);
  if (!part) return part.error();
  bool worthless = false;
  const auto fetched = [&]() -> Result<FileDone> {
    FileFetch fetch(order, paths, settings, clock, **part, std::move(transfer));
    const Result<std::uint64_t> bytes = fetch.run(on_progress, keep_on);
    worthless = fetch.is_worthless();
    if (!bytes) return bytes.error();
    const auto checking = [&] {
      on_progress({.done = *bytes, .bytes = *bytes, .checking = true});
      return keep_on();
    };
    const Result<std::string> sha256 = (*part)->finish(*bytes, checking);
    if (!sha256) return sha256.error();
    return FileDone{*sha256, *bytes};
  }();
  part->reset();
  if (fetched && !order.sha256.empty() && fetched->sha256 != order.sha256) {
    throw_away(paths);
    return Error{ErrorCode::bad_model_file,
                 cat("'", without_query(order.url), "' came with the checksum ", fetched->sha256, ", not ",
                     order.sha256, " as its source says."),
                 "What came was thrown away; ask again, or from another source."};
  }
  if (worthless) throw_away(paths);
  return fetched;
}

}  // namespace rbee::model
