// What another hive asks a file with, and what a keeper tells of another hive: the first byte chooses which.
// A range is within its file, and what is read of a download is written as it was.
#include "base/json.h"
#include "hive/file_tickets.h"
#include "model/downloads.h"
#include "net/wake_on_lan.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rbee;
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  switch (data[0] % 4) {
    case 0: static_cast<void>(hive::file_target(text)); break;
    case 1: {
      const std::uint64_t bytes = data[1];
      const auto range = hive::parse_range(text, bytes);
      if (range && (range->first > bytes || range->size > bytes - range->first)) std::abort();
      break;
    }
    case 2: static_cast<void>(net::parse_mac(text)); break;
    default: {
      const Result<Json> json = parse_json(text);
      const auto request = json ? model::download_request_from_json(*json) : std::nullopt;
      if (request && !model::download_request_from_json(model::to_json(*request))) std::abort();
    }
  }
  return 0;
}
