#include "keeper/state.h"

#include "base/brief_mutex.h"
#include "base/file.h"
#include "base/text.h"
#include "keeper/speed_rows.h"
#include "net/loop.h"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <functional>
#include <future>
#include <map>
#include <mutex>

namespace rbee::keeper {
namespace {

// A backup or another program that reads holds the file for moments only.
constexpr int busy_timeout_ms = 5000;
// A thousand hives with a hundred models each take some 20 MB.
constexpr std::size_t largest_backup_bytes = std::size_t{1} << 30;

constexpr auto tables = R"(
  CREATE TABLE schema(version INTEGER NOT NULL);
  CREATE TABLE hive(name TEXT PRIMARY KEY, address TEXT NOT NULL, last_seen_ms INTEGER NOT NULL,
                    key_print TEXT NOT NULL DEFAULT '', mac_addresses TEXT NOT NULL DEFAULT '');
  CREATE TABLE model(hive TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, quant TEXT NOT NULL,
                     bytes INTEGER NOT NULL, params INTEGER NOT NULL, sha256 TEXT NOT NULL,
                     PRIMARY KEY(hive, id));
  CREATE TABLE count(model TEXT PRIMARY KEY, requests INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
                     tokens INTEGER NOT NULL);
  CREATE TABLE benchmark(id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, document TEXT NOT NULL);
)";

// What brings a file of each version to the next; the first is from 1 to 2.
const std::array migrations = {
    "ALTER TABLE hive ADD COLUMN key_print TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE hive ADD COLUMN mac_addresses TEXT NOT NULL DEFAULT ''",
    speed_tables(),
    "CREATE TABLE benchmark(id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, document TEXT NOT NULL)",
};
static_assert(migrations.size() == State::schema_version - 1);

Error of(const std::filesystem::path& file, const SQLite::Exception& failure) {
  const int code = failure.getErrorCode();
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) {
    return Error{ErrorCode::io_failed, cat("The keeper's state '", file.string(), "' is damaged."),
                 "Move the file away: the keeper makes a new one, and only counters are lost.",
                 failure.what()};
  }
  if (code == SQLITE_FULL) {
    return Error{ErrorCode::no_space,
                 cat("There is no space for the keeper's state '", file.string(), "'."),
                 {},
                 failure.what()};
  }
  return Error{ErrorCode::io_failed,
               cat("The keeper's state '", file.string(), "' cannot be used: ", failure.what(), "."),
               {},
               {}};
}

Result<void> prepare(SQLite::Database& db, const std::filesystem::path& file) {
  db.setBusyTimeout(busy_timeout_ms);
  db.exec("PRAGMA journal_mode=WAL");
  // With WAL a crash of the machine may lose the last seconds, never the file: enough for counters.
  db.exec("PRAGMA synchronous=NORMAL");
  if (!db.tableExists("schema")) {
    SQLite::Transaction transaction(db);
    db.exec(tables);
    db.exec(speed_tables());
    SQLite::Statement version(db, "INSERT INTO schema VALUES (?)");
    version.bind(1, State::schema_version);
    version.exec();
    transaction.commit();
    return {};
  }
  const int version = db.execAndGet("SELECT version FROM schema").getInt();
  if (version == State::schema_version) return {};
  if (version < State::schema_version) {
    SQLite::Transaction transaction(db);
    for (std::size_t from = static_cast<std::size_t>(std::max(version, 1)); from <= migrations.size(); ++from)
      db.exec(migrations.at(from - 1));
    db.exec(cat("UPDATE schema SET version = ", State::schema_version));
    transaction.commit();
    return {};
  }
  return Error{ErrorCode::io_failed,
               cat("The keeper's state '", file.string(), "' has version ", version,
                   "; this rbee knows up to ", State::schema_version, "."),
               "Use the newer rbee that wrote it, or another state folder (RBEE_HOME).",
               {}};
}

std::vector<KnownHive> read_hives(SQLite::Database& db) {
  std::vector<KnownHive> hives;
  SQLite::Statement rows(
      db, "SELECT name, address, last_seen_ms, key_print, mac_addresses FROM hive ORDER BY name");
  while (rows.executeStep()) {
    KnownHive hive{rows.getColumn(0).getString(), rows.getColumn(1).getString(), rows.getColumn(2).getInt64(),
                   rows.getColumn(3).getString()};
    const std::string addresses = rows.getColumn(4).getString();
    for (const std::string_view address : split(addresses, ' ')) {
      if (!address.empty()) hive.mac_addresses.emplace_back(address);
    }
    SQLite::Statement files(
        db, "SELECT id, name, quant, bytes, params, sha256 FROM model WHERE hive = ? ORDER BY id");
    files.bind(1, hive.name);
    while (files.executeStep()) {
      ModelFile file;
      file.id = files.getColumn(0).getString();
      file.name = files.getColumn(1).getString();
      file.quant = files.getColumn(2).getString();
      file.bytes = static_cast<std::uint64_t>(files.getColumn(3).getInt64());
      file.params = static_cast<std::uint64_t>(files.getColumn(4).getInt64());
      file.sha256 = files.getColumn(5).getString();
      hive.models.push_back(std::move(file));
    }
    hives.push_back(std::move(hive));
  }
  return hives;
}

void write_hive(SQLite::Database& db, const KnownHive& hive) {
  SQLite::Statement row(db, R"(INSERT INTO hive(name, address, last_seen_ms, key_print, mac_addresses)
      VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(name) DO UPDATE SET
      address = ?2, last_seen_ms = ?3, key_print = ?4, mac_addresses = ?5)");
  row.bind(1, hive.name);
  row.bind(2, hive.address);
  row.bind(3, hive.last_seen_ms);
  row.bind(4, hive.key_print);
  row.bind(5, join(hive.mac_addresses, " "));
  row.exec();
  SQLite::Statement old(db, "DELETE FROM model WHERE hive = ?");
  old.bind(1, hive.name);
  old.exec();
  SQLite::Statement add(db, "INSERT INTO model VALUES (?, ?, ?, ?, ?, ?, ?)");
  for (const ModelFile& file : hive.models) {
    add.bind(1, hive.name);
    add.bind(2, file.id);
    add.bind(3, file.name);
    add.bind(4, file.quant);
    add.bind(5, static_cast<std::int64_t>(file.bytes));
    add.bind(6, static_cast<std::int64_t>(file.params));
    add.bind(7, file.sha256);
    add.exec();
    add.reset();
  }
}

void erase_hive(SQLite::Database& db, const std::string& name) {
  for (const char* table : {"DELETE FROM hive WHERE name = ?", "DELETE FROM model WHERE hive = ?"}) {
    SQLite::Statement row(db, table);
    row.bind(1, name);
    row.exec();
  }
}

void write_count(SQLite::Database& db, const ModelCount& count) {
  SQLite::Statement row(db, R"(INSERT INTO count VALUES (?1, ?2, ?3, ?4) ON CONFLICT(model) DO UPDATE SET
      requests = requests + ?2, prompt_tokens = prompt_tokens + ?3, tokens = tokens + ?4)");
  row.bind(1, count.model);
  row.bind(2, static_cast<std::int64_t>(count.requests));
  row.bind(3, static_cast<std::int64_t>(count.prompt_tokens));
  row.bind(4, static_cast<std::int64_t>(count.tokens));
  row.exec();
}

std::vector<KeptBenchmark> read_benchmarks(SQLite::Database& db) {
  std::vector<KeptBenchmark> all;
  SQLite::Statement rows(db, "SELECT id, at_ms, document FROM benchmark ORDER BY at_ms, id");
  while (rows.executeStep())
    all.push_back(
        {rows.getColumn(0).getString(), rows.getColumn(1).getInt64(), rows.getColumn(2).getString()});
  return all;
}

void write_benchmark(SQLite::Database& db, const KeptBenchmark& one) {
  const bool goes = one.document.empty();
  SQLite::Statement row(db, goes ? "DELETE FROM benchmark WHERE id = ?1"
                                 : "INSERT OR REPLACE INTO benchmark VALUES (?1, ?2, ?3)");
  row.bind(1, one.id);
  if (!goes) {
    row.bind(2, one.at_ms);
    row.bind(3, one.document);
  }
  row.exec();
}

// An empty file of the right mode first: SQLite gives what it makes beside it the same mode.
Result<void> make_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return io_error(cat("cannot open '", file.string(), "'"), errno);
  const int failed = ::fchmod(fd, 0600);
  const int why = errno;
  ::close(fd);
  if (failed != 0) return io_error(cat("cannot protect '", file.string(), "'"), why);
  return {};
}

bool same_models(const std::vector<ModelFile>& a, const std::vector<ModelFile>& b) {
  return std::ranges::equal(a, b, [](const ModelFile& x, const ModelFile& y) {
    return x.id == y.id && x.name == y.name && x.quant == y.quant && x.bytes == y.bytes &&
           x.params == y.params && x.sha256 == y.sha256;
  });
}

}  // namespace

struct State::Impl {
  std::filesystem::path file;
  std::shared_ptr<Log> log;
  std::unique_ptr<SQLite::Database> db;  // after open(): on the thread only
  std::vector<KnownHive> at_start;
  std::vector<routing::KnownSpeed> speeds_at_start;
  std::vector<KeptBenchmark> benchmarks_at_start;

  BriefMutex mutex;
  std::map<std::string, KnownHive> seen;  // as last written or queued
  std::map<std::string, KnownHive> queued_hives;
  std::map<std::string, ModelCount> queued_counts;
  std::vector<routing::KnownSpeed> queued_speeds;
  std::int64_t speeds_ms = 0;  // of the calendar, when they were queued
  std::map<std::string, KeptBenchmark> queued_benchmarks;
  bool scheduled = false;
  net::BlockingThread thread;  // last: its end runs what is queued, which uses the rest

  void schedule() {
    if (std::exchange(scheduled, true)) return;
    Impl* self = this;
    thread.post([self] { self->write(); });
  }

  // On the thread, in a transaction of its own that is on the disk when it returns.
  Result<void> at_once(const std::function<void(SQLite::Database&)>& change) {
    try {
      db->exec("PRAGMA synchronous=FULL");
      SQLite::Transaction transaction(*db);
      change(*db);
      transaction.commit();
      db->exec("PRAGMA synchronous=NORMAL");
    } catch (const SQLite::Exception& failure) {
      return of(file, failure);
    }
    return {};
  }

  void write() {
    std::map<std::string, KnownHive> hives;
    std::map<std::string, ModelCount> counts;
    std::vector<routing::KnownSpeed> speeds;
    std::int64_t now_ms = 0;
    std::map<std::string, KeptBenchmark> benchmarks;
    {
      const std::scoped_lock lock(mutex);
      scheduled = false;
      hives.swap(queued_hives);
      counts.swap(queued_counts);
      speeds.swap(queued_speeds);
      now_ms = speeds_ms;
      benchmarks.swap(queued_benchmarks);
    }
    try {
      SQLite::Transaction transaction(*db);
      for (const auto& [name, hive] : hives) write_hive(*db, hive);
      for (const auto& [name, count] : counts) write_count(*db, count);
      for (const routing::KnownSpeed& speed : speeds) write_speed(*db, speed, now_ms);
      if (!speeds.empty()) forget_old_speeds(*db, now_ms);
      for (const auto& [id, benchmark] : benchmarks) write_benchmark(*db, benchmark);
      transaction.commit();
    } catch (const SQLite::Exception& failure) {
      // Requests go on without it: only counters and names are lost.
      const Error error = of(file, failure);
      log->error(cat(error.message, " ", error.detail));
    }
  }
};

State::State(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
State::~State() { write_counts(); }

Result<std::unique_ptr<State>> State::open(const std::filesystem::path& file, std::shared_ptr<Log> log) {
  if (Result<void> made = make_file(file); !made) return made.error();
  auto impl = std::make_shared<Impl>();
  impl->file = file;
  impl->log = std::move(log);
  try {
    impl->db = std::make_unique<SQLite::Database>(file.string(), SQLite::OPEN_READWRITE);
    if (Result<void> ready = prepare(*impl->db, file); !ready) return ready.error();
    impl->at_start = read_hives(*impl->db);
    impl->speeds_at_start = read_speeds(*impl->db);
    impl->benchmarks_at_start = read_benchmarks(*impl->db);
    // What was pinned stays, whatever is reported later.
    for (const KnownHive& hive : impl->at_start) impl->seen[hive.name] = hive;
  } catch (const SQLite::Exception& failure) {
    return of(file, failure);
  }
  return std::unique_ptr<State>(new State(std::move(impl)));
}

void State::saw_hive(const HiveReport& report, const std::string& address, std::int64_t now_ms) {
  const std::scoped_lock lock(impl_->mutex);
  const auto known = impl_->seen.find(report.hive);
  // A report comes with every change of an engine; names change seldom.
  if (known != impl_->seen.end() && known->second.address == address &&
      known->second.mac_addresses == report.mac_addresses &&
      same_models(known->second.models, report.models)) {
    return;
  }
  const std::string key = known == impl_->seen.end() ? std::string() : known->second.key_print;
  const KnownHive hive{report.hive, address, now_ms, key, report.mac_addresses, report.models};
  impl_->seen[report.hive] = hive;
  impl_->queued_hives[report.hive] = hive;
  impl_->schedule();
}

net::Task<Result<void>> State::add_hive(net::Loop& loop, KnownHive hive) {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->seen[hive.name] = hive;
  }
  std::function<Result<void>()> work = [impl = impl_.get(), hive = std::move(hive)] {
    return impl->at_once([&](SQLite::Database& db) { write_hive(db, hive); });
  };
  net::Task<Result<void>> running = impl_->thread.run(loop, std::move(work));
  const Result<void> written = co_await running;
  co_return written;
}

// By SQLite's own copy, which sees one moment of the file whoever writes; through a file beside it, of the
// same folder and mode.
net::Task<Result<std::string>> State::backup(net::Loop& loop) {
  std::function<Result<std::string>()> work = [impl = impl_.get()]() -> Result<std::string> {
    impl->write();
    const std::filesystem::path copy = impl->file.string() + ".backup";
    std::error_code gone;
    std::filesystem::remove(copy, gone);
    if (Result<void> made = make_file(copy); !made) return made.error();
    Result<std::string> bytes = std::string();
    try {
      SQLite::Database to(copy.string(), SQLite::OPEN_READWRITE);
      SQLite::Backup(to, *impl->db).executeStep();
    } catch (const SQLite::Exception& failure) {
      bytes = of(copy, failure);
    }
    if (bytes) bytes = read_file(copy, largest_backup_bytes);
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(copy.string() + end, gone);
    return bytes;
  };
  net::Task<Result<std::string>> running = impl_->thread.run(loop, std::move(work));
  Result<std::string> bytes = co_await running;
  co_return std::move(bytes);
}

net::Task<Result<void>> State::remove_hive(net::Loop& loop, std::string name) {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->seen.erase(name);
    impl_->queued_hives.erase(name);
  }
  std::function<Result<void>()> work = [impl = impl_.get(), name = std::move(name)] {
    return impl->at_once([&](SQLite::Database& db) { erase_hive(db, name); });
  };
  net::Task<Result<void>> running = impl_->thread.run(loop, std::move(work));
  const Result<void> erased = co_await running;
  co_return erased;
}

void State::count(const ModelCount& more) {
  const std::scoped_lock lock(impl_->mutex);
  ModelCount& sum = impl_->queued_counts[more.model];
  sum.model = more.model;
  sum.requests += more.requests;
  sum.prompt_tokens += more.prompt_tokens;
  sum.tokens += more.tokens;
}

void State::write_counts() {
  const std::scoped_lock lock(impl_->mutex);
  if (!impl_->queued_counts.empty()) impl_->schedule();
}

void State::keep_speeds(std::vector<routing::KnownSpeed> speeds, std::int64_t now_ms) {
  if (speeds.empty()) return;
  const std::scoped_lock lock(impl_->mutex);
  std::ranges::move(speeds, std::back_inserter(impl_->queued_speeds));
  impl_->speeds_ms = now_ms;
  impl_->schedule();
}

const std::vector<routing::KnownSpeed>& State::speeds() const { return impl_->speeds_at_start; }

void State::keep(KeptBenchmark benchmark) {
  const std::scoped_lock lock(impl_->mutex);
  std::string id = benchmark.id;
  impl_->queued_benchmarks.insert_or_assign(std::move(id), std::move(benchmark));
  impl_->schedule();
}

const std::vector<KeptBenchmark>& State::benchmarks() const { return impl_->benchmarks_at_start; }

const std::vector<KnownHive>& State::hives() const { return impl_->at_start; }

std::vector<KnownHive> State::known_hives() const {
  const std::scoped_lock lock(impl_->mutex);
  std::vector<KnownHive> hives;
  for (const auto& [name, hive] : impl_->seen) hives.push_back(hive);
  return hives;
}

std::vector<ModelCount> State::counts() {
  write_counts();
  std::promise<std::vector<ModelCount>> read;
  std::future<std::vector<ModelCount>> result = read.get_future();
  Impl* impl = impl_.get();
  impl->thread.post([impl, &read] {
    std::vector<ModelCount> counts;
    SQLite::Statement rows(*impl->db,
                           "SELECT model, requests, prompt_tokens, tokens FROM count ORDER BY model");
    const auto number = [&](int column) {
      return static_cast<std::uint64_t>(rows.getColumn(column).getInt64());
    };
    while (rows.executeStep())
      counts.push_back({rows.getColumn(0).getString(), number(1), number(2), number(3)});
    read.set_value(std::move(counts));
  });
  return result.get();
}

}  // namespace rbee::keeper
