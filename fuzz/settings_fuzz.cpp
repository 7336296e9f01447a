// What a user writes for rbee: rbee.toml, keys, a fleet and a trace to simulate; and what the user's ssh and
// a machine behind it say. The first byte chooses which. An answer or an error that says something, and
// nothing that throws.
#include "base/json.h"
#include "cli/config.h"
#include "cli/known_keepers.h"
#include "cli/ssh_words.h"
#include "keeper/api_keys.h"
#include "keeper/host_check.h"
#include "keeper/request_head.h"
#include "routing/fleet_json.h"
#include "routing/policy.h"
#include "sim/trace.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

template <class T>
void expect_words(const rbee::Result<T>& result) {
  if (!result && result.error().message.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rbee;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0: expect_words(cli::parse_config(text, "rbee.toml")); break;
    case 1: {
      const auto keys = keeper::ApiKeys::parse(text);
      expect_words(keys);
      if (keys && !keeper::ApiKeys::parse(keys->text())) std::abort();
      break;
    }
    case 2:
      if (const Result<Json> json = parse_json(text)) expect_words(routing::fleet_from_json(*json));
      break;
    case 3: expect_words(sim::parse_trace(text)); break;
    case 5:
      if (cli::ssh_error("me@box", text).message.empty()) std::abort();
      if (cli::missing_package("me@box", text).message.empty()) std::abort();
      expect_words(cli::check_same_system("me@box", text, "Linux x86_64"));
      break;
    default:
      expect_words(cli::parse_duration(text));
      expect_words(routing::parse_size_range(text));
      static_cast<void>(keeper::parse_keep_alive(text));
      expect_words(cli::parse_known_keepers(text));
      static_cast<void>(keeper::presented_key(text, ""));
      expect_words(
          keeper::page_of({.headers = {{"Host", std::string(text)}, {"Origin", std::string(text)}}}, {}));
  }
  return 0;
}
