// Turns source text into tokens, one at a time, so that the parser can say where text within back-ticks goes
// on.
//
// Never fails as a call: what is no token comes out as Tok::error with the official engine's kind and
// message.
#pragma once

#include "rhai/errors.h"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::rhai {

enum class Tok : std::uint8_t {
  // clang-format off
  end, error, integer, floating, character, string, interpolated, identifier, reserved, unit, underscore,
  left_brace, right_brace, left_paren, right_paren, left_bracket, right_bracket, question_bracket,
  map_start,
  plus, unary_plus, minus, unary_minus, multiply, divide, modulo, power, shift_left, shift_right,
  semicolon, colon, double_colon, double_arrow, comma, period, elvis, double_question, range, range_inclusive,
  equals, plus_assign, minus_assign, multiply_assign, divide_assign, modulo_assign, power_assign,
  shift_left_assign, shift_right_assign, and_assign, or_assign, xor_assign,
  less, greater, less_equal, greater_equal, equal_to, not_equal, bang, pipe, logical_or, caret, ampersand,
  logical_and, kw_in, not_in,
  kw_true, kw_false, kw_let, kw_const, kw_if, kw_else, kw_switch, kw_do, kw_while, kw_until, kw_loop, kw_for,
  kw_continue, kw_break, kw_fn, kw_private, kw_return, kw_throw, kw_try, kw_catch, kw_import, kw_export,
  kw_as,
  // clang-format on
};

struct Token {
  Tok kind = Tok::end;
  Position position;
  std::string_view text;  // identifiers, reserved words, the text of strings; for errors the message
  std::string_view error_kind;
  std::int64_t integer = 0;  // also the character
  double floating = 0;
};

struct LexOptions {
  std::size_t string_bytes_max = 0;           // 0: no limit
  std::vector<std::string> disabled_symbols;  // keywords and operators that are refused
  bool json = false;                          // parse_json(): `{` begins a map, `null` is ()
};

class Lexer {
 public:
  // The source must outlive all tokens.
  Lexer(std::string_view source, const LexOptions& options);
  [[nodiscard]] const Token& peek() {
    if (!has_next_) {
      next_ = read();
      has_next_ = true;
    }
    return next_;
  }
  Token next() {
    (void)peek();
    has_next_ = false;
    return next_;
  }
  // Between `}` and the rest of a back-tick string: nothing may have been peeked.
  void resume_text() { in_text_ = true; }
  // Text that lives as long as the lexer's owner wants: unescaped strings.
  [[nodiscard]] std::deque<std::string> take_texts() { return std::move(texts_); }

 private:
  Token read();
  Token read_raw();
  Token read_number(Position at, bool negative);
  Token read_bits(Position at, bool negative, int radix);
  std::string decimal_digits(bool& is_float);
  [[nodiscard]] bool point_is_decimal() const;
  void continue_line(Position start);
  void skip_block_comment();
  Token read_word(Position at);
  Token read_quoted(Position at);
  Token read_character(Position at);
  Token read_backtick(Position at, bool resumed);
  Token read_raw_string(Position at);
  Token read_symbol(Position at);
  bool read_escape(std::string& out, char quote, Token& error);
  bool skip_blank();
  Token make(Tok kind, Position at) const;
  Token fail(std::string_view kind, std::string message, Position at);
  Token text_token(Tok kind, std::string text, Position at);
  Token reserved(std::string_view text, Position at);
  [[nodiscard]] Position here();
  [[nodiscard]] char at(std::size_t ahead = 0) const {
    return offset_ + ahead < source_.size() ? source_[offset_ + ahead] : '\0';
  }
  [[nodiscard]] bool done() const { return offset_ >= source_.size(); }
  [[nodiscard]] bool is_disabled(std::string_view word) const;
  void newline();

  std::string_view source_;
  const LexOptions& options_;
  std::size_t offset_ = 0;
  std::size_t counted_offset_ = 0;  // the place that `position_` is of
  Position position_{1, 1};
  Token next_;
  bool has_next_ = false;
  bool in_text_ = false;
  bool unary_next_ = true;  // whether a sign now belongs to what follows
  std::deque<std::string> texts_;
};

// Whether a word may be called as a function or a method though it is reserved: print, call, type_of, ...
[[nodiscard]] bool is_callable_reserved(std::string_view word);
[[nodiscard]] bool is_method_reserved(std::string_view word);
// Whether the word has the form of a name: ASCII letters, digits and `_`, a letter being first of all but
// `_`.
[[nodiscard]] bool is_valid_identifier(std::string_view word);
// How error messages write a token.
[[nodiscard]] std::string_view token_text(const Token& token);

}  // namespace rbee::rhai
