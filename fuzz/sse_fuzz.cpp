// Event streams in pieces: the same events whatever the pieces.
#include "net/sse.h"

#include <cstdlib>

using rbee::net::SseReader;

namespace {

std::string events(std::string_view text, std::size_t piece) {
  SseReader reader;
  std::string all;
  while (!text.empty()) {
    const std::size_t take = std::min(piece, text.size());
    if (!reader.feed(text.substr(0, take))) return all;
    text.remove_prefix(take);
    while (const auto event = reader.next()) all += event->event + "|" + event->data + ";";
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (events(text, 3) != events(text, size + 1)) std::abort();
  return 0;
}
