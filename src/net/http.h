// HTTP/1.1 as values: heads, header fields, the limits on both, and bodies' framing.
// Parsing is strict where requests could be smuggled (RFC 9112): two lengths, a length beside chunks, chunks
// in HTTP/1.0, bare CR, spaces before the colon are refused.
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "net/room_store.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rbee::net {

// 16 KiB of head and 100 fields: twice what browsers and clients send, and what nginx takes by default.
inline constexpr std::size_t largest_head_bytes = 16384;
inline constexpr std::size_t most_fields = 100;

// A field's name as it was written, with its mark: a number that is the same for all its spellings and seldom
// that of another name, so that names are looked for by comparing numbers. The compiler makes it for a
// literal.
class FieldName {
 public:
  template <std::size_t N>
  consteval FieldName(const char (&literal)[N])  // NOLINT(google-explicit-constructor): names are literals
      : FieldName(std::string_view(literal, N - 1)) {}
  explicit constexpr FieldName(std::string_view text) : FieldName(text, mark_of(text)) {}
  constexpr FieldName(std::string_view text, std::uint32_t mark) : text_(text), mark_(mark) {}
  constexpr operator std::string_view() const { return text_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr std::string_view text() const { return text_; }
  [[nodiscard]] constexpr std::uint32_t mark() const { return mark_; }
  // In any case of their letters.
  [[nodiscard]] friend bool operator==(const FieldName& a, const FieldName& b) {
    return a.mark_ == b.mark_ && equal_ignoring_case(a.text_, b.text_);
  }
  // The mark of a name of which `mark` is that of what stands before `letter`.
  [[nodiscard]] static constexpr std::uint32_t mark_on(std::uint32_t mark, char letter) {
    return mark * 33 + (static_cast<unsigned char>(letter) | 0x20u);
  }

 private:
  static constexpr std::uint32_t mark_of(std::string_view text) {
    std::uint32_t mark = 0;
    for (const char letter : text) mark = mark_on(mark, letter);
    return mark;
  }
  std::string_view text_;
  std::uint32_t mark_;
};

[[nodiscard]] bool is_one_of(const FieldName& name, std::span<const FieldName> names);
// Those that say where a body ends: of one hop, where that writes the body anew.
inline constexpr std::array<FieldName, 2> fields_of_the_framing = {"Content-Length", "Transfer-Encoding"};

// A message's fields in their order. They lie in one string, as they are sent: a head is read, copied and
// changed by each hop, and a string for each of them would be most of what a small request costs.
class Headers {
 public:
  struct Field {
    FieldName name;
    std::string_view value;
  };
  class Iterator {
   public:
    Iterator(const Headers& of, std::size_t at) : of_(&of), at_(at) {}
    [[nodiscard]] Field operator*() const { return of_->field(at_); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    [[nodiscard]] bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const Headers* of_;
    std::size_t at_;
  };

  Headers() = default;
  Headers(std::initializer_list<Field> fields) {
    for (const auto& [name, value] : fields) add(name, value);
  }
  void add(FieldName name, std::string_view value);
  void add_all(const Headers& more);
  // Room for so much more, so that adding it allocates once; of a field its name, its value and 4 bytes.
  void reserve(std::size_t fields, std::size_t bytes);
  // Fields as they were sent, each with its CRLF, of which the last one ends `lines`. Fails with bad_request.
  [[nodiscard]] static Result<Headers> parse(std::string_view lines);
  // Each as "name: value", or as it came, with CRLF.
  [[nodiscard]] std::string_view text() const { return text_; }
  // Of the first field with that name, in any case; valid until the next add().
  [[nodiscard]] std::optional<std::string_view> find(FieldName name) const;
  // Those with one of these names.
  [[nodiscard]] Headers only(std::span<const FieldName> names) const;
  // Gives their room back, which an assignment of none would keep.
  void let_go();
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] bool empty() const { return places_.empty(); }
  // Views of a field are valid until the next add().
  [[nodiscard]] Iterator begin() const { return {*this, 0}; }
  [[nodiscard]] Iterator end() const { return {*this, places_.size()}; }

 private:
  // Of text_, in which a head has 16 KiB at most, and what is added to it some hundred bytes.
  struct Place {
    std::uint32_t name;
    std::uint32_t value;
    std::uint32_t name_bytes;
    std::uint32_t value_bytes;
    std::uint32_t mark;
  };
  [[nodiscard]] static std::uint64_t bit_of(std::uint32_t mark) { return std::uint64_t{1} << (mark % 64); }
  [[nodiscard]] bool may_have(FieldName name) const { return (marks_ & bit_of(name.mark())) != 0; }
  [[nodiscard]] FieldName name_at(const Place& place) const {
    return {{text_.data() + place.name, place.name_bytes}, place.mark};
  }
  [[nodiscard]] std::string_view value_at(const Place& place) const {
    return {text_.data() + place.value, place.value_bytes};
  }
  [[nodiscard]] Field field(std::size_t index) const {
    const Place& place = places_[index];
    return {name_at(place), value_at(place)};
  }
  using Text = std::basic_string<char, std::char_traits<char>, RoomAllocator<char>>;
  using Places = std::vector<Place, RoomAllocator<Place>>;
  Text text_;
  Places places_;
  // Of each field's mark a bit: most names that are looked for are not there.
  std::uint64_t marks_ = 0;
};

struct RequestHead {
  std::string method = {};
  std::string target = {};  // as sent: path and query
  std::string path = {};    // percent-decoded; never with "..", NUL or a control character
  std::string query = {};   // as sent, without '?'
  int minor_version = 1;
  Headers headers = {};
};

struct ResponseHead {
  int status = 0;
  int minor_version = 1;
  Headers headers = {};
};

enum class Framing { none, length, chunked, until_close };
struct BodyFraming {
  Framing kind = Framing::none;
  std::uint64_t length = 0;
};

// `head` ends with the empty line. Fail with bad_request and the reason.
[[nodiscard]] Result<RequestHead> parse_request_head(std::string_view head);
[[nodiscard]] Result<ResponseHead> parse_response_head(std::string_view head);
[[nodiscard]] Result<BodyFraming> request_framing(const RequestHead& head);
[[nodiscard]] Result<BodyFraming> response_framing(const ResponseHead& head, bool answers_head_request);
[[nodiscard]] bool keeps_alive(int minor_version, const Headers& headers);

[[nodiscard]] std::string_view status_text(int status);
// The head in one string, with the empty line.
[[nodiscard]] std::string format_response_head(int status, const Headers& headers);

// "a%20b" is "a b" ('+' too where `plus`); nothing for a broken escape.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool plus);
[[nodiscard]] std::string percent_encode(std::string_view text);
// The same for a path: its slashes stay.
[[nodiscard]] std::string percent_encode_path(std::string_view path);
// The value of `key` in "a=1&b=2", decoded.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view key);

// Reads chunked framing as it comes, in pieces of any size.
class ChunkedReader {
 public:
  struct Step {
    std::size_t used = 0;        // bytes of the input that were read
    std::string_view data = {};  // part of a chunk, within the input
  };
  // Reads on to the next piece of data, the end, or the end of the input. Fails with bad_request.
  [[nodiscard]] Result<Step> next(std::string_view input);
  [[nodiscard]] bool done() const { return state_ == State::done; }
  // Between two chunks: what was read so far can be passed on as it is.
  [[nodiscard]] bool at_boundary() const { return state_ == State::size && line_.empty(); }

 private:
  enum class State { size, data, data_end, trailer, done };
  Result<void> take_line();
  State state_ = State::size;
  std::uint64_t left_ = 0;
  std::size_t trailer_lines_ = 0;
  std::string line_;
};

}  // namespace rbee::net
