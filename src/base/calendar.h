// Times of the calendar as text. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace rbee {

// "2026-01-31T12:00:00Z"
[[nodiscard]] std::string iso_time(std::int64_t unix_ms);
// "2026-01-31T12:00:00.123Z"
[[nodiscard]] std::string iso_time_ms(std::int64_t unix_ms);

}  // namespace rbee
