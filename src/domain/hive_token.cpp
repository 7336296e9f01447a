#include "domain/hive_token.h"

#include "base/text.h"

#include <algorithm>

namespace rbee {
namespace {

constexpr std::string_view prefix = "rbee-hive-";
constexpr std::size_t secret_length = 22;
constexpr std::size_t print_length = 43;

bool is_base64url(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
  });
}

Error bad(std::string_view what) {
  return Error{ErrorCode::bad_request, cat("This is no token of a hive: ", what, "."),
               "`rbee hive token`, typed on the hive's machine, prints one; paste it whole."};
}

}  // namespace

std::string format_token(const HiveToken& token) { return cat(prefix, token.secret, ".", token.key_print); }

Result<HiveToken> parse_token(std::string_view text) {
  const std::string_view token = trim(text);
  if (!token.starts_with(prefix)) return bad(cat("it does not begin with '", prefix, "'"));
  const std::string_view rest = token.substr(prefix.size());
  const std::size_t dot = rest.find('.');
  const std::size_t whole = secret_length + 1 + print_length;
  if (rest.size() < whole) return bad(cat("it has ", token.size(), " characters of ", prefix.size() + whole));
  if (dot != secret_length || rest.size() != whole || !is_base64url(rest.substr(0, dot)) ||
      !is_base64url(rest.substr(dot + 1)))
    return bad("characters were lost or added on the way");
  return HiveToken{std::string(rest.substr(0, dot)), std::string(rest.substr(dot + 1))};
}

}  // namespace rbee
