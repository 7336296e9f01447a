#include "keeper/speed_rows.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <cmath>

namespace rbee::keeper {
namespace {

using routing::KnownSpeed;
using routing::occupancies;
using routing::SpeedFrom;

constexpr auto tables = R"(
  CREATE TABLE speed(worker TEXT NOT NULL, model TEXT NOT NULL, basis TEXT NOT NULL, source TEXT NOT NULL,
                     prompt_speed REAL NOT NULL, prompt_answers REAL NOT NULL,
                     start_s REAL NOT NULL, start_answers REAL NOT NULL,
                     slowdown REAL NOT NULL, answers REAL NOT NULL,
                     measured_ms INTEGER NOT NULL, kept_ms INTEGER NOT NULL, PRIMARY KEY(worker, model));
  CREATE TABLE speed_step(worker TEXT NOT NULL, model TEXT NOT NULL, together INTEGER NOT NULL,
                          seconds REAL NOT NULL, answers REAL NOT NULL,
                          PRIMARY KEY(worker, model, together));
)";

SpeedFrom source_of(const std::string& name) {
  for (const SpeedFrom from : {SpeedFrom::measured, SpeedFrom::learned}) {
    if (speed_from_name(from) == name) return from;
  }
  return SpeedFrom::estimate;
}

bool is_amount(double value) { return value > 0 && std::isfinite(value); }
bool is_count(double value) { return value >= 0 && std::isfinite(value); }

// The steps of one, by occupancy; false where one of them is missing or none.
bool read_steps(SQLite::Database& db, KnownSpeed& speed) {
  SQLite::Statement rows(db,
                         "SELECT together, seconds, answers FROM speed_step WHERE worker = ? AND model = ?");
  rows.bind(1, speed.worker);
  rows.bind(2, speed.model_id);
  routing::ByOccupancy seconds{};
  while (rows.executeStep()) {
    const auto at = std::ranges::find(occupancies, rows.getColumn(0).getInt());
    if (at == occupancies.end()) continue;
    const auto k = static_cast<std::size_t>(at - occupancies.begin());
    seconds[k] = rows.getColumn(1).getDouble();
    speed.counts.own[k] = rows.getColumn(2).getDouble();
  }
  if (!std::ranges::all_of(seconds, is_amount) || !std::ranges::all_of(speed.counts.own, is_count))
    return false;
  for (std::size_t n = 0; n < speed.speed.steps_s.size(); ++n) {
    const auto [lower, upper_share] = routing::place_of_occupancy(static_cast<int>(n) + 1);
    double step = seconds[lower];
    if (upper_share > 0) step += upper_share * (seconds[lower + 1] - step);
    speed.speed.steps_s[n] = step;
  }
  return true;
}

}  // namespace

const char* speed_tables() { return tables; }

std::vector<KnownSpeed> read_speeds(SQLite::Database& db) {
  std::vector<KnownSpeed> speeds;
  SQLite::Statement rows(db, R"(SELECT worker, model, basis, source, prompt_speed, prompt_answers, start_s,
      start_answers, slowdown, answers, measured_ms FROM speed ORDER BY worker, model)");
  while (rows.executeStep()) {
    KnownSpeed speed{.worker = rows.getColumn(0).getString(),
                     .model_id = rows.getColumn(1).getString(),
                     .basis = rows.getColumn(2).getString(),
                     .from = source_of(rows.getColumn(3).getString()),
                     .measured_ms = rows.getColumn(10).getInt64()};
    speed.speed.prompt = rows.getColumn(4).getDouble();
    speed.counts.prompt = rows.getColumn(5).getDouble();
    speed.speed.start_s = rows.getColumn(6).getDouble();
    speed.counts.start = rows.getColumn(7).getDouble();
    speed.speed.slowdown = rows.getColumn(8).getDouble();
    speed.counts.common = rows.getColumn(9).getDouble();
    const bool sound = is_amount(speed.speed.prompt) && is_count(speed.speed.start_s) &&
                       is_count(speed.speed.slowdown) && is_count(speed.counts.prompt) &&
                       is_count(speed.counts.start) && is_count(speed.counts.common);
    if (sound && read_steps(db, speed)) speeds.push_back(std::move(speed));
  }
  return speeds;
}

void write_speed(SQLite::Database& db, const KnownSpeed& speed, std::int64_t now_ms) {
  SQLite::Statement row(db, "INSERT OR REPLACE INTO speed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.bind(1, speed.worker);
  row.bind(2, speed.model_id);
  row.bind(3, speed.basis);
  row.bind(4, std::string(speed_from_name(speed.from)));
  row.bind(5, speed.speed.prompt);
  row.bind(6, speed.counts.prompt);
  row.bind(7, speed.speed.start_s);
  row.bind(8, speed.counts.start);
  row.bind(9, speed.speed.slowdown);
  row.bind(10, speed.counts.common);
  row.bind(11, speed.measured_ms);
  row.bind(12, now_ms);
  row.exec();
  SQLite::Statement step(db, "INSERT OR REPLACE INTO speed_step VALUES (?, ?, ?, ?, ?)");
  for (std::size_t k = 0; k < occupancies.size(); ++k) {
    step.bind(1, speed.worker);
    step.bind(2, speed.model_id);
    step.bind(3, occupancies[k]);
    step.bind(4, speed.speed.step_s(occupancies[k]));
    step.bind(5, speed.counts.own[k]);
    step.exec();
    step.reset();
  }
}

void forget_old_speeds(SQLite::Database& db, std::int64_t now_ms) {
  SQLite::Statement old(db, "DELETE FROM speed WHERE kept_ms < ?");
  old.bind(1, now_ms - speeds_kept_ms);
  old.exec();
  SQLite::Statement most(db, R"(DELETE FROM speed WHERE rowid IN
      (SELECT rowid FROM speed ORDER BY kept_ms DESC, worker, model LIMIT -1 OFFSET ?))");
  most.bind(1, most_speeds);
  most.exec();
  db.exec(R"(DELETE FROM speed_step WHERE NOT EXISTS
      (SELECT 1 FROM speed WHERE speed.worker = speed_step.worker AND speed.model = speed_step.model))");
}

}  // namespace rbee::keeper
