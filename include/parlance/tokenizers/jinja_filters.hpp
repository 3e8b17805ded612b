// SPDX-License-Identifier: Apache-2.0
// The filters of Jinja2 3.1.6 that work on one value or on text; those on sequences are in
// jinja_sequence_filters.hpp. tojson is transformers' own (json.dumps, nothing escaped for HTML).
// Absent: random, urlize, pprint, xmlattr, urlencode, filesizeformat, striptags.
#pragma once

#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/tokenizers/jinja_access.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

namespace filters {

using args = const call_values&;

// soft_str: the text of a value; whether it is safe stays.
struct soft_text {
  soft_text(heap& h, const value& v) : text(h, v), safe(v.is_string() && v.safe()) {}
  text_of text;
  bool safe;
};

inline value absolute(heap&, args a) {
  const bound b(a, "abs", {""}, 1);
  if (b[0].is_undefined()) fail_undefined(b[0]);
  if (!b[0].is_number()) fail("abs needs a number");
  if (b[0].is(kind::real)) return std::abs(b[0].as_real());
  return b[0].as_integer() < 0 ? unary(op_type::neg, b[0]) : value(b[0].as_integer());
}

inline value attr(heap& h, args a) {
  const bound b(a, "attr", {"obj", "name"}, 2);
  if (b[0].is_undefined()) fail_undefined(b[0]);
  value out;
  if (own_attribute(h, b[0], b.text(1), out)) return out;
  return value(value::origin{nullptr, "an attribute that does not exist is used"});
}

inline value upper(heap& h, args a) {
  const soft_text s(h, bound(a, "upper", {"s"}, 1)[0]);
  return h.str(to_upper(s.text), s.safe);
}
inline value lower(heap& h, args a) {
  const soft_text s(h, bound(a, "lower", {"s"}, 1)[0]);
  return h.str(to_lower(s.text.get()), s.safe);
}
inline value capitalize_text(heap& h, args a) {
  const soft_text s(h, bound(a, "capitalize", {"s"}, 1)[0]);
  return h.str(capitalize(s.text), s.safe);
}

// Words begin after white space and -({[<.
inline value title(heap& h, args a) {
  const soft_text s(h, bound(a, "title", {"s"}, 1)[0]);
  const std::u32string points = code_points(s.text);
  const auto separates = [](char32_t c) {
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  std::string out;
  for (std::size_t i = 0; i < points.size();) {
    std::size_t end = i;
    const bool gap = separates(points[i]);
    while (end < points.size() && separates(points[end]) == gap) ++end;
    append_upper(out, points[i]);
    out += to_lower(std::u32string_view(points).substr(i + 1, end - i - 1));
    i = end;
  }
  return h.str(std::move(out), s.safe);
}

inline value trim(heap& h, args a) {
  const bound b(a, "trim", {"value", "chars"}, 1);
  const soft_text s(h, b[0]);
  return h.str(
      std::string(b.given(1) ? strip_chars(s.text, b.text(1), true, true) : strip_space(s.text)),
      s.safe);
}

inline value center(heap& h, args a) {
  const bound b(a, "center", {"value", "width"}, 1);
  const soft_text s(h, b[0]);
  return h.str(pad_text(s.text, b.number(1, 80), '^', " ", true), s.safe);
}

inline value string(heap& h, args a) {
  const bound b(a, "string", {"object"}, 1);
  return b[0].is_string() ? b[0] : h.str(to_text(h, b[0]));
}
inline value safe(heap& h, args a) {
  return h.str(to_text(h, bound(a, "safe", {"value"}, 1)[0]), true);
}
inline value escape(heap& h, args a) {
  return h.str(escaped_text(h, bound(a, "escape", {""}, 1)[0]), true);
}
inline value force_escape(heap& h, args a) {
  return h.str(escape_html(text_of(h, bound(a, "forceescape", {"value"}, 1)[0])), true);
}

inline value replace(heap& h, args a) {
  const bound b(a, "replace", {"s", "old", "new", "count"}, 3);
  const std::int64_t limit = b.given(3) ? b.number(3, -1) : -1;
  return h.str(replace_text(text_of(h, b[0]), text_of(h, b[1]), text_of(h, b[2]), limit));
}

inline value default_value(heap& h, args a) {
  const bound b(a, "default", {"value", "default_value", "boolean"}, 1);
  if (b[0].is_undefined() || (b.flag(2) && !truth(b[0]))) return b.has(1) ? b[1] : h.str("");
  return b[0];
}

inline value format(heap& h, args a) {
  if (a.positional.size() > 1 && !a.named.empty())
    fail("can't handle positional and keyword arguments at the same time");
  const value text =
      a.positional[0].is_string() ? a.positional[0] : h.str(to_text(h, a.positional[0]));
  value with = h.new_dict();
  if (a.named.empty())
    with = h.tuple(values(a.positional.begin() + 1, a.positional.end()));
  else
    for (const auto& [key, v] : a.named) h.put(with, h.str(key), v);
  return h.str(percent_formatter(h, text, with).run(), text.safe());
}

inline value indent(heap& h, args a) {
  const bound b(a, "indent", {"s", "width", "first", "blank"}, 1);
  if (b[0].is_undefined()) fail_undefined(b[0]);
  const std::string text = std::string(b.text(0)) + "\n";
  const bool safe = b[0].safe();
  std::string indention;
  if (b.has(1) && b[1].is_string()) {
    indention = safe ? escaped_text(h, b[1]) : b[1].text();
  } else {
    const std::int64_t width = std::max<std::int64_t>(b.number(1, 4), 0);
    require_text_size(static_cast<std::size_t>(width));
    indention.assign(static_cast<std::size_t>(width), ' ');
  }
  const std::vector<std::string_view> lines = split_lines(text, false);
  std::string out = b.flag(2) ? indention : std::string();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    if (i > 0 && (b.flag(3) || !lines[i].empty())) out += indention;
    out += lines[i];
    require_text_size(out.size());
  }
  return h.str(std::move(out), safe);
}

inline value truncate(heap& h, args a) {
  const bound b(a, "truncate", {"s", "length", "killwords", "end", "leeway"}, 1);
  const std::string_view end = b.has(3) ? b.text(3) : "...";
  const std::int64_t length = b.number(1, 255), leeway = b.given(4) ? b.number(4, 5) : 5;
  const auto end_length = static_cast<std::int64_t>(utf8_length(end));
  if (length < end_length || leeway < 0) fail("truncate: the length or the leeway is too small");
  const std::int64_t size = length_of(b[0]);
  if (size >= 0 && size <= length + leeway) return b[0];
  const std::string_view text = b.text(0);
  std::string_view kept =
      text.substr(0, byte_offset(text, static_cast<std::size_t>(length - end_length)));
  if (!b.flag(2)) kept = kept.substr(0, kept.rfind(' '));
  return h.str(std::string(kept) + std::string(end), b[0].safe());
}

inline value wordcount(heap& h, args a) {
  const soft_text s(h, bound(a, "wordcount", {"s"}, 1)[0]);
  int count = 0;
  bool inside = false;
  for (const char32_t c : code_points(s.text)) {
    const bool word = c == '_' || is_alnum(c);
    count += word && !inside;
    inside = word;
  }
  return count;
}

// int(text, base) of Python; false when it raises ValueError.
inline bool parse_integer(std::string_view text, int base, integer& out) {
  text = strip_space(text);
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const auto prefix = [&](char letter, int radix) {
    if (text.size() < 2 || text[0] != '0' || (text[1] | 32) != letter) return;
    if (base != radix && base != 0) return;
    base = radix;
    text.remove_prefix(2);
    if (!text.empty() && text[0] == '_') text.remove_prefix(1);
  };
  prefix('x', 16), prefix('o', 8), prefix('b', 2);
  if (base == 0) {
    base = 10;
    if (text.size() > 1 && text[0] == '0' && text.find_first_not_of("0_") != std::string_view::npos)
      return false;
  }
  if (base < 2 || base > 36) return false;
  out = 0;
  bool last_digit = false;
  for (const char c : text) {
    if (c == '_') {
      if (!last_digit) return false;
      last_digit = false;
      continue;
    }
    const char low = static_cast<char>(c | 32);
    const int digit = c >= '0' && c <= '9'       ? c - '0'
                      : low >= 'a' && low <= 'z' ? low - 'a' + 10
                                                 : 99;
    if (digit >= base) return false;
    if (__builtin_mul_overflow(out, integer{base}, &out) ||
        __builtin_add_overflow(out, integer{digit}, &out))
      fail("the integer is too large");
    last_digit = true;
  }
  if (negative) out = -out;
  return last_digit;
}

inline bool parse_real(std::string_view text, double& out) {
  text = strip_space(text);
  std::string s;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t k) {
      return k < text.size() && text[k] >= '0' && text[k] <= '9';
    };
    if (text[i] != '_')
      s += text[i];
    else if (i == 0 || !digit(i - 1) || !digit(i + 1))
      return false;
  }
  std::string_view rest = s;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) rest.remove_prefix(1);
  if (rest.empty() || rest[0] == '+' || rest[0] == '-') return false;
  const bool word = rest[0] == 'i' || rest[0] == 'I' || rest[0] == 'n' || rest[0] == 'N';
  if (!word && rest[0] != '.' && (rest[0] < '0' || rest[0] > '9')) return false;
  if (word && rest.find('(') != std::string_view::npos) return false;
  const auto r = std::from_chars(rest.data(), rest.data() + rest.size(), out);
  if (r.ec == std::errc::invalid_argument || r.ptr != rest.data() + rest.size()) return false;
  if (r.ec == std::errc::result_out_of_range) {
    const std::size_t e = rest.find_first_of("eE");
    out = e != std::string_view::npos && rest[e + 1] == '-' ? 0.0 : HUGE_VAL;
  }
  if (s[0] == '-') out = -out;
  return true;
}

inline value to_int(heap&, args a) {
  const bound b(a, "int", {"value", "default", "base"}, 1);
  const value& v = b[0];
  if (v.is_undefined()) fail_undefined(v);
  double d = 0;
  if (v.is_integral()) return v.as_integer();
  if (v.is(kind::real)) {
    // int(inf) raises OverflowError, which the filter lets through; int(nan) gives the default.
    if (std::isinf(v.as_real())) fail("cannot convert float infinity to integer");
    if (std::isnan(v.as_real())) return b.get(1, 0);
    return to_integer(v.as_real());
  }
  if (v.is_string()) {
    integer i = 0;
    if (parse_integer(v.text(), static_cast<int>(b.number(2, 10)), i)) return i;
    if (parse_real(v.text(), d) && std::isfinite(d)) return to_integer(d);
  }
  return b.get(1, 0);
}

inline value to_float(heap&, args a) {
  const bound b(a, "float", {"value", "default"}, 1);
  if (b[0].is_undefined()) fail_undefined(b[0]);
  if (b[0].is_number()) return b[0].as_real();
  double d = 0;
  if (b[0].is_string() && parse_real(b[0].text(), d)) return d;
  return b.get(1, 0.0);
}

// round(x, n): the decimal text with n digits, rounded half to even on the exact value.
inline double round_half_even(double x, std::int64_t digits) {
  if (!std::isfinite(x) || digits > 323) return x;
  if (digits < -308) return std::copysign(0.0, x);
  if (digits >= 0) {
    char buffer[800];
    std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(digits), x);
    double out = 0;
    std::from_chars(buffer, buffer + std::char_traits<char>::length(buffer), out);
    return out;
  }
  const double scale = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(x / scale) * scale;
}

inline value round(heap&, args a) {
  const bound b(a, "round", {"value", "precision", "method"}, 1);
  const std::string_view method = b.has(2) ? b.text(2) : "common";
  if (method != "common" && method != "ceil" && method != "floor")
    fail("method must be common, ceil or floor");
  if (b[0].is_undefined()) fail_undefined(b[0]);
  if (!b[0].is_number()) fail("round needs a number");
  const std::int64_t precision = b.number(1, 0);
  if (method == "common") {
    if (b[0].is(kind::real)) return round_half_even(b[0].as_real(), precision);
    if (precision >= 0) return b[0].as_integer();
    if (precision < -38) return 0;
    const integer scale = integer_power(10, -precision).as_integer();
    const integer q = floor_div(b[0].as_integer(), scale), rest = b[0].as_integer() - q * scale;
    const bool up = rest * 2 > scale || (rest * 2 == scale && q % 2 != 0);
    return (q + up) * scale;
  }
  const value scale = integer_power(10, precision);
  const value scaled = number_operation(op_type::mul, b[0], scale);
  value whole = scaled;
  if (scaled.is(kind::real))
    whole =
        to_integer(method == "ceil" ? std::ceil(scaled.as_real()) : std::floor(scaled.as_real()));
  return number_operation(op_type::div, whole, scale);
}

inline value tojson(heap& h, args a) {
  const bound b(a, "tojson", {"x", "ensure_ascii", "indent", "separators", "sort_keys"}, 1);
  json_options options;
  options.ensure_ascii = b.flag(1);
  options.sort_keys = b.flag(4);
  if (b.given(2)) {
    options.has_indent = true;
    options.item_separator = ",";
    if (b[2].is_string()) {
      options.indent = b[2].text();
    } else {
      const std::int64_t width = std::max<std::int64_t>(b.number(2, 0), 0);
      if (width > 1024) fail("the indent of tojson is too large");
      options.indent.assign(static_cast<std::size_t>(width), ' ');
    }
  }
  if (b.given(3)) {
    const values pair = collect(h, b[3]);
    if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
      fail("separators must be two strings");
    options.item_separator = pair[0].text(), options.key_separator = pair[1].text();
  }
  return h.str(json_writer(h, options).run(b[0]));
}

}  // namespace filters

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
