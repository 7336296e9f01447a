#include "base/calendar.h"

#include "base/text.h"

#include <chrono>

namespace rbee {

namespace {

// To the second, without a zone.
std::string seconds_text(std::int64_t unix_ms) {
  namespace chrono = std::chrono;
  const auto at =
      chrono::floor<chrono::seconds>(chrono::sys_time<chrono::milliseconds>{chrono::milliseconds{unix_ms}});
  const auto day = chrono::floor<chrono::days>(at);
  const chrono::year_month_day date{day};
  const chrono::hh_mm_ss time{at - day};
  const auto two = [](auto number) { return cat(number < 10 ? "0" : "", number); };
  return cat(static_cast<int>(date.year()), "-", two(static_cast<unsigned>(date.month())), "-",
             two(static_cast<unsigned>(date.day())), "T", two(time.hours().count()), ":",
             two(time.minutes().count()), ":", two(time.seconds().count()));
}

}  // namespace

std::string iso_time(std::int64_t unix_ms) { return cat(seconds_text(unix_ms), "Z"); }

std::string iso_time_ms(std::int64_t unix_ms) {
  const std::int64_t ms = (unix_ms % 1000 + 1000) % 1000;
  return cat(seconds_text(unix_ms), ".", std::string_view(cat(1000 + ms)).substr(1), "Z");
}

}  // namespace rbee
