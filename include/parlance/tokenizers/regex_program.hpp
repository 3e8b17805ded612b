// SPDX-License-Identifier: Apache-2.0
// Compiles a regular expression (the Oniguruma subset that tokenizer files use) to instructions of
// the backtracking machine in regex.hpp. Syntax outside the subset is an unsupported_error, a
// malformed expression a text_error.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/regex_set.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

enum class regex_op : std::uint8_t {
  character,        // x: code point
  character_icase,  // x: folded code point
  set,              // x: index of the set
  set_icase,
  any,         // everything but a newline
  split,       // try x, then y
  jump,        // to x
  mark,        // loop slot x := position
  progress,    // fail unless the position moved since mark of slot x
  line_begin,  // ^ and $ of Ruby syntax: at every line
  line_end,
  text_begin,
  text_end,
  text_end_newline,  // \Z
  word_edge,         // x: 1 for \B
  look_ahead,        // body follows; x: after the body; y: 1 when negative
  look_behind,       // the same; min and max characters in the next instruction's x, y
  bounds,
  atomic,  // body follows; x: after it
  accept,
};

struct regex_instruction {
  regex_op op;
  std::uint32_t x = 0, y = 0;
};

struct regex_program {
  std::vector<regex_instruction> code;
  std::vector<regex_set> sets;
  std::uint32_t slots = 0;
};

class regex_compiler {
 public:
  explicit regex_compiler(std::string_view source) : s_(source) {
    require_utf8(source, "regular expression");
  }
  regex_program compile() {
    alternatives();
    if (i_ != s_.size()) fail("unbalanced ')'");
    emit(regex_op::accept);
    return std::move(out_);
  }

 private:
  static constexpr std::uint32_t unbounded = std::numeric_limits<std::uint32_t>::max();
  struct length {
    std::uint64_t min = 0, max = 0;  // characters; max is `unbounded` without limit
  };
  using code = std::vector<regex_instruction>;

  [[noreturn]] void fail(const std::string& what) const {
    throw text_error("regular expression, position " + std::to_string(i_) + ": " + what);
  }
  [[noreturn]] void unsupported(const std::string& what) const {
    throw unsupported_error(
        "regular expression, position " + std::to_string(i_) + ": " + what,
        "supported: sets, \\p \\s \\w \\d \\h, groups, (?i:), look-around, atomic groups, greedy, "
        "lazy and possessive repeats, anchors");
  }
  bool more() const { return i_ < s_.size(); }
  bool take(std::string_view token) {
    if (!s_.substr(i_).starts_with(token)) return false;
    i_ += token.size();
    return true;
  }
  char32_t next() {
    if (!more()) fail("unexpected end");
    const unicode::step at = unicode::decode(s_, i_);
    i_ += at.length;
    return at.code_point;
  }
  std::uint32_t emit(regex_op op, std::uint32_t x = 0, std::uint32_t y = 0) {
    if (out_.code.size() >= 50000) unsupported("expression too large");
    out_.code.push_back({op, x, y});
    return static_cast<std::uint32_t>(out_.code.size() - 1);
  }
  std::uint32_t here() const { return static_cast<std::uint32_t>(out_.code.size()); }

  // Cuts the code from `begin` on; branch targets become relative to its start.
  code cut(std::uint32_t begin) {
    code part(out_.code.begin() + begin, out_.code.end());
    out_.code.resize(begin);
    for (regex_instruction& i : part) shift(i, 0u - begin);
    return part;
  }
  void append(const code& part) {
    const std::uint32_t base = here();
    for (regex_instruction i : part) {
      shift(i, base);
      emit(i.op, i.x, i.y);
    }
  }
  static void shift(regex_instruction& i, std::uint32_t by) {
    switch (i.op) {
      case regex_op::split:
        i.y += by;
        [[fallthrough]];
      case regex_op::jump:
      case regex_op::look_ahead:
      case regex_op::look_behind:
      case regex_op::atomic:
        i.x += by;
        break;
      default:
        break;
    }
  }

  length alternatives() {
    if (++depth_ > 50) unsupported("groups nested deeper than 50");
    const std::uint32_t begin = here();
    length total = sequence();
    std::vector<std::uint32_t> ends;
    std::uint32_t last = begin;
    while (take("|")) {
      code branch = cut(last);
      const std::uint32_t fork = emit(regex_op::split);
      out_.code[fork].x = here();
      append(branch);
      ends.push_back(emit(regex_op::jump));
      out_.code[fork].y = last = here();
      const length more = sequence();
      total = {std::min(total.min, more.min), std::max(total.max, more.max)};
    }
    for (const std::uint32_t at : ends) out_.code[at].x = here();
    --depth_;
    return total;
  }

  length sequence() {
    const bool ignore_case = ignore_case_;
    length total;
    while (more() && s_[i_] != '|' && s_[i_] != ')') {
      const std::uint32_t begin = here();
      const length one = repeats(begin, atom());
      total.min += one.min;
      total.max = total.max >= unbounded || one.max >= unbounded ? unbounded : total.max + one.max;
    }
    ignore_case_ = ignore_case;  // (?i) without a colon lasts to the end of its group
    return total;
  }

  length repeats(std::uint32_t begin, length one) {
    while (more()) {
      std::uint32_t min = 0, max = unbounded;
      bool braces = false;
      if (take("?")) {
        max = 1;
      } else if (take("+")) {
        min = 1;
      } else if (!take("*")) {
        if (s_[i_] != '{' || !interval(min, max)) break;
        braces = true;
      }
      const bool lazy = take("?");
      const bool possessive = !lazy && !braces && take("+");
      if (possessive) {
        const code body = cut(begin);
        const std::uint32_t at = emit(regex_op::atomic);
        append(body);
        repeat(at + 1, min, max, false);
        emit(regex_op::accept);
        out_.code[at].x = here();
      } else {
        repeat(begin, min, max, lazy);
      }
      one.min *= min;
      one.max = max == unbounded || one.max >= unbounded ? unbounded : one.max * max;
      if (one.min > unbounded || one.max > unbounded) unsupported("repeat too large");
    }
    return one;
  }

  // {n} {n,} {,m} {n,m}; anything else is a literal brace.
  bool interval(std::uint32_t& min, std::uint32_t& max) {
    std::size_t k = i_ + 1;
    const auto number = [&](std::uint32_t& value) {
      const std::size_t from = k;
      std::uint64_t n = 0;
      while (k < s_.size() && s_[k] >= '0' && s_[k] <= '9' && n < 100000)
        n = n * 10 + static_cast<std::uint64_t>(s_[k++] - '0');
      if (k == from) return false;
      if (n > 1000) unsupported("repeat above 1000");
      value = static_cast<std::uint32_t>(n);
      return true;
    };
    const bool low = number(min);
    bool high = false;
    if (k < s_.size() && s_[k] == ',') {
      ++k;
      high = number(max);
      if (!low && !high) return false;
    } else {
      if (!low) return false;
      max = min;
    }
    if (k >= s_.size() || s_[k] != '}') return false;
    if (min > max) fail("repeat with minimum above maximum");
    i_ = k + 1;
    return true;
  }

  void repeat(std::uint32_t begin, std::uint32_t min, std::uint32_t max, bool lazy) {
    const code body = cut(begin);
    for (std::uint32_t k = 0; k < min; ++k) append(body);
    const auto fork = [&] {
      const std::uint32_t at = emit(regex_op::split);
      (lazy ? out_.code[at].y : out_.code[at].x) = here();
      return at;
    };
    const auto leave = [&](std::uint32_t at) {
      (lazy ? out_.code[at].x : out_.code[at].y) = here();
    };
    if (max == unbounded) {
      const std::uint32_t slot = out_.slots++;
      const std::uint32_t at = fork();
      emit(regex_op::mark, slot);
      append(body);
      emit(regex_op::progress, slot);
      emit(regex_op::jump, at);
      leave(at);
      return;
    }
    std::vector<std::uint32_t> forks;
    for (std::uint32_t k = min; k < max; ++k) {
      forks.push_back(fork());
      append(body);
    }
    for (const std::uint32_t at : forks) leave(at);
  }

  length atom() {
    if (take("(")) return group();
    if (take("[")) return put_set(bracket()), length{1, 1};
    if (take("\\")) return escape();
    if (take(".")) return emit(regex_op::any), length{1, 1};
    if (take("^")) return emit(regex_op::line_begin), length{};
    if (take("$")) return emit(regex_op::line_end), length{};
    if (s_[i_] == '*' || s_[i_] == '+' || s_[i_] == '?') fail("nothing to repeat");
    put_character(next());
    return {1, 1};
  }

  length group() {
    if (!take("?")) return close(alternatives());
    if (take(":")) return close(alternatives());
    if (take("=")) return look(regex_op::look_ahead, false);
    if (take("!")) return look(regex_op::look_ahead, true);
    if (take("<=")) return look(regex_op::look_behind, false);
    if (take("<!")) return look(regex_op::look_behind, true);
    if (take(">")) {
      const std::uint32_t at = emit(regex_op::atomic);
      const length one = close(alternatives());
      emit(regex_op::accept);
      out_.code[at].x = here();
      return one;
    }
    const bool before = ignore_case_;
    const bool off = take("-");
    if (!take("i")) unsupported("group option");
    ignore_case_ = !off;
    if (take(")")) return alternatives();  // holds for the rest of the enclosing group
    if (!take(":")) unsupported("group option");
    const length one = close(alternatives());
    ignore_case_ = before;
    return one;
  }
  length close(length one) {
    if (!take(")")) fail("missing ')'");
    return one;
  }
  length look(regex_op op, bool negative) {
    const std::uint32_t at = emit(op, 0, negative);
    if (op == regex_op::look_behind) emit(regex_op::bounds);
    const length one = close(alternatives());
    if (op == regex_op::look_behind) {
      if (one.max > 255) unsupported("look-behind without a length limit");
      out_.code[at + 1].x = static_cast<std::uint32_t>(one.min);
      out_.code[at + 1].y = static_cast<std::uint32_t>(one.max);
    }
    emit(regex_op::accept);
    out_.code[at].x = here();
    return {};
  }

  length escape() {
    const std::size_t from = i_;
    const char32_t c = next();
    if (c == 'A') return emit(regex_op::text_begin), length{};
    if (c == 'z') return emit(regex_op::text_end), length{};
    if (c == 'Z') return emit(regex_op::text_end_newline), length{};
    if (c == 'b') return emit(regex_op::word_edge, 0), length{};
    if (c == 'B') return emit(regex_op::word_edge, 1), length{};
    i_ = from;
    regex_set set;
    if (char32_t literal = 0; set_or_literal(set, literal))
      put_set(std::move(set));
    else
      put_character(literal);
    return {1, 1};
  }

  // After a backslash: a class (true) or a character (false).
  bool set_or_literal(regex_set& set, char32_t& literal) {
    const char32_t c = next();
    if (c < 0x80 && regex_set::from_escape(static_cast<char>(c), set)) return true;
    if (c == 'p' || c == 'P') {
      if (!take("{")) fail("expected '{' after \\p");
      const std::size_t end = s_.find('}', i_);
      if (end == std::string_view::npos) fail("missing '}'");
      set = regex_set::from_property(s_.substr(i_, end - i_), c == 'P');
      i_ = end + 1;
      return true;
    }
    static constexpr std::string_view names = "nrtfvae0", values("\n\r\t\f\v\a\x1B\0", 8);
    const bool alphanumeric = c < 0x80 && (unicode::properties(c) & unicode::word) && c != '_';
    if (c == 'x' || c == 'u') {
      literal = hexadecimal(c == 'u' ? 4 : 2);
    } else if (const auto at = names.find(static_cast<char>(c)); c < 0x80 && at < names.size()) {
      literal = static_cast<unsigned char>(values[at]);
    } else if (alphanumeric) {
      unsupported(std::string("escape \\") + static_cast<char>(c));
    } else {
      literal = c;
    }
    return false;
  }
  char32_t hexadecimal(int digits) {
    const bool braces = take("{");
    char32_t value = 0;
    int count = 0;
    while (more() && (braces ? s_[i_] != '}' : count < digits)) {
      const char c = s_[i_];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0 || value > 0x10FFFF) break;
      value = value * 16 + static_cast<char32_t>(digit);
      ++i_, ++count;
    }
    if (count == 0 || value > 0x10FFFF || (braces && !take("}"))) fail("bad code point");
    return value;
  }

  // After '[' or '&&', up to and including the closing bracket.
  regex_set bracket() {
    if (++depth_ > 50) unsupported("sets nested deeper than 50");
    regex_set out;
    const bool negated = take("^");
    for (bool first = true; first || !take("]"); first = false) {
      if (take("&&")) {
        out.intersect(bracket());
        break;
      }
      if (take("[")) {
        if (s_.substr(i_).starts_with(":")) unsupported("POSIX class");
        out.add(bracket());
        continue;
      }
      range(out);
    }
    out.negated = negated;
    --depth_;
    return out;
  }
  // One class, character or range of characters of a set.
  void range(regex_set& out) {
    regex_set inner;
    char32_t low = 0;
    const auto class_or = [&](char32_t& c) {
      if (take("\\")) return set_or_literal(inner, c);
      c = next();
      return false;
    };
    if (class_or(low)) return out.add(std::move(inner));
    char32_t high = low;
    if (i_ + 1 < s_.size() && s_[i_] == '-' && s_[i_ + 1] != ']') {
      ++i_;
      if (class_or(high)) fail("class as the end of a range");
      if (high < low) fail("range with its ends exchanged");
    }
    out.add(low, high);
  }

  void put_character(char32_t c) {
    if (ignore_case_ && fold_case(c) != c) c = fold_case(c);
    const bool folds = ignore_case_ && (c < 0x80 ? c >= 'a' && c <= 'z' : true);
    emit(folds ? regex_op::character_icase : regex_op::character, c);
  }
  void put_set(regex_set set) {
    out_.sets.push_back(std::move(set));
    emit(ignore_case_ ? regex_op::set_icase : regex_op::set,
         static_cast<std::uint32_t>(out_.sets.size() - 1));
  }

  std::string_view s_;
  std::size_t i_ = 0;
  int depth_ = 0;
  bool ignore_case_ = false;
  regex_program out_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
