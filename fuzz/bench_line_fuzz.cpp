// Any bytes as what llama-bench prints: nothing may throw, overflow or read beyond.
#include "engine/bench.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto line = rbee::engine::parse_bench_line({reinterpret_cast<const char*>(data), size});
  if (line && line->tokens_per_s.empty()) __builtin_trap();
  return 0;
}
