// A request, the stream that a first engine made of it and the one that a second makes, parted by NULs; the
// first byte is the dialect. Whatever they are: what the client gets is whole events, and what goes on is
// JSON.
#include "base/json.h"
#include "keeper/resume.h"
#include "keeper/stream_so_far.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace rbee;
using namespace rbee::keeper;

std::string_view cut(std::string_view& text) {
  const std::size_t end = text.find('\0');
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto dialect = static_cast<Dialect>(data[0] % 4);
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view request = cut(text);
  const std::string_view first = cut(text);
  StreamSoFar so_far(dialect);
  so_far.add(first, (data[0] & 4) != 0);
  const ToldSoFar told = so_far.told();
  const Result<std::string> continued = continued_request(dialect, request, told);
  if (continued && !Json::accept(*continued)) std::abort();
  Seam seam(dialect, told);
  for (std::size_t at = 0; at < text.size(); at += 11) {
    const Result<std::string> events = seam.pass(text.substr(at, 11), false);
    if (!events) return 0;
    if (!events->empty() && !events->ends_with("\n\n")) std::abort();
  }
  return 0;
}
