#include "domain/link_request.h"

#include "base/json.h"
#include "base/text.h"
#include "domain/model_name.h"

#include <nlohmann/json.hpp>

namespace rbee {
namespace {

// Both come back in lists and logs.
constexpr std::size_t longest_version = 64;
constexpr std::size_t longest_address = 64;

}  // namespace

std::string link_request_text(const LinkRequest& request) {
  return dump_json(Json{{"hive", request.name},
                        {"version", request.version},
                        {"addresses", request.addresses},
                        {"asking", request.asking},
                        {"spare", request.spare}});
}

Result<LinkRequest> parse_link_request(std::string_view text) {
  const Result<Json> json = parse_json(text);
  if (!json) return json.error();
  LinkRequest request{.name = text_of(*json, "hive"), .version = text_of(*json, "version")};
  if (Result<void> good = check_name(request.name); !good) return good.error();
  if (request.version.size() > longest_version)
    return Error{ErrorCode::bad_request, cat("\"version\" is longer than ", longest_version, ".")};
  for (const Json& one : get_array(*json, "addresses")) {
    if (!one.is_string() || request.addresses.size() >= most_link_addresses) continue;
    std::string address = one.get<std::string>();
    if (address.size() <= longest_address) request.addresses.push_back(std::move(address));
  }
  request.asking = get_bool(*json, "asking").value_or(false);
  request.spare = get_bool(*json, "spare").value_or(false);
  return request;
}

}  // namespace rbee
