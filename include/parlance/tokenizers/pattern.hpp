// SPDX-License-Identifier: Apache-2.0
// The `pattern` field of tokenizer.json: {"String": s} (literal) or {"Regex": r}. Regular
// expressions that published tokenizers use run on hand-written scanners, recognised by their exact
// text; all others go to the backtracking engine of regex.hpp.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "parlance/tokenizers/regex.hpp"
#include "parlance/tokenizers/scanners.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct literal_pattern {
  std::string text;
};

// Calls f(begin, end, is_match) over a partition of the text, `match` being a scanner.
template <class Match, class F>
void each_match(std::string_view text, Match match, F f) {
  std::size_t gap = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = match(text, i);
    if (end == i) {
      i += unicode::length_of(text[i]);
      continue;
    }
    if (gap < i) f(gap, i, false);
    f(i, end, true);
    gap = i = end;
  }
  if (gap < text.size()) f(gap, text.size(), false);
}

class pattern {
 public:
  pattern() = default;
  static pattern literal(std::string text) {
    pattern p;
    p.source_ = text;
    p.matcher_ = literal_pattern{std::move(text)};
    return p;
  }
  static pattern regular_expression(std::string source) {
    pattern p;
    p.is_regex_ = true;
    p.matcher_ = known(source);
    if (std::holds_alternative<literal_pattern>(p.matcher_))
      p.matcher_ = std::make_shared<const regex>(source);
    p.source_ = std::move(source);
    return p;
  }

  const std::string& source() const { return source_; }
  bool is_regex() const { return is_regex_; }

  template <class F>
  void each(std::string_view text, F f) const {
    std::visit([&](const auto& m) { each_of(m, text, f); }, matcher_);
  }

 private:
  using engine = std::shared_ptr<const regex>;
  using matcher = std::variant<literal_pattern, engine, scanners::gpt2, scanners::cl100k<3>,
                               scanners::cl100k<1>, scanners::cl100k<scanners::any_number>,
                               scanners::cl100k<1, true>, scanners::o200k<3, true>,
                               scanners::o200k<1, false>, scanners::deepseek_words,
                               scanners::deepseek_cjk, scanners::number<1>, scanners::number<3>,
                               scanners::number<scanners::any_number>, scanners::two_spaces>;

  // literal_pattern when no scanner is known for the expression.
  static matcher known(std::string_view r);

  template <class F>
  static void each_of(const literal_pattern& m, std::string_view text, F f) {
    std::size_t i = 0;
    while (!m.text.empty()) {
      const std::size_t at = text.find(m.text, i);
      if (at == std::string_view::npos) break;
      if (at > i) f(i, at, false);
      f(at, at + m.text.size(), true);
      i = at + m.text.size();
    }
    if (m.text.empty()) {  // matches the empty string at every character
      for (; i < text.size(); i += unicode::length_of(text[i])) {
        f(i, i, true);
        f(i, i + unicode::length_of(text[i]), false);
      }
      f(i, i, true);
    } else if (i < text.size()) {
      f(i, text.size(), false);
    }
  }
  template <class F>
  static void each_of(const engine& m, std::string_view text, F f) {
    std::size_t gap = 0;
    m->each(text, [&](std::size_t begin, std::size_t end) {
      if (gap < begin) f(gap, begin, false);
      f(begin, end, true);
      gap = end;
    });
    if (gap < text.size()) f(gap, text.size(), false);
  }
  template <class Scanner, class F>
  static void each_of(const Scanner&, std::string_view text, F f) {
    each_match(
        text, [](std::string_view t, std::size_t i) { return Scanner::match(t, i); }, f);
  }

  std::string source_;
  bool is_regex_ = false;
  matcher matcher_;
};

namespace known_patterns {
#define PARLANCE_TAIL " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define PARLANCE_CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define PARLANCE_U "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define PARLANCE_W "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define PARLANCE_P "[^\\r\\n\\p{L}\\p{N}]?"
inline constexpr std::string_view gpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view cl100k =
    PARLANCE_CONTRACTION "|" PARLANCE_P "\\p{L}+|\\p{N}{1,3}|" PARLANCE_TAIL;
inline constexpr std::string_view qwen2 =
    PARLANCE_CONTRACTION "|" PARLANCE_P "\\p{L}+|\\p{N}|" PARLANCE_TAIL;
inline constexpr std::string_view cl100k_any_number =
    PARLANCE_CONTRACTION "|" PARLANCE_P "\\p{L}+|\\p{N}+|" PARLANCE_TAIL;
inline constexpr std::string_view qwen35 = PARLANCE_CONTRACTION
    "|" PARLANCE_P
    "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view o200k = PARLANCE_P PARLANCE_U
    "*" PARLANCE_W "+" PARLANCE_CONTRACTION "?|" PARLANCE_P PARLANCE_U "+" PARLANCE_W
    "*" PARLANCE_CONTRACTION
    "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view tekken =
    PARLANCE_P PARLANCE_U "*" PARLANCE_W "+|" PARLANCE_P PARLANCE_U "+" PARLANCE_W
                          "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view deepseek_numbers = "\\p{N}{1,3}";
inline constexpr std::string_view deepseek_cjk =
    "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+";
inline constexpr std::string_view deepseek_words =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?"
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";
#undef PARLANCE_TAIL
#undef PARLANCE_CONTRACTION
#undef PARLANCE_U
#undef PARLANCE_W
#undef PARLANCE_P
}  // namespace known_patterns

inline pattern::matcher pattern::known(std::string_view r) {
  namespace k = known_patterns;
  if (r == k::gpt2) return scanners::gpt2{};
  if (r == k::cl100k) return scanners::cl100k<3>{};
  if (r == k::qwen2) return scanners::cl100k<1>{};
  if (r == k::cl100k_any_number) return scanners::cl100k<scanners::any_number>{};
  if (r == k::qwen35) return scanners::cl100k<1, true>{};
  if (r == k::o200k) return scanners::o200k<3, true>{};
  if (r == k::tekken) return scanners::o200k<1, false>{};
  if (r == k::deepseek_words) return scanners::deepseek_words{};
  if (r == k::deepseek_cjk) return scanners::deepseek_cjk{};
  if (r == k::deepseek_numbers) return scanners::number<3>{};
  if (r == "\\p{N}") return scanners::number<1>{};
  if (r == "\\p{N}+") return scanners::number<scanners::any_number>{};
  if (r == " {2,}") return scanners::two_spaces{};
  return literal_pattern{};
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
