#include "rhai/lexer.h"
#include "rhai/lexer_words.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>

namespace rbee::rhai {

namespace {
struct Advice {
  std::string_view symbol;
  std::string_view message;
};
constexpr auto advices = std::to_array<Advice>({
    {"===", "'===' is not a valid operator. This is not JavaScript! Should it be '=='?"},
    {"!==", "'!==' is not a valid operator. This is not JavaScript! Should it be '!='?"},
    {"->", "'->' is not a valid symbol. This is not C or C++!"},
    {"<-", "'<-' is not a valid symbol. This is not Go! Should it be '<='?"},
    {":=", "':=' is not a valid assignment operator. This is not Go or Pascal! Should it be simply '='?"},
    {":;", "':;' is not a valid symbol. Should it be '::'?"},
    {"::<", "'::<>' is not a valid symbol. This is not Rust! Should it be '::'?"},
    {"(*", "'(* .. *)' is not a valid comment format. This is not Pascal! Should it be '/* .. */'?"},
    {"*)", "'(* .. *)' is not a valid comment format. This is not Pascal! Should it be '/* .. */'?"},
    {"#", "'#' is not a valid symbol. Should it be '#{'?"},
});

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_char(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// Whether a `-` after this token is a sign and not a subtraction.
bool sign_may_follow(Tok kind) {
  switch (kind) {
    case Tok::right_brace:
    case Tok::right_paren:
    case Tok::right_bracket:
    case Tok::unit:
    case Tok::integer:
    case Tok::floating:
    case Tok::character:
    case Tok::string:
    case Tok::interpolated:
    case Tok::identifier:
    case Tok::reserved:
    case Tok::underscore:
    case Tok::kw_true:
    case Tok::kw_false:
    case Tok::period:
    case Tok::elvis: return false;
    default: return true;
  }
}
}  // namespace

bool is_callable_reserved(std::string_view w) {
  return w == "print" || w == "debug" || w == "eval" || w == "Fn" || w == "is_def_var" || w == "is_def_fn" ||
         is_method_reserved(w);
}

bool is_method_reserved(std::string_view w) {
  return w == "type_of" || w == "call" || w == "curry" || w == "is_shared";
}

bool is_valid_identifier(std::string_view word) {
  bool letter = false;
  for (const char c : word) {
    if (!is_word_char(c) || (is_digit(c) && !letter)) return false;
    letter = letter || is_letter(c);
  }
  return letter;
}

std::string_view token_text(const Token& token) {
  for (const Word& word : keywords) {
    if (word.kind == token.kind) return word.text;
  }
  for (const Word& word : symbols) {
    if (word.kind == token.kind && word.kind != Tok::reserved) return word.text;
  }
  switch (token.kind) {
    case Tok::unary_plus: return "+";
    case Tok::unary_minus: return "-";
    case Tok::underscore: return "_";
    case Tok::not_in: return "!in";
    case Tok::end: return "{EOF}";
    default: return token.text;
  }
}

Lexer::Lexer(std::string_view source, const LexOptions& options) : source_(source), options_(options) {}

Position Lexer::here() {
  while (counted_offset_ < offset_) {
    const auto c = static_cast<unsigned char>(source_[counted_offset_++]);
    if (c == '\n') {
      ++position_.line;
      position_.column = 1;
    } else if ((c & 0xc0U) != 0x80U) {
      ++position_.column;
    }
  }
  return position_;
}

Token Lexer::make(Tok kind, Position at) const {
  Token token;
  token.kind = kind;
  token.position = at;
  return token;
}

Token Lexer::fail(std::string_view kind, std::string message, Position at) {
  Token token = make(Tok::error, at);
  token.error_kind = kind;
  token.text = texts_.emplace_back(std::move(message));
  offset_ = source_.size();
  return token;
}

Token Lexer::text_token(Tok kind, std::string text, Position at) {
  if (options_.string_bytes_max > 0 && text.size() > options_.string_bytes_max) {
    return fail("LiteralTooLarge",
                cat("Length of string exceeds the maximum limit (", options_.string_bytes_max, ")"), at);
  }
  Token token = make(kind, at);
  token.text = texts_.emplace_back(std::move(text));
  return token;
}

bool Lexer::is_disabled(std::string_view word) const {
  return std::find(options_.disabled_symbols.begin(), options_.disabled_symbols.end(), word) !=
         options_.disabled_symbols.end();
}

// Comments nest, and one that is never closed runs to the end.
void Lexer::skip_block_comment() {
  std::size_t depth = 0;
  do {
    if (at() == '/' && at(1) == '*') {
      ++depth;
      offset_ += 2;
    } else if (at() == '*' && at(1) == '/') {
      --depth;
      offset_ += 2;
    } else {
      ++offset_;
    }
  } while (depth > 0 && offset_ < source_.size());
  offset_ = std::min(offset_, source_.size());
}

// Skips blanks and comments.
bool Lexer::skip_blank() {
  for (;;) {
    const char c = at();
    if (done()) return false;
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f') {
      ++offset_;
    } else if (c == '/' && at(1) == '/') {
      while (!done() && at() != '\n') ++offset_;
    } else if (c == '/' && at(1) == '*') {
      skip_block_comment();
    } else {
      return true;
    }
  }
}

Token Lexer::read() {
  Token token = read_raw();
  unary_next_ = sign_may_follow(token.kind);
  if (token.kind != Tok::error && token.kind != Tok::end && !options_.disabled_symbols.empty() &&
      token.kind != Tok::string && token.kind != Tok::identifier) {
    const std::string_view text = token_text(token);
    if (is_disabled(text)) {
      if (token.kind == Tok::reserved) {
        return fail(
            "BadInput/ImproperSymbol",
            cat("reserved ", is_valid_identifier(text) ? "keyword" : "symbol", " '", text, "' is disabled"),
            token.position);
      }
      token.kind = Tok::reserved;
      token.text = text;
    }
  }
  return token;
}

Token Lexer::read_raw() {
  if (in_text_) {
    in_text_ = false;
    return read_backtick(here(), true);
  }
  if (!skip_blank()) return make(Tok::end, here());
  const Position start = here();
  const char c = at();
  if (is_digit(c)) return read_number(start, false);
  if (is_letter(c) || c == '_') return read_word(start);
  if (c == '"') return read_quoted(start);
  if (c == '\'') return read_character(start);
  if (c == '`') {
    ++offset_;
    return read_backtick(start, false);
  }
  if (c == '#' && (at(1) == '"' || at(1) == '#')) return read_raw_string(start);
  if (c == '-' && is_digit(at(1)) && unary_next_) {
    ++offset_;
    return read_number(start, true);
  }
  return read_symbol(start);
}

// Whether a `.` here belongs to the number and not to what follows it: `1..2` and `1.abs()` are no fractions.
bool Lexer::point_is_decimal() const {
  return is_digit(at(1)) || (at(1) != '_' && at(1) != '.' && !is_letter(at(1)) && at(1) != '\0');
}

// The digits of a decimal number without their separators, its exponent begun with `e`.
std::string Lexer::decimal_digits(bool& is_float) {
  std::string digits;
  bool in_exponent = false;
  for (;; ++offset_) {
    const char c = at();
    if (c == '_') continue;
    if (is_digit(c)) {
      digits += c;
    } else if (c == '.' && !is_float && point_is_decimal()) {
      is_float = true;
      digits += '.';
    } else if ((c == 'e' || c == 'E') && !in_exponent && (is_digit(at(1)) || at(1) == '-' || at(1) == '+')) {
      is_float = in_exponent = true;
      digits += 'e';
      if (is_digit(at(1))) continue;
      ++offset_;
      digits += at();
    } else {
      return digits;
    }
  }
}

// All 64 bits can be written, so that the highest is the sign.
Token Lexer::read_bits(Position start, bool negative, int radix) {
  std::string digits;
  for (offset_ += 2; at() == '_' || digit_value(at()) < radix; ++offset_) {
    if (at() != '_') digits += at();
  }
  std::uint64_t bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits, radix);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return fail("BadInput/MalformedNumber", cat("Invalid number: '", digits, "'"), start);
  }
  Token token = make(Tok::integer, start);
  token.integer = static_cast<std::int64_t>(negative ? 0 - bits : bits);
  return token;
}

Token Lexer::read_number(Position start, bool negative) {
  const char r = at() == '0' ? at(1) : '\0';
  const int radix = r == 'x' || r == 'X' ? 16 : r == 'o' || r == 'O' ? 8 : r == 'b' || r == 'B' ? 2 : 10;
  if (radix != 10) return read_bits(start, negative, radix);
  bool is_float = false;
  std::string digits = decimal_digits(is_float);
  if (negative) digits.insert(digits.begin(), '-');
  Token token = make(Tok::integer, start);
  if (!is_float) {
    if (const auto value = parse_int<std::int64_t>(digits)) {
      token.integer = *value;
      return token;
    }
  }
  token.kind = Tok::floating;
  const std::optional<double> value = read_float(digits);
  if (!value) return fail("BadInput/MalformedNumber", cat("Invalid number: '", digits, "'"), start);
  token.floating = *value;
  return token;
}

Token Lexer::read_word(Position start) {
  const std::size_t begin = offset_;
  while (is_word_char(at())) ++offset_;
  const std::string_view word = source_.substr(begin, offset_ - begin);
  if (word == "_") return make(Tok::underscore, start);
  // No keyword is longer.
  constexpr std::size_t keyword_bytes_max = 8;
  if (word.size() <= keyword_bytes_max) {
    const Word* keyword =
        keyword_index.find(keywords, word, [word](const Word& w) { return same_word(w.text, word); });
    if (keyword != nullptr) return make(keyword->kind, start);
  }
  Token token = make(Tok::identifier, start);
  token.text = word;
  if (options_.json && word == "null") {
    token.kind = Tok::unit;
    return token;
  }
  if (!is_valid_identifier(word)) {
    return fail("BadInput/MalformedIdentifier", cat("Variable name is not proper: '", word, "'"), start);
  }
  const auto is_it = [word](std::string_view known) { return same_word(known, word); };
  if (reserved_index.find(reserved_words, word, is_it) != nullptr) token.kind = Tok::reserved;
  return token;
}

bool Lexer::read_escape(std::string& out, char quote, Token& error) {
  // At the character after the backslash.
  const Position start = here();
  const char c = at();
  const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits > 0) {
    std::uint32_t value = 0;
    for (int i = 1; i <= digits; ++i) {
      const int d = digit_value(at(static_cast<std::size_t>(i)));
      if (d >= 16) {
        const std::string_view seen = source_.substr(offset_, static_cast<std::size_t>(i));
        error =
            fail("BadInput/MalformedEscapeSequence", cat("Invalid escape sequence: '\\", seen, "'"), start);
        return false;
      }
      value = value * 16 + static_cast<std::uint32_t>(d);
    }
    const std::string_view seen = source_.substr(offset_, static_cast<std::size_t>(digits) + 1);
    offset_ += static_cast<std::size_t>(digits);
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) {
      error =
          fail("BadInput/MalformedEscapeSequence", cat("Invalid escape sequence: '\\", seen, "'"), here());
      return false;
    }
    ++offset_;
    append_utf8(out, value);
    return true;
  }
  switch (c) {
    case 't': out += '\t'; break;
    case 'n': out += '\n'; break;
    case 'r': out += '\r'; break;
    case '\\': out += '\\'; break;
    default:
      if (c == quote && c != '\0') {
        out += c;
        break;
      }
      {
        std::size_t end = offset_;
        if (!done()) (void)next_char(source_, end);
        error = fail("BadInput/MalformedEscapeSequence",
                     cat("Invalid escape sequence: '\\", source_.substr(offset_, end - offset_), "'"), start);
        return false;
      }
  }
  ++offset_;
  return true;
}

// The string goes on in the next line, whose indentation up to the column of the opening quote is dropped.
void Lexer::continue_line(Position start) {
  offset_ += at(1) == '\r' ? 3 : 2;
  for (std::uint32_t i = 0; i < start.column && (at() == ' ' || at() == '\t'); ++i) ++offset_;
}

Token Lexer::read_quoted(Position start) {
  std::string text;
  ++offset_;
  for (;;) {
    if (done() || at() == '\n') {
      return fail("BadInput/UnterminatedString", "Open string is not terminated", start);
    }
    const char c = at();
    if (c == '"') {
      ++offset_;
      if (at() != '"') break;
      text += '"';
      ++offset_;
    } else if (c == '\\' && (at(1) == '\n' || (at(1) == '\r' && at(2) == '\n'))) {
      continue_line(start);
    } else if (c == '\\') {
      ++offset_;
      Token error;
      if (!read_escape(text, '"', error)) return error;
    } else {
      text += c;
      ++offset_;
    }
  }
  return text_token(Tok::string, std::move(text), start);
}

Token Lexer::read_character(Position start) {
  std::string text;
  const std::size_t begin = offset_++;
  while (!done() && at() != '\'' && at() != '\n') {
    if (at() == '\\') {
      ++offset_;
      Token error;
      if (!read_escape(text, '\'', error)) return error;
    } else {
      text += at();
      ++offset_;
    }
  }
  if (at() != '\'') return fail("BadInput/UnterminatedString", "Open string is not terminated", start);
  ++offset_;
  if (count_chars(text) != 1) {
    const std::string_view seen = source_.substr(begin + 1, offset_ - begin - 2);
    return fail("BadInput/MalformedChar", cat("Invalid character: '", seen, "'"), start);
  }
  Token token = make(Tok::character, start);
  std::size_t offset = 0;
  token.integer = static_cast<std::int64_t>(next_char(text, offset));
  return token;
}

Token Lexer::read_backtick(Position start, bool resumed) {
  std::string text;
  if (!resumed) {
    if (at() == '\r' && at(1) == '\n') ++offset_;
    if (at() == '\n') ++offset_;
  }
  for (;;) {
    if (done()) return fail("BadInput/UnterminatedString", "Open string is not terminated", start);
    const char c = at();
    if (c == '`') {
      ++offset_;
      if (at() != '`') return text_token(Tok::string, std::move(text), start);
      text += '`';
      ++offset_;
    } else if (c == '\\' && at(1) == '$' && at(2) == '{') {
      text += "${";
      offset_ += 3;
    } else if (c == '$' && at(1) == '{') {
      ++offset_;  // the block's brace is the next token
      return text_token(Tok::interpolated, std::move(text), start);
    } else {
      text += c;
      ++offset_;
    }
  }
}

Token Lexer::read_raw_string(Position start) {
  std::size_t hashes = 0;
  while (at(hashes) == '#') ++hashes;
  if (at(hashes) != '"') return read_symbol(start);
  const std::size_t begin = offset_ + hashes + 1;
  const std::string close = cat("\"", std::string(hashes, '#'));
  const std::size_t end = source_.find(close, begin);
  if (end == std::string_view::npos) {
    return fail("BadInput/UnterminatedString", "Open string is not terminated", start);
  }
  offset_ = end + close.size();
  return text_token(Tok::string, std::string(source_.substr(begin, end - begin)), start);
}

Token Lexer::reserved(std::string_view text, Position start) {
  for (const Advice& advice : advices) {
    if (advice.symbol == text) return fail("BadInput/ImproperSymbol", std::string(advice.message), start);
  }
  Token token = make(Tok::reserved, start);
  token.text = text;
  return token;
}

Token Lexer::read_symbol(Position start) {
  const std::string_view rest = source_.substr(offset_);
  if (rest.starts_with("!in") && !is_word_char(at(3))) {
    offset_ += 3;
    return make(Tok::not_in, start);
  }
  const Word* symbol =
      symbol_index.find(symbols, rest, [rest](const Word& w) { return begins_with(rest, w.text); });
  if (symbol != nullptr) {
    if (options_.json && symbol->text == "#{") {
      return fail("BadInput/ImproperSymbol", "Invalid symbol encountered: '#{'", start);
    }
    offset_ += symbol->text.size();
    if (symbol->kind == Tok::reserved) return reserved(symbol->text, start);
    Tok kind = symbol->kind;
    if (kind == Tok::plus && unary_next_) kind = Tok::unary_plus;
    if (kind == Tok::minus && unary_next_) kind = Tok::unary_minus;
    if (kind == Tok::left_brace && options_.json) kind = Tok::map_start;
    return make(kind, start);
  }
  std::size_t end = offset_;
  (void)next_char(source_, end);
  return fail("BadInput/UnexpectedInput", cat("Unexpected '", source_.substr(offset_, end - offset_), "'"),
              start);
}

}  // namespace rbee::rhai
