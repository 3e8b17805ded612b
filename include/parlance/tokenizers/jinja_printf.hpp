// SPDX-License-Identifier: Apache-2.0
// Python's two ways to format: the % operator on strings and str.format with its format specs.
#pragma once

#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/tokenizers/jinja_format.hpp"
#include "parlance/tokenizers/jinja_operators.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

inline integer to_integer(double d) {
  if (!std::isfinite(d)) fail("cannot convert a float that is not finite to an integer");
  if (std::abs(d) >= 0x1p126) fail("the integer is too large");
  return static_cast<integer>(d);
}

// Text for %d and the like.
struct number_format {
  char fill = ' ', align = '\0', sign = '-';
  bool alternate = false, zero = false, grouping_comma = false, grouping_low = false;
  std::int64_t width = 0, precision = -1;
  char type = '\0';
};

inline std::string group_digits(std::string digits, const number_format& f, std::size_t every = 3) {
  if (!f.grouping_comma && !f.grouping_low) return digits;
  std::size_t end = digits.find_first_not_of("0123456789abcdefABCDEF");
  if (end == std::string::npos) end = digits.size();
  for (std::size_t i = end; i > every; i -= every)
    digits.insert(i - every, 1, f.grouping_comma ? ',' : '_');
  return digits;
}

inline std::string upper_ascii(std::string s) {
  for (char& c : s)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return s;
}

// Sign, prefix and digits with the width applied; `=` alignment pads between prefix and digits.
inline std::string pad_number(const std::string& prefix, const std::string& digits,
                              const number_format& f) {
  const std::int64_t length = static_cast<std::int64_t>(prefix.size() + digits.size());
  if (f.width <= length) return prefix + digits;
  require_text_size(static_cast<std::size_t>(f.width));
  const auto extra = static_cast<std::size_t>(f.width - length);
  const char align = f.align != '\0' ? f.align : f.zero ? '=' : '>';
  const char fill = f.zero && f.align == '\0' ? '0' : f.fill;
  if (align == '=') return prefix + std::string(extra, fill) + digits;
  return pad_text(prefix + digits, f.width, align, std::string(1, fill));
}

inline std::string sign_text(bool negative, char sign) {
  return negative ? "-" : sign == '+' ? "+" : sign == ' ' ? " " : "";
}

inline std::string format_integer(integer i, const number_format& f) {
  const char type = f.type;
  const unsigned base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
  std::string digits = integer_text(i, base);
  const bool negative = digits[0] == '-';
  if (negative) digits.erase(0, 1);
  if (type == 'X') digits = upper_ascii(digits);
  if (f.precision > static_cast<std::int64_t>(digits.size())) {
    require_text_size(static_cast<std::size_t>(f.precision));
    digits.insert(0, static_cast<std::size_t>(f.precision) - digits.size(), '0');
  }
  digits = group_digits(std::move(digits), f, base == 10 ? 3 : 4);
  std::string prefix = sign_text(negative, f.sign);
  if (f.alternate && base != 10) prefix += {'0', type};
  return pad_number(prefix, digits, f);
}

inline std::string format_real(double d, const number_format& f) {
  if (f.precision > 1000) fail("the precision of a number is too large");
  const char type = f.type == '\0' ? (f.precision < 0 ? 'r' : 'g') : f.type;
  const bool negative = std::signbit(d) && !std::isnan(d);
  const double magnitude = std::abs(d);
  std::string digits;
  if (!std::isfinite(d)) {
    digits = std::isnan(d) ? "nan" : "inf";
  } else if (type == 'r') {
    digits = repr_real(magnitude);
  } else {
    char buffer[1500];
    const char letter = type == '%' ? 'f' : type == 'n' ? 'g' : static_cast<char>(type | 32);
    const std::string pattern = std::string(f.alternate ? "%#.*" : "%.*") + letter;
    const int precision = f.precision < 0 ? 6 : static_cast<int>(f.precision);
    std::snprintf(buffer, sizeof buffer, pattern.c_str(), precision,
                  type == '%' ? magnitude * 100 : magnitude);
    digits = buffer;
    if (type == '%') digits += '%';
    // format(x, ".3") is 'g', but keeps a point as repr does.
    if (f.type == '\0' && digits.find_first_of(".e") == std::string::npos) digits += ".0";
  }
  if (type >= 'A' && type <= 'Z') digits = upper_ascii(digits);
  return pad_number(sign_text(negative, f.sign), group_digits(std::move(digits), f), f);
}

// The % operator. With `safe` the arguments are escaped, as Markup does.
class percent_formatter {
 public:
  percent_formatter(heap& h, const value& format, const value& args)
      : heap_(h), format_(format.text()), safe_(format.safe()), args_(args) {
    mapping_ = args.is(kind::list) || args.is_dict() || args.is(kind::range) || args.is_undefined();
  }

  std::string run() {
    std::string out;
    while (at_ < format_.size()) {
      const std::size_t percent = format_.find('%', at_);
      put(out, format_.substr(at_, percent - at_));
      if (percent == std::string_view::npos) break;
      at_ = percent + 1;
      put(out, field());
    }
    const bool left = args_.is(kind::tuple) ? used_ < args_.items().size() : used_ == 0;
    if (left && !mapping_ && !named_) fail("not all arguments converted during string formatting");
    return out;
  }

 private:
  static void put(std::string& out, std::string_view piece) {
    require_text_size(out.size() + piece.size());
    out += piece;
  }
  char peek() const {
    if (at_ >= format_.size()) fail("incomplete format");
    return format_[at_];
  }
  const value& argument() {
    if (args_.is(kind::tuple)) {
      if (used_ >= args_.items().size()) fail("not enough arguments for format string");
      return args_.items()[used_++];
    }
    if (used_++ > 0) fail("not enough arguments for format string");
    return args_;
  }
  std::int64_t number(std::int64_t missing) {
    if (peek() == '*') {
      ++at_;
      const value& v = argument();
      if (!v.is_integral()) fail("* wants int");
      if (v.as_integer() > integer{max_text} || v.as_integer() < -integer{max_text})
        fail("the width of a format is too large");
      return static_cast<std::int64_t>(v.as_integer());
    }
    std::int64_t n = missing;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      n = std::max<std::int64_t>(n, 0) * 10 + (peek() - '0');
      if (n > static_cast<std::int64_t>(max_text)) fail("the width of a format is too large");
    }
    return n;
  }

  const value* key() {
    if (peek() != '(') return nullptr;
    if (!args_.is_dict()) fail("format requires a mapping");
    int depth = 1;
    const std::size_t start = ++at_;
    for (; depth > 0; ++at_) depth += peek() == '(' ? 1 : peek() == ')' ? -1 : 0;
    named_ = true;
    const value* v = args_.dict().find(format_.substr(start, at_ - 1 - start));
    if (v == nullptr) fail("a key of the format is missing");
    return v;
  }

  std::string field() {
    number_format f;
    const value* named = key();
    bool left = false;
    for (;; ++at_) {
      const char c = peek();
      if (c == '-')
        left = true;
      else if (c == '+')
        f.sign = '+';
      else if (c == ' ')
        f.sign = f.sign == '+' ? '+' : ' ';
      else if (c == '#')
        f.alternate = true;
      else if (c == '0')
        f.zero = true;
      else
        break;
    }
    f.width = number(0);
    if (f.width < 0) left = true, f.width = -f.width;
    if (peek() == '.') {
      ++at_;
      f.precision = std::max<std::int64_t>(number(0), 0);
    }
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    f.type = peek();
    ++at_;
    if (f.type == '%') return "%";
    const value& v = named != nullptr ? *named : argument();
    if (left) f.align = '<', f.zero = false;
    return convert(v, f);
  }

  std::string convert(const value& v, number_format f) {
    switch (f.type) {
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o': {
        if (!v.is_number() || (v.is(kind::real) && f.type != 'd' && f.type != 'i' && f.type != 'u'))
          fail("a number is required for this format");
        const integer i = v.is(kind::real) ? to_integer(v.as_real()) : v.as_integer();
        return format_integer(i, f);
      }
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (!v.is_number()) fail("a real number is required for this format");
        if (f.precision < 0) f.precision = 6;
        return format_real(v.as_real(), f);
      case 'c':
        return pad(character(v), f);
      case 's': {
        std::string text = safe_ ? escaped_text(heap_, v) : to_text(heap_, v);
        return pad(cut(std::move(text), f), f);
      }
      case 'r':
      case 'a': {
        std::string text;
        writer(heap_).repr(text, v);
        return pad(cut(safe_ ? escape_html(text) : std::move(text), f), f);
      }
      default:
        fail("unsupported format character");
    }
  }

  static std::string character(const value& v) {
    if (v.is_string() && utf8_length(v.text()) == 1) return v.text();
    if (!v.is_integral() || v.as_integer() < 0 || v.as_integer() > 0x10FFFF)
      fail("%c requires int or char");
    std::string out;
    utf8_append(out, static_cast<char32_t>(v.as_integer()));
    return out;
  }
  static std::string cut(std::string text, const number_format& f) {
    if (f.precision >= 0) text.resize(byte_offset(text, static_cast<std::size_t>(f.precision)));
    return text;
  }
  static std::string pad(const std::string& text, const number_format& f) {
    return pad_text(text, f.width, f.align == '<' ? '<' : '>', " ");
  }

  heap& heap_;
  std::string_view format_;
  bool safe_;
  const value& args_;
  bool mapping_ = false, named_ = false;
  std::size_t at_ = 0, used_ = 0;
};

// A format spec: [[fill]align][sign][#][0][width][,_][.precision][type].
struct format_spec : number_format {
  std::string pad = " ";  // the fill, which may be any character

  explicit format_spec(std::string_view spec) {
    const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
    const std::size_t first = utf8_decode(spec, 0).length;
    if (first < spec.size() && is_align(spec[first])) {
      pad = spec.substr(0, first), align = spec[first], at_ = first + 1;
    } else if (is_align(spec[0])) {
      align = spec[0], at_ = 1;
    }
    const auto accept = [&](char c) { return at_ < spec.size() && spec[at_] == c && ++at_; };
    for (const char c : {'+', '-', ' '})
      if (accept(c)) sign = c;
    alternate = accept('#');
    if (accept('0')) {
      zero = align == '\0';
      if (pad == " ") pad = "0";
    }
    width = digits(spec, 0);
    grouping_comma = accept(',');
    grouping_low = accept('_');
    if (accept('.') && (precision = digits(spec, -1)) < 0)
      fail("format specifier missing precision");
    if (at_ < spec.size()) type = spec[at_++];
    if (at_ < spec.size()) fail("invalid format specifier");
    if (pad.size() == 1) fill = pad[0];
  }
  bool type_in(std::string_view letters) const {
    return type != '\0' && letters.find(type) != std::string_view::npos;
  }

 private:
  std::int64_t digits(std::string_view spec, std::int64_t n) {
    for (; at_ < spec.size() && spec[at_] >= '0' && spec[at_] <= '9'; ++at_) {
      n = std::max<std::int64_t>(n, 0) * 10 + (spec[at_] - '0');
      if (n > static_cast<std::int64_t>(max_text)) fail("the width of a format is too large");
    }
    return n;
  }
  std::size_t at_ = 0;
};

// format(value, spec).
inline std::string format_value(heap& h, const value& v, std::string_view spec) {
  if (spec.empty()) return to_text(h, v);
  if (!v.is_string() && !v.is_number())
    fail(std::string("unsupported format string passed to ") + heap::type_name(v) + ".__format__");
  const format_spec f(spec);
  const bool grouped = f.grouping_comma || f.grouping_low;
  if (v.is_string()) {
    if ((f.type != '\0' && f.type != 's') || f.align == '=' || f.sign != '-' || f.alternate ||
        grouped)
      fail("invalid format specifier for a string");
    std::string text = v.text();
    if (f.precision >= 0) text.resize(byte_offset(text, static_cast<std::size_t>(f.precision)));
    return pad_text(text, f.width, f.align == '\0' ? '<' : f.align, f.pad);
  }
  if (f.zero && grouped) fail("this format specifier is not supported");
  const bool real_type = f.type_in("eEfFgGn%");
  if (v.is(kind::real) || real_type) {
    if (f.type != '\0' && !real_type) fail("unknown format code for a float");
    return format_real(v.as_real(), f);
  }
  if (f.type != '\0' && !f.type_in("bdoxX")) fail("unknown format code for an int");
  if (f.precision >= 0) fail("precision not allowed in integer format specifier");
  return format_integer(v.as_integer(), f);
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
