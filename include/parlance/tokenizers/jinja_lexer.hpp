// SPDX-License-Identifier: Apache-2.0
// The lexer of the template language: Jinja2 3.1.6's (jinja2/lexer.py) with trim_blocks and
// lstrip_blocks on, no line statements, and its rules for white space control, raw blocks and
// string escapes. Errors carry the line.
#pragma once

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/tokenizers/jinja_text.hpp"
#include "parlance/tokenizers/jinja_heap.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

enum class token_type : std::uint8_t {
  data,
  block_begin,
  block_end,
  variable_begin,
  variable_end,
  name,
  string,
  integer,
  real,
  op,
  eof
};

struct token {
  token_type type = token_type::eof;
  std::uint32_t line = 1;
  std::string text;  // a name, an operator, or the value of a string or of template data
  integer whole = 0;
  double real = 0;
};

class lexer {
 public:
  explicit lexer(std::string_view source) : source_(normalize(source)) {
    // One newline at the end of a template is not part of it.
    if (!source_.empty() && source_.back() == '\n') source_.pop_back();
  }

  std::vector<token> run() {
    while (at_ < source_.size()) root();
    add(token_type::eof);
    return std::move(tokens_);
  }

 private:
  static std::string normalize(std::string_view s) {
    std::string out;
    out.reserve(s.size());
    for (std::size_t i = 0; i < s.size(); ++i) {
      if (s[i] != '\r') {
        out += s[i];
        continue;
      }
      out += '\n';
      if (i + 1 < s.size() && s[i + 1] == '\n') ++i;
    }
    return out;
  }

  char peek(std::size_t k = 0) const { return at_ + k < source_.size() ? source_[at_ + k] : '\0'; }
  bool looking_at(std::string_view s) const { return source_.compare(at_, s.size(), s) == 0; }

  // Moves to `to`, counting lines.
  void advance(std::size_t to) {
    for (; at_ < to; ++at_) line_ += source_[at_] == '\n';
  }
  std::size_t skip_space(std::size_t from) const {
    while (from < source_.size()) {
      const utf8_step step = utf8_decode(source_, from);
      if (!is_space(step.code_point)) break;
      from += step.length;
    }
    return from;
  }
  token& add(token_type type, std::string text = {}) {
    token t;
    t.type = type, t.line = line_, t.text = std::move(text);
    tokens_.push_back(std::move(t));
    return tokens_.back();
  }

  // The text before a tag, after the tag's white space control.
  void add_data(std::size_t end, char sign, bool is_variable) {
    std::string_view text = std::string_view(source_).substr(at_, end - at_);
    if (sign == '-') {
      text = strip_space(text, false, true);
    } else if (sign != '+' && !is_variable) {
      const std::size_t newline = text.rfind('\n');
      const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
      if ((start > 0 || line_starting_) && start < text.size() &&
          strip_space(text.substr(start)).empty())
        text = text.substr(0, start);
    }
    if (!text.empty()) add(token_type::data, std::string(text));
    advance(end);
  }

  // Ends a tag whose closing "%}" or "#}" has just been passed: '-' eats all white space, '+'
  // nothing, otherwise one newline goes.
  void finish_tag(std::size_t end, char sign, bool trim_newline = true) {
    if (sign == '-') {
      end = skip_space(end);
    } else if (sign != '+' && trim_newline && end < source_.size() && source_[end] == '\n') {
      ++end;
    }
    advance(end);
    line_starting_ = source_[end - 1] == '\n';
  }

  void root() {
    std::size_t open = at_;
    while (true) {
      open = source_.find('{', open);
      if (open == std::string::npos || open + 1 >= source_.size()) {
        add(token_type::data, source_.substr(at_));
        advance(source_.size());
        return;
      }
      const char next = source_[open + 1];
      if (next == '{' || next == '%' || next == '#') break;
      ++open;
    }
    const char type = source_[open + 1];
    std::size_t inner = open + 2;
    char sign = inner < source_.size() ? source_[inner] : '\0';
    if (sign == '-' || sign == '+')
      ++inner;
    else
      sign = '\0';
    add_data(open, sign, type == '{');
    if (type == '#') return comment(inner);
    if (type == '%') {
      if (const std::size_t body = raw_begin(inner); body != std::string::npos) return raw(body);
    }
    const bool variable = type == '{';
    add(variable ? token_type::variable_begin : token_type::block_begin);
    advance(inner);
    tag(variable);
  }

  void comment(std::size_t inner) {
    const std::size_t end = source_.find("#}", inner);
    if (end == std::string::npos) fail_at(line_, "missing end of comment tag");
    const char sign = end > inner ? source_[end - 1] : '\0';
    finish_tag(end + 2, sign == '-' || sign == '+' ? sign : '\0');
  }

  // The position after "{% raw %}" when that is what starts here.
  std::size_t raw_begin(std::size_t i) const {
    i = skip_space(i);
    if (source_.compare(i, 3, "raw") != 0) return std::string::npos;
    i = skip_space(i + 3);
    if (source_.compare(i, 2, "%}") == 0) return i + 2;
    if (source_.compare(i, 3, "-%}") == 0) return skip_space(i + 3);
    return std::string::npos;
  }

  void raw(std::size_t body) {
    advance(body);
    line_starting_ = source_[body - 1] == '\n';
    for (std::size_t open = source_.find("{%", body); open != std::string::npos;
         open = source_.find("{%", open + 1)) {
      std::size_t i = open + 2;
      char sign = i < source_.size() ? source_[i] : '\0';
      if (sign == '-' || sign == '+')
        ++i;
      else
        sign = '\0';
      i = skip_space(i);
      if (source_.compare(i, 6, "endraw") != 0) continue;
      i = skip_space(i + 6);
      char close = i < source_.size() ? source_[i] : '\0';
      if (close == '-' || close == '+')
        ++i;
      else
        close = '\0';
      if (source_.compare(i, 2, "%}") != 0) continue;
      add_data(open, sign, false);
      return finish_tag(i + 2, close);
    }
    fail_at(line_, "missing end of raw directive");
  }

  void tag(bool variable) {
    const std::string_view close = variable ? "}}" : "%}";
    std::string balance;
    while (true) {
      advance(skip_space(at_));
      if (at_ >= source_.size()) return;  // the parser reports the missing end
      if (balance.empty() && end_tag(variable, close)) return;
      if (!number() && !identifier() && !string()) op(balance);
    }
  }

  bool end_tag(bool variable, std::string_view close) {
    const char c = peek();
    const bool sign = c == '-' || (c == '+' && !variable);
    if (source_.compare(at_ + sign, 2, close) != 0) return false;
    add(variable ? token_type::variable_end : token_type::block_end);
    finish_tag(at_ + sign + 2, sign ? c : '\0', !variable);
    return true;
  }

  static bool digit(char c) { return c >= '0' && c <= '9'; }

  // Digits with single underscores between them; the end of the run, or `from` when there is none.
  std::size_t digits(std::size_t from) const {
    const auto is = [&](std::size_t i) { return i < source_.size() && digit(source_[i]); };
    std::size_t i = from;
    if (!is(i)) return from;
    while (is(i) || (i < source_.size() && source_[i] == '_' && is(i + 1))) ++i;
    return i;
  }

  bool number() {
    if (!digit(peek())) return false;
    if (at_ == 0 || source_[at_ - 1] != '.') {
      std::size_t end = digits(at_);
      bool real = false;
      if (end < source_.size() && source_[end] == '.' && digits(end + 1) > end + 1)
        end = digits(end + 1), real = true;
      if (end < source_.size() && (source_[end] | 32) == 'e') {
        std::size_t power = end + 1;
        if (power < source_.size() && (source_[power] == '+' || source_[power] == '-')) ++power;
        if (digits(power) > power) end = digits(power), real = true;
      }
      if (real) return add_real(end), true;
    }
    whole_number();
    return true;
  }

  void add_real(std::size_t end) {
    std::string text;
    for (std::size_t i = at_; i < end; ++i)
      if (source_[i] != '_') text += source_[i];
    double d = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), d);
    // from_chars leaves the value alone when it is out of range; Python gives inf or 0.
    if (r.ec == std::errc::result_out_of_range) {
      const std::size_t e = text.find_first_of("eE");
      d = e != std::string::npos && text[e + 1] == '-' ? 0.0 : HUGE_VAL;
    }
    add(token_type::real).real = d;
    advance(end);
  }

  static int digit_value(char c) {
    if (digit(c)) return c - '0';
    c = static_cast<char>(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
  }

  void whole_number() {
    std::size_t i = at_;
    int base = 10;
    const char prefix = static_cast<char>(peek(1) | 32);
    if (peek() == '0' && (prefix == 'b' || prefix == 'o' || prefix == 'x')) {
      const int radix = prefix == 'b' ? 2 : prefix == 'o' ? 8 : 16;
      const std::size_t first = peek(2) == '_' ? 3 : 2;
      if (digit_value(peek(first)) < radix) base = radix, i += 2;
    }
    integer whole = 0;
    const bool zeros = base == 10 && peek() == '0';  // "007" is the number 00 and then a 7
    const std::size_t start = i;
    for (; i < source_.size(); ++i) {
      std::size_t k = i;
      if (source_[k] == '_' && (k > start || base != 10)) ++k;
      if (k >= source_.size() || digit_value(source_[k]) >= (zeros ? 1 : base)) break;
      if (__builtin_mul_overflow(whole, integer{base}, &whole) ||
          __builtin_add_overflow(whole, integer{digit_value(source_[k])}, &whole))
        fail_at(line_, "the number is too large");
      i = k;
    }
    add(token_type::integer).whole = whole;
    advance(i);
  }

  bool identifier() {
    std::size_t i = at_;
    while (i < source_.size()) {
      const utf8_step step = utf8_decode(source_, i);
      const char32_t c = step.code_point;
      if (!(c == '_' || (c < 0x80 ? std::isalnum(static_cast<int>(c)) != 0 : is_alnum(c)))) break;
      i += step.length;
    }
    if (i == at_) return false;
    add(token_type::name, source_.substr(at_, i - at_));
    advance(i);
    return true;
  }

  bool string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return false;
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail_at(line_, "a string that is not closed");
    add(token_type::string, unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    advance(end + 1);
    return true;
  }

  std::string unescape(std::string_view s) const {
    std::string out;
    for (std::size_t i = 0; i < s.size(); ++i) {
      if (s[i] != '\\') {
        out += s[i];
        continue;
      }
      const char c = s[++i];
      static constexpr std::string_view from = "abfnrtv\\'\"", to = "\a\b\f\n\r\t\v\\'\"";
      if (const std::size_t k = from.find(c); k != std::string_view::npos) {
        out += to[k];
      } else if (c == '\n') {
        continue;
      } else if (c >= '0' && c <= '7') {
        char32_t code = 0;
        std::size_t k = 0;
        for (; k < 3 && i + k < s.size() && s[i + k] >= '0' && s[i + k] <= '7'; ++k)
          code = code * 8 + static_cast<char32_t>(s[i + k] - '0');
        utf8_append(out, code);
        i += k - 1;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        i += hex_escape(s.substr(i + 1), c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
      } else if (c == 'N') {
        fail_at(line_, "\\N escapes are not supported in strings");
      } else {
        unknown_escape(s, i, out);
      }
    }
    return out;
  }

  std::size_t hex_escape(std::string_view s, std::size_t length, std::string& out) const {
    char32_t code = 0;
    for (std::size_t k = 0; k < length; ++k) {
      if (k >= s.size() || digit_value(s[k]) > 15) fail_at(line_, "a truncated \\x or \\u escape");
      code = code * 16 + static_cast<char32_t>(digit_value(s[k]));
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
      fail_at(line_, "a \\u escape that is not a character");
    utf8_append(out, code);
    return length;
  }

  // Python decodes "\é" from "\\xe9": the backslash stays, and so does the spelt-out code.
  static void unknown_escape(std::string_view s, std::size_t& i, std::string& out) {
    out += '\\';
    const utf8_step step = utf8_decode(s, i);
    if (step.code_point < 0x80) {
      out += s[i];
      return;
    }
    char code[16];
    const char32_t c = step.code_point;
    std::snprintf(code, sizeof code,
                  c < 0x100     ? "x%02x"
                  : c < 0x10000 ? "u%04x"
                                : "U%08x",
                  static_cast<unsigned>(c));
    out += code;
    i += step.length - 1;
  }

  void op(std::string& balance) {
    static constexpr std::string_view two[] = {"//", "**", "==", "!=", ">=", "<="};
    std::string text(1, peek());
    for (const std::string_view o : two)
      if (looking_at(o)) text = o;
    if (text.size() == 1 &&
        std::string_view("+-/*%~[](){}><=.:|,;").find(text[0]) == std::string_view::npos)
      fail_at(line_, "unexpected character");
    const char c = text[0];
    if (c == '(' || c == '[' || c == '{') balance += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (balance.empty()) fail_at(line_, "unexpected '" + text + "'");
      if (balance.back() != c)
        fail_at(line_, "unexpected '" + text + "', expected '" + balance.back() + "'");
      balance.pop_back();
    }
    const std::size_t end = at_ + text.size();
    add(token_type::op, std::move(text));
    advance(end);
  }

  std::string source_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  bool line_starting_ = true;
  std::vector<token> tokens_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
