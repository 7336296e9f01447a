#include "domain/model_name.h"

#include "base/text.h"

#include <algorithm>

namespace rbee {
namespace {

constexpr std::size_t longest_name = 128;  // with a suffix it still is a file name everywhere

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool may_stand_in_name(char c) {
  return is_letter_or_digit(c) || std::string_view("._-:@").find(c) != std::string_view::npos;
}

// What a user typed comes back in a message, cut where it is long.
std::string quoted(std::string_view name) {
  constexpr std::size_t most = 60;
  return name.size() <= most ? cat('\'', name, '\'') : cat('\'', name.substr(0, most), "...'");
}

}  // namespace

bool answers_to(const ModelFile& file, std::string_view asked) {
  if (asked.empty()) return false;
  if (equal_ignoring_case(asked, file.id) || equal_ignoring_case(asked, file.name)) return true;
  const std::size_t at = asked.rfind('@');
  return at != std::string_view::npos && equal_ignoring_case(asked.substr(0, at), file.name) &&
         equal_ignoring_case(asked.substr(at + 1), file.quant);
}

Result<void> check_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= longest_name && is_letter_or_digit(name.front()) &&
                    std::all_of(name.begin(), name.end(), may_stand_in_name) &&
                    name.find("..") == std::string_view::npos;
  if (good) return {};
  return Error{
      ErrorCode::bad_request, cat("The name ", quoted(name), " cannot be used."),
      "A name has 1 to 128 letters, digits and . _ - : @, begins with a letter or digit, and has no '..'."};
}

}  // namespace rbee
