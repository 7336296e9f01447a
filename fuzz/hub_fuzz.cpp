// What hubs and registries answer, and what lies in the journals and lists of a store: whoever wrote it.
#include "base/json.h"
#include "domain/report.h"
#include "model/catalog.h"
#include "model/hub.h"
#include "model/part_file.h"
#include "model/source.h"
#include "model/transfer.h"
#include "model/web_rules.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace rbee::model;

// A file of the network leads to a place of the store only by its checksum.
void check(const rbee::Result<WantedModel>& model) {
  if (!model) return;
  std::vector<WantedFile> files = model->files;
  if (model->projector) files.push_back(*model->projector);
  for (const WantedFile& file : files) {
    const bool good =
        file.sha256.empty() || file.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!good || file.url.find('\n') != std::string::npos) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const rbee::Result<Source> hub = parse_source("hf:o/r", "", {});
  const rbee::Result<Source> ollama = parse_source("ollama:m:t", "", {});
  check(choose_files(*hub, text, "https://hub"));
  check(files_of_manifest(*ollama, text, "https://registry/v2/library/m"));
  static_cast<void>(parse_hub_models(text, "https://hub"));
  static_cast<void>(parse_catalog(text));
  if (const auto json = rbee::parse_json(text); json) {
    static_cast<void>(part_state_from_json(*json));
    static_cast<void>(rbee::model_file_from_json(*json));
  }
  if (const rbee::Result<Source> source = parse_source(text, "", catalog()); source) {
    // The canonical name names the same file again.
    const rbee::Result<Source> again = parse_source(canonical(*source), "", catalog());
    if (again && canonical(*again) != canonical(*source)) std::abort();
  }
  static_cast<void>(naming_of_file(text));
  if (const auto joined = join_url("https://hub/a/b?c", std::string(text)); joined) {
    const auto parts = parse_web_url(*joined);
    if (parts && parts->scheme == "https" && (parts->host.empty() || parts->port.empty())) std::abort();
    static_cast<void>(check_url(*joined, {}));
    if (without_query(*joined).find('?') != std::string::npos) std::abort();
    static_cast<void>(authorization_for(*joined, {.token = "t"}));
    static_cast<void>(proxy_for(*joined, {.https_proxy = "http://p:1", .no_proxy = std::string(text)}));
  }
  AnswerHead head;
  if (parse_content_range(text, head) && head.range && head.range->from >= head.range->to) std::abort();
  return 0;
}
