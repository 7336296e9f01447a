// The words and symbols of the language, for the lexer alone, found by their first character.
#pragma once

#include "rhai/lexer.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace rbee::rhai {

struct Word {
  std::string_view text;
  Tok kind;
};

inline constexpr auto keywords = std::to_array<Word>({
    {"true", Tok::kw_true},       {"false", Tok::kw_false},
    {"let", Tok::kw_let},         {"const", Tok::kw_const},
    {"if", Tok::kw_if},           {"else", Tok::kw_else},
    {"switch", Tok::kw_switch},   {"do", Tok::kw_do},
    {"while", Tok::kw_while},     {"until", Tok::kw_until},
    {"loop", Tok::kw_loop},       {"for", Tok::kw_for},
    {"in", Tok::kw_in},           {"continue", Tok::kw_continue},
    {"break", Tok::kw_break},     {"fn", Tok::kw_fn},
    {"private", Tok::kw_private}, {"return", Tok::kw_return},
    {"throw", Tok::kw_throw},     {"try", Tok::kw_try},
    {"catch", Tok::kw_catch},     {"import", Tok::kw_import},
    {"export", Tok::kw_export},   {"as", Tok::kw_as},
});

inline constexpr auto reserved_words = std::to_array<std::string_view>({
    "this",      "print",     "debug", "type_of", "eval",   "Fn",      "call",  "curry", "is_def_var",
    "is_def_fn", "is_shared", "var",   "static",  "is",     "goto",    "match", "case",  "public",
    "protected", "new",       "use",   "with",    "module", "package", "super", "spawn", "thread",
    "go",        "sync",      "async", "await",   "yield",  "default", "void",  "null",  "nil",
});

// The longest first: the first that fits is taken.
inline constexpr auto symbols = std::to_array<Word>({
    {"===", Tok::reserved},
    {"!==", Tok::reserved},
    {"::<", Tok::reserved},
    {"...", Tok::reserved},
    {"..=", Tok::range_inclusive},
    {"**=", Tok::power_assign},
    {"<<=", Tok::shift_left_assign},
    {">>=", Tok::shift_right_assign},
    {"()", Tok::unit},
    {"(*", Tok::reserved},
    {"*)", Tok::reserved},
    {"#{", Tok::map_start},
    {"#!", Tok::reserved},
    {"++", Tok::reserved},
    {"--", Tok::reserved},
    {"->", Tok::reserved},
    {"<-", Tok::reserved},
    {":=", Tok::reserved},
    {":;", Tok::reserved},
    {"<|", Tok::reserved},
    {"|>", Tok::reserved},
    {"??", Tok::double_question},
    {"?.", Tok::elvis},
    {"?[", Tok::question_bracket},
    {"..", Tok::range},
    {"=>", Tok::double_arrow},
    {"==", Tok::equal_to},
    {"!=", Tok::not_equal},
    {"<=", Tok::less_equal},
    {">=", Tok::greater_equal},
    {"+=", Tok::plus_assign},
    {"-=", Tok::minus_assign},
    {"*=", Tok::multiply_assign},
    {"/=", Tok::divide_assign},
    {"%=", Tok::modulo_assign},
    {"&=", Tok::and_assign},
    {"|=", Tok::or_assign},
    {"^=", Tok::xor_assign},
    {"**", Tok::power},
    {"<<", Tok::shift_left},
    {">>", Tok::shift_right},
    {"&&", Tok::logical_and},
    {"||", Tok::logical_or},
    {"::", Tok::double_colon},
    {"{", Tok::left_brace},
    {"}", Tok::right_brace},
    {"(", Tok::left_paren},
    {")", Tok::right_paren},
    {"[", Tok::left_bracket},
    {"]", Tok::right_bracket},
    {"+", Tok::plus},
    {"-", Tok::minus},
    {"*", Tok::multiply},
    {"/", Tok::divide},
    {"%", Tok::modulo},
    {";", Tok::semicolon},
    {":", Tok::colon},
    {",", Tok::comma},
    {".", Tok::period},
    {"=", Tok::equals},
    {"<", Tok::less},
    {">", Tok::greater},
    {"!", Tok::bang},
    {"|", Tok::pipe},
    {"^", Tok::caret},
    {"&", Tok::ampersand},
    {"~", Tok::reserved},
    {"@", Tok::reserved},
    {"$", Tok::reserved},
    {"?", Tok::reserved},
    {"#", Tok::reserved},
});

// Of a few bytes, where a call of memcmp would cost more than what it does.
constexpr bool begins_with(std::string_view text, std::string_view begin) {
  if (text.size() < begin.size()) return false;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    if (text[i] != begin[i]) return false;
  }
  return true;
}
constexpr bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && begins_with(a, b);
}

// The entries of a table that begin with each character, in the order of the table.
struct FirstIndex {
  static constexpr std::size_t most = 10;
  std::array<std::array<std::uint8_t, most>, 128> places{};
  std::array<std::uint8_t, 128> counts{};
  // Over all entries whose first byte is that of `text`, which is not empty, until `is_it` is true of one.
  template <class Table, class IsIt>
  [[nodiscard]] auto find(const Table& table, std::string_view text, IsIt is_it) const
      -> decltype(&table[0]) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t count = first < 128 ? counts[first] : 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto& entry = table[places[first][i]];
      if (is_it(entry)) return &entry;
    }
    return nullptr;
  }
};

constexpr std::string_view text_of(const Word& word) { return word.text; }
constexpr std::string_view text_of(std::string_view word) { return word; }

template <class Table>
constexpr FirstIndex index_by_first(const Table& table) {
  FirstIndex index;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const auto first = static_cast<std::size_t>(text_of(table[i])[0]);
    index.places[first][index.counts[first]++] = static_cast<std::uint8_t>(i);
  }
  return index;
}
inline constexpr FirstIndex keyword_index = index_by_first(keywords);
inline constexpr FirstIndex reserved_index = index_by_first(reserved_words);
inline constexpr FirstIndex symbol_index = index_by_first(symbols);

}  // namespace rbee::rhai
