// What the keeper remembers of speeds, as rows of its SQLite file: what was believed of each model on each
// worker, by how many requests ran together, in figures that mean something without rbee (tokens/s, seconds).
//
// For State alone, on SQLite's thread. They throw SQLite::Exception, as SQLiteCpp does.
#pragma once

#include "routing/believed_speed.h"

#include <cstdint>
#include <vector>

namespace SQLite {
class Database;
}

namespace rbee::keeper {

// A worker or model that was not there for so long is forgotten: a laptop may be away for a season.
inline constexpr std::int64_t speeds_kept_ms = std::int64_t{180} * 24 * 3600 * 1000;
// Ten thousand workers with two models each; those that were not there for longest go.
inline constexpr std::int64_t most_speeds = 20'000;

[[nodiscard]] const char* speed_tables();
// Rows that make no sense are left out.
[[nodiscard]] std::vector<routing::KnownSpeed> read_speeds(SQLite::Database& db);
void write_speed(SQLite::Database& db, const routing::KnownSpeed& speed, std::int64_t now_ms);
void forget_old_speeds(SQLite::Database& db, std::int64_t now_ms);

}  // namespace rbee::keeper
