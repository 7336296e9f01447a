// What lies in a hive's and a keeper's state folder, and what a hive and an engine say of themselves: after a
// crash, a disk that failed, or by another version's hand. The first byte chooses whose text it is. What is
// understood is understood again from what is written of it.
#include "base/json.h"
#include "domain/hive_token.h"
#include "domain/link_request.h"
#include "domain/machine.h"
#include "domain/machine_figures.h"
#include "domain/report.h"
#include "engine/devices.h"
#include "engine/health.h"
#include "engine/install_plan.h"
#include "engine/manifest.h"
#include "hive/corrections.h"
#include "hive/kept_machine.h"
#include "hive/load_settings.h"
#include "hive/state_files.h"
#include "hive/trust.h"
#include "model/downloads.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace rbee;
using namespace rbee::hive;

void expect(bool good) {
  if (!good) std::abort();
}

void read_trust(std::string_view text) {
  if (const auto keeper = parse_keeper(text))
    expect(keeper_text(*parse_keeper(keeper_text(*keeper))) == keeper_text(*keeper));
  if (const auto token = parse_token_record(text))
    expect(token_text(*parse_token_record(token_text(*token))) == token_text(*token));
  static_cast<void>(parse_pair_request(text, "print"));
  static_cast<void>(parse_token(text));
  if (const auto link = parse_link_request(text))
    expect(link_request_text(*parse_link_request(link_request_text(*link))) == link_request_text(*link));
}

void read_kept_machine(std::string_view text) {
  const device::ProbeOptions here;
  const auto kept = parse_kept_machine(text, here);
  if (!kept) return;
  static_cast<void>(age_text(*kept, 0));
  expect(parse_kept_machine(kept_machine_text(*kept, here), here).has_value());
}

void read_workers(std::string_view text) {
  auto workers = parse_workers(text);
  if (!workers) return;
  expect(workers_text(*parse_workers(workers_text(*workers))) == workers_text(*workers));
  const Machine nothing;
  for (WorkerSpec& worker : *workers) settle_worker(worker, nothing);
}

void read_json(std::string_view text) {
  const Result<Json> json = parse_json(text);
  if (!json) return;
  static_cast<void>(report_from_json(*json));
  if (Result<Machine> machine = machine_from_json(*json); machine && json->is_object())
    take_machine_figures(*json, *machine);
  static_cast<void>(load_settings_from_json(*json));
  static_cast<void>(model::download_request_from_json(*json));
}

void read_engine(std::string_view text) {
  static_cast<void>(engine::parse_slots(text));
  static_cast<void>(engine::parse_engine_devices(text));
  static_cast<void>(engine::parse_ninja_step(text));
  if (const auto manifest = engine::parse_manifest(text))
    expect(static_cast<bool>(engine::parse_manifest(engine::format_manifest(*manifest))));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0: read_trust(text); break;
    case 1: read_kept_machine(text); break;
    case 2:
      read_workers(text);
      static_cast<void>(parse_records(text));
      break;
    case 3:
      if (const auto corrections = Corrections::parse(text))
        expect(static_cast<bool>(Corrections::parse(corrections->text())));
      break;
    case 4: read_json(text); break;
    default: read_engine(text);
  }
  return 0;
}
