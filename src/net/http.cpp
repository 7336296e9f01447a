#include "net/http.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace rbee::net {
namespace {

// What clients' libraries send, and room for what is added.
constexpr std::size_t usual_fields = 12;
// Of a head that is written here: growing to it by doubling would take room four times.
constexpr std::size_t usual_added_fields = 8;
constexpr std::size_t usual_added_bytes = 240;

constexpr std::size_t bytes_around_a_field = std::string_view(": \r\n").size();

Error bad(std::string message) { return Error{ErrorCode::bad_request, std::move(message)}; }

// RFC 9110 5.6.2: what a method or a field's name may be made of.
constexpr std::array<bool, 256> letters_of_tokens = [] {
  std::array<bool, 256> is{};
  for (unsigned char c = '0'; c <= '9'; ++c) is[c] = true;
  for (unsigned char c = 'a'; c <= 'z'; ++c) is[c] = is[c - 'a' + 'A'] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) is[static_cast<unsigned char>(c)] = true;
  return is;
}();

bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!letters_of_tokens[static_cast<unsigned char>(c)]) return false;
  }
  return !text.empty();
}

// A field's name at the beginning of a line, and its mark, which is made while it is looked for.
struct Named {
  std::size_t bytes = 0;
  std::uint32_t mark = 0;
};

Named name_of(std::string_view line) {
  Named name;
  while (name.bytes < line.size() && letters_of_tokens[static_cast<unsigned char>(line[name.bytes])])
    name.mark = FieldName::mark_on(name.mark, line[name.bytes++]);
  return name;
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

// Whether one of eight bytes may be a control character: below 0x20, a tab too, or 0x7f. A byte that is above
// one of those may be told as one, never the other way round.
bool may_have_control(std::span<const char, sizeof(std::uint64_t)> eight) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t tops = 0x80 * ones;
  std::uint64_t word = 0;
  std::memcpy(&word, eight.data(), sizeof word);
  const std::uint64_t below_space = (word - 0x20 * ones) & ~word;
  const std::uint64_t no_delete = word ^ (0x7f * ones);
  const std::uint64_t is_delete = (no_delete - ones) & ~no_delete;
  return ((below_space | is_delete) & tops) != 0;
}

// How much of it stands before the first control character.
std::size_t bytes_to_control(std::string_view text) {
  std::size_t at = 0;
  while (text.size() - at >= sizeof(std::uint64_t)) {
    const auto eight = std::span(text).subspan(at).first<sizeof(std::uint64_t)>();
    if (may_have_control(eight)) {
      const auto found = std::ranges::find_if(eight, is_control);
      if (found != eight.end()) return at + static_cast<std::size_t>(found - eight.begin());
    }
    at += eight.size();
  }
  while (at < text.size() && !is_control(text[at])) ++at;
  return at;
}

bool has_control(std::string_view text) { return bytes_to_control(text) < text.size(); }

// Takes the next line, which ends with CRLF (a bare LF or CR is how requests get smuggled).
std::optional<std::string_view> take_line(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

std::optional<int> parse_version(std::string_view text) {
  if (text == "HTTP/1.1") return 1;
  if (text == "HTTP/1.0") return 0;
  return std::nullopt;
}

// "a/../b" could leave the place a path is looked up in; nobody sends it on purpose.
bool has_dot_segment(std::string_view path) {
  for (std::size_t at = path.find("/."); at != std::string_view::npos; at = path.find("/.", at + 1)) {
    const std::string_view rest = path.substr(at + 2, path.find('/', at + 1) - (at + 2));
    if (rest.empty() || rest == ".") return true;
  }
  return false;
}

Result<void> split_target(RequestHead& head) {
  std::string_view target = head.target;
  if (target == "*" && head.method == "OPTIONS") {
    head.path = "*";
    return {};
  }
  if (target.starts_with("http://")) {  // absolute form, as proxies send it
    const std::size_t slash = target.find('/', 7);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  if (!target.starts_with('/')) return bad("The request's target is no path.");
  const std::size_t question = target.find('?');
  std::optional<std::string> path = percent_decode(target.substr(0, question), false);
  if (!path || has_control(*path) || has_dot_segment(*path)) return bad("The request's path is not valid.");
  head.path = std::move(*path);
  if (question != std::string_view::npos) head.query = target.substr(question + 1);
  return {};
}

// Fields whose doubles change where a message ends or who it is for.
Result<std::optional<std::string_view>> single(const Headers& headers, FieldName name) {
  std::optional<std::string_view> found;
  if (!headers.find(name)) return found;
  for (const auto& [other, value] : headers) {
    if (other != name) continue;
    if (found) return bad(cat("The head has two fields ", name.text(), "."));
    found = value;
  }
  return found;
}

Result<BodyFraming> framing_of(int minor_version, const Headers& headers) {
  const auto length = single(headers, "Content-Length");
  if (!length) return length.error();
  const auto coding = single(headers, "Transfer-Encoding");
  if (!coding) return coding.error();
  if (*coding) {
    if (*length) return bad("The head has both Content-Length and Transfer-Encoding.");
    // RFC 9112 6.1: whoever passed it on may not know codings, and then has another end in mind.
    if (minor_version == 0) return bad("HTTP/1.0 has no Transfer-Encoding.");
    if (!equal_ignoring_case(**coding, "chunked"))
      return bad(cat("The transfer coding '", **coding, "' is not known."));
    return BodyFraming{Framing::chunked, 0};
  }
  if (!*length) return BodyFraming{};
  const std::optional<std::uint64_t> bytes = parse_int<std::uint64_t>(**length);
  if (!bytes) return bad(cat("Content-Length is '", **length, "', not a number."));
  return BodyFraming{Framing::length, *bytes};
}

}  // namespace

bool is_one_of(const FieldName& name, std::span<const FieldName> names) {
  return std::ranges::find(names, name) != names.end();
}

void Headers::add(FieldName name, std::string_view value) {
  if (places_.capacity() == 0) reserve(usual_added_fields, usual_added_bytes);
  const std::string_view text = name;
  const std::size_t at = text_.size();
  places_.push_back({.name = static_cast<std::uint32_t>(at),
                     .value = static_cast<std::uint32_t>(at + text.size() + 2),
                     .name_bytes = static_cast<std::uint32_t>(text.size()),
                     .value_bytes = static_cast<std::uint32_t>(value.size()),
                     .mark = name.mark()});
  marks_ |= bit_of(name.mark());
  text_.append(text).append(": ").append(value).append("\r\n");
}

Headers Headers::only(std::span<const FieldName> names) const {
  const auto stays = [&](const Place& place) { return is_one_of(name_at(place), names); };
  std::size_t fields = 0;
  std::size_t bytes = 0;
  for (const Place& place : places_) {
    if (!stays(place)) continue;
    ++fields;
    bytes += place.name_bytes + place.value_bytes + bytes_around_a_field;
  }
  Headers kept;
  kept.reserve(fields, bytes);
  for (const Place& place : places_) {
    if (stays(place)) kept.add(name_at(place), value_at(place));
  }
  return kept;
}

void Headers::let_go() {
  Text().swap(text_);
  Places().swap(places_);
  marks_ = 0;
}

void Headers::add_all(const Headers& more) {
  const auto shift = static_cast<std::uint32_t>(text_.size());
  reserve(more.size(), more.text_.size());
  text_.append(more.text_);
  marks_ |= more.marks_;
  for (Place place : more.places_) {
    place.name += shift;
    place.value += shift;
    places_.push_back(place);
  }
}

void Headers::reserve(std::size_t fields, std::size_t bytes) {
  places_.reserve(places_.size() + fields);
  text_.reserve(text_.size() + bytes);
}

// Each byte is looked at once: the letters of a name up to what cannot be one, and a value up to the control
// character that ends it, which must be that of a CRLF.
Result<Headers> Headers::parse(std::string_view lines) {
  Headers headers;
  headers.places_.reserve(usual_fields);
  headers.text_.assign(lines);
  const std::string_view text = headers.text_;
  std::size_t at = 0;
  while (at < text.size()) {
    if (headers.size() == most_fields) return bad(cat("The head has more than ", most_fields, " fields."));
    const Named name = name_of(text.substr(at));
    const std::size_t colon = at + name.bytes;
    if (name.bytes == 0 || !text.substr(colon).starts_with(':'))
      return bad("A header field has no valid name.");
    const std::size_t end = colon + 1 + bytes_to_control(text.substr(colon + 1));
    if (end == text.size()) return bad("The head of the message is cut.");
    if (!text.substr(end).starts_with("\r\n")) return bad("A header field has a control character.");
    const std::string_view value = trim(text.substr(colon + 1, end - (colon + 1)));
    headers.places_.push_back({.name = static_cast<std::uint32_t>(at),
                               .value = static_cast<std::uint32_t>(value.data() - text.data()),
                               .name_bytes = static_cast<std::uint32_t>(name.bytes),
                               .value_bytes = static_cast<std::uint32_t>(value.size()),
                               .mark = name.mark});
    headers.marks_ |= bit_of(name.mark);
    at = end + 2;
  }
  return headers;
}

std::optional<std::string_view> Headers::find(FieldName name) const {
  if (!may_have(name)) return std::nullopt;
  for (const Place& place : places_) {
    if (name_at(place) == name) return value_at(place);
  }
  return std::nullopt;
}

namespace {

// What of a whole message's head stands between its first line and the empty one.
Result<Headers> parse_fields(std::string_view rest) {
  if (!rest.ends_with("\r\n")) return bad("The head of the message is cut.");
  return Headers::parse(rest.substr(0, rest.size() - 2));
}

// "GET /path HTTP/1.1".
std::optional<RequestHead> parse_first_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first + 1 >= last) return std::nullopt;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!is_token(method) || target.find(' ') != std::string_view::npos || has_control(target))
    return std::nullopt;
  return RequestHead{.method = std::string(method), .target = std::string(target)};
}

}  // namespace

Result<RequestHead> parse_request_head(std::string_view text) {
  std::string_view rest = text;
  const std::optional<std::string_view> line = take_line(rest);
  if (!line) return bad("The request has no first line.");
  std::optional<RequestHead> head = parse_first_line(*line);
  if (!head) return bad("The request's first line is not HTTP.");
  const std::optional<int> version = parse_version(line->substr(line->rfind(' ') + 1));
  if (!version) return bad("Only HTTP/1.0 and HTTP/1.1 are spoken here.");
  head->minor_version = *version;
  Result<Headers> headers = parse_fields(rest);
  if (!headers) return headers.error();
  head->headers = std::move(*headers);
  if (Result<void> target = split_target(*head); !target) return target.error();
  const auto host = single(head->headers, "Host");
  if (!host) return host.error();
  if (!*host && head->minor_version == 1) return bad("The request has no Host.");
  return std::move(*head);
}

Result<ResponseHead> parse_response_head(std::string_view text) {
  std::string_view rest = text;
  const std::optional<std::string_view> line = take_line(rest);
  if (!line || line->size() < 12) return bad("The answer has no first line.");
  const std::optional<int> version = parse_version(line->substr(0, 8));
  const std::optional<int> status = parse_int<int>(line->substr(9, 3));
  if (!version || (*line)[8] != ' ' || !status || *status < 100 || *status > 599) {
    return bad("The answer's first line is not HTTP.");
  }
  Result<Headers> headers = parse_fields(rest);
  if (!headers) return headers.error();
  return ResponseHead{.status = *status, .minor_version = *version, .headers = std::move(*headers)};
}

Result<BodyFraming> request_framing(const RequestHead& head) {
  return framing_of(head.minor_version, head.headers);
}

Result<BodyFraming> response_framing(const ResponseHead& head, bool answers_head_request) {
  if (answers_head_request || head.status < 200 || head.status == 204 || head.status == 304)
    return BodyFraming{};
  Result<BodyFraming> framing = framing_of(head.minor_version, head.headers);
  if (framing && framing->kind == Framing::none) return BodyFraming{Framing::until_close, 0};
  return framing;
}

// A sender may spread its options over several fields, and what one of them ends no other keeps.
bool keeps_alive(int minor_version, const Headers& headers) {
  constexpr FieldName connection = "Connection";
  bool keeps = minor_version > 0;
  if (!headers.find(connection)) return keeps;
  for (const auto& [name, value] : headers) {
    if (name != connection) continue;
    const std::string wish = lower(value);
    if (wish.find("close") != std::string::npos) return false;
    if (wish.find("keep-alive") != std::string::npos) keeps = true;
  }
  return keeps;
}

std::string_view status_text(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 507: return "Insufficient Storage";
    default: return "Status";
  }
}

namespace {

constexpr std::size_t first_line_bytes = 64;

}  // namespace

std::string format_response_head(int status, const Headers& headers) {
  std::string out;
  out.reserve(first_line_bytes + headers.text().size());
  out.append("HTTP/1.1 ");
  append_text(out, status);
  out.append(" ").append(status_text(status)).append("\r\n").append(headers.text()).append("\r\n");
  return out;
}

}  // namespace rbee::net
