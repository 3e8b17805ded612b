// SPDX-License-Identifier: Apache-2.0
// Methods of Python's str, list, tuple and dict that a template may call. Those that would change a
// value are known but refused, as in Jinja2's ImmutableSandboxedEnvironment.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/tokenizers/jinja_arithmetic.hpp"
#include "parlance/tokenizers/jinja_call.hpp"
#include "parlance/tokenizers/jinja_string_format.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

namespace methods {

using args = const call_values&;

// The part of a string that start and end arguments select; npos-like when start lies beyond it.
struct window {
  std::string_view text;
  std::size_t first = 0;  // in code points
  bool valid = true;
};

inline window select(const bound& b, std::size_t i, const value& self) {
  const std::string_view text = self.text();
  if (!b.has(i) && !b.has(i + 1)) return {text};
  const auto length = static_cast<std::int64_t>(utf8_length(text));
  const auto position = [&](std::size_t k, std::int64_t missing) {
    std::int64_t at = b.given(k) ? bound::as_index(b[k]) : missing;
    if (at < 0) at = std::max<std::int64_t>(at + length, 0);
    return at;
  };
  const std::int64_t start = position(i, 0), end = std::min(position(i + 1, length), length);
  if (start > end) return {{}, 0, false};
  const std::size_t from = byte_offset(text, static_cast<std::size_t>(start));
  const std::size_t to =
      from + byte_offset(text.substr(from), static_cast<std::size_t>(end - start));
  return {text.substr(from, to - from), static_cast<std::size_t>(start)};
}

inline std::int64_t search(const value& self, args a, const char* what, bool last, bool must) {
  const bound b(a, what, {"", "", ""}, 1);
  const window w = select(b, 1, self);
  const std::string_view piece = b.text(0);
  const std::size_t at = !w.valid ? std::string_view::npos
                         : last   ? w.text.rfind(piece)
                                  : w.text.find(piece);
  if (at == std::string_view::npos) {
    if (must) fail("substring not found");
    return -1;
  }
  return static_cast<std::int64_t>(w.first + utf8_length(w.text.substr(0, at)));
}

inline value find(heap&, const value& s, args a) { return search(s, a, "find", false, false); }
inline value rfind(heap&, const value& s, args a) { return search(s, a, "rfind", true, false); }
inline value index(heap&, const value& s, args a) { return search(s, a, "index", false, true); }
inline value rindex(heap&, const value& s, args a) { return search(s, a, "rindex", true, true); }

inline value count(heap&, const value& s, args a) {
  const bound b(a, "count", {"", "", ""}, 1);
  const window w = select(b, 1, s);
  return w.valid ? count_text(w.text, b.text(0)) : 0;
}

inline value affix(const value& s, args a, const char* what, bool start) {
  const bound b(a, what, {"", "", ""}, 1);
  const window w = select(b, 1, s);
  const auto match = [&](const value& v) {
    if (!v.is_string()) fail(std::string(what) + " arg must be str or a tuple of str");
    const std::string_view piece = v.text();
    if (!w.valid || piece.size() > w.text.size()) return false;
    return (start ? w.text.substr(0, piece.size()) : w.text.substr(w.text.size() - piece.size())) ==
           piece;
  };
  if (!b[0].is(kind::tuple)) return match(b[0]);
  for (const value& v : b[0].items())
    if (match(v)) return true;
  return false;
}
inline value startswith(heap&, const value& s, args a) { return affix(s, a, "startswith", true); }
inline value endswith(heap&, const value& s, args a) { return affix(s, a, "endswith", false); }

inline value strip_side(heap& h, const value& s, args a, bool left, bool right) {
  const bound b(a, "strip", {""});
  return h.str(std::string(b.given(0) ? strip_chars(s.text(), b.text(0), left, right)
                                      : strip_space(s.text(), left, right)),
               s.safe());
}
inline value strip(heap& h, const value& s, args a) { return strip_side(h, s, a, true, true); }
inline value lstrip(heap& h, const value& s, args a) { return strip_side(h, s, a, true, false); }
inline value rstrip(heap& h, const value& s, args a) { return strip_side(h, s, a, false, true); }

inline value texts(heap& h, const std::vector<std::string_view>& parts, bool safe) {
  require_list_size(parts.size());
  values out;
  out.reserve(parts.size());
  for (const std::string_view part : parts) out.push_back(h.str(std::string(part), safe));
  return h.list(std::move(out));
}

inline value split_side(heap& h, const value& s, args a, bool right) {
  const bound b(a, "split", {"sep", "maxsplit"});
  const std::int64_t limit = b.number(1, -1);
  if (!b.given(0))
    return texts(h, right ? rsplit_space(s.text(), limit) : split_space(s.text(), limit), s.safe());
  if (b.text(0).empty()) fail("empty separator");
  return texts(h, (right ? rsplit_text : split_text)(s.text(), b.text(0), limit), s.safe());
}
inline value split(heap& h, const value& s, args a) { return split_side(h, s, a, false); }
inline value rsplit(heap& h, const value& s, args a) { return split_side(h, s, a, true); }

inline value splitlines(heap& h, const value& s, args a) {
  return texts(h, split_lines(s.text(), bound(a, "splitlines", {"keepends"}).flag(0)), s.safe());
}

inline value partition_side(heap& h, const value& s, args a, bool right) {
  const bound b(a, "partition", {""}, 1);
  const std::string_view text = s.text(), separator = b.text(0);
  if (separator.empty()) fail("empty separator");
  const std::size_t at = right ? text.rfind(separator) : text.find(separator);
  const auto piece = [&](std::string_view t) { return h.str(std::string(t), s.safe()); };
  values out;
  if (at == std::string_view::npos) {
    out = {piece(right ? "" : text), piece(""), piece(right ? text : "")};
  } else {
    out = {piece(text.substr(0, at)), piece(separator), piece(text.substr(at + separator.size()))};
  }
  return h.tuple(std::move(out));
}
inline value partition(heap& h, const value& s, args a) { return partition_side(h, s, a, false); }
inline value rpartition(heap& h, const value& s, args a) { return partition_side(h, s, a, true); }

inline value replace(heap& h, const value& s, args a) {
  const bound b(a, "replace", {"", "", ""}, 2);
  const std::string with = s.safe() ? escaped_text(h, b[1]) : std::string(b.text(1));
  return h.str(replace_text(s.text(), b.text(0), with, b.number(2, -1)), s.safe());
}

inline value removeprefix(heap& h, const value& s, args a) {
  std::string_view text = s.text();
  const bound b(a, "removeprefix", {""}, 1);
  if (text.substr(0, b.text(0).size()) == b.text(0)) text.remove_prefix(b.text(0).size());
  return h.str(std::string(text), s.safe());
}
inline value removesuffix(heap& h, const value& s, args a) {
  std::string_view text = s.text();
  const std::string_view end = bound(a, "removesuffix", {""}, 1).text(0);
  if (text.size() >= end.size() && text.substr(text.size() - end.size()) == end)
    text.remove_suffix(end.size());
  return h.str(std::string(text), s.safe());
}

inline value pad(heap& h, const value& s, args a, char align) {
  const bound b(a, "pad", {"", ""}, 1);
  const std::string_view fill = b.has(1) ? b.text(1) : " ";
  if (utf8_length(fill) != 1) fail("the fill character must be exactly one character long");
  return h.str(pad_text(s.text(), b.number(0, 0), align, fill, align == '^'), s.safe());
}
inline value ljust(heap& h, const value& s, args a) { return pad(h, s, a, '<'); }
inline value rjust(heap& h, const value& s, args a) { return pad(h, s, a, '>'); }
inline value center(heap& h, const value& s, args a) { return pad(h, s, a, '^'); }
inline value zfill(heap& h, const value& s, args a) {
  const bound b(a, "zfill", {""}, 1);
  const std::string& text = s.text();
  const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const std::string body = pad_text(text.substr(sign), b.number(0, 0) - sign, '>', "0");
  return h.str((sign ? text.substr(0, 1) : std::string()) + body, s.safe());
}

inline value upper(heap& h, const value& s, args a) {
  bound(a, "upper", {});
  return h.str(to_upper(s.text()), s.safe());
}
inline value lower(heap& h, const value& s, args a) {
  bound(a, "lower", {});
  return h.str(to_lower(s.text()), s.safe());
}
inline value capitalize_text(heap& h, const value& s, args a) {
  bound(a, "capitalize", {});
  return h.str(capitalize(s.text()), s.safe());
}

// Words are runs of cased characters.
inline value title(heap& h, const value& s, args a) {
  bound(a, "title", {});
  std::string out;
  bool inside = false;
  for (const char32_t c : code_points(s.text())) {
    inside ? append_lower(out, c) : append_title(out, c);
    inside = is_cased(c);
  }
  return h.str(std::move(out), s.safe());
}
inline value swapcase(heap& h, const value& s, args a) {
  bound(a, "swapcase", {});
  std::string out;
  for (const char32_t c : code_points(s.text()))
    has_lower(c) ? append_lower(out, c) : append_upper(out, c);
  return h.str(std::move(out), s.safe());
}

inline value join(heap& h, const value& s, args a) {
  const bound b(a, "join", {""}, 1);
  std::string out;
  cursor c(h, b[0]);
  bool first = true;
  for (value item; c.next(item); first = false) {
    if (!item.is_string() && !s.safe()) fail("sequence item: expected str instance");
    if (!first) out += s.text();
    out += s.safe() ? escaped_text(h, item) : item.text();
    require_text_size(out.size());
  }
  return h.str(std::move(out), s.safe());
}

inline value format(heap& h, const value& s, args a) {
  return h.str(string_formatter(h, s, a).run(), s.safe());
}

inline value expandtabs(heap& h, const value& s, args a) {
  const std::int64_t size = bound(a, "expandtabs", {"tabsize"}).number(0, 8);
  std::string out;
  std::int64_t column = 0;
  for (const char32_t c : code_points(s.text())) {
    if (c == '\t') {
      const std::int64_t pad = size > 0 ? size - column % size : 0;
      require_text_size(out.size() + static_cast<std::size_t>(pad));
      out.append(static_cast<std::size_t>(pad), ' '), column += pad;
    } else {
      utf8_append(out, c);
      column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
  }
  return h.str(std::move(out), s.safe());
}

template <class Test>
value all_of(const value& s, args a, Test test, bool empty = false) {
  bound(a, "is", {});
  const std::u32string points = code_points(s.text());
  if (points.empty()) return empty;
  return std::all_of(points.begin(), points.end(), test);
}

// islower and isupper: at least one cased character, and none of the other case.
inline bool only_case(std::string_view s, bool upper) {
  bool any = false;
  for (const char32_t c : code_points(s)) {
    if (upper ? has_upper(c) : has_lower(c)) return false;
    any = any || (upper ? has_lower(c) : has_upper(c)) || is_cased(c);
  }
  return any;
}
inline value islower(heap&, const value& s, args a) {
  return bound(a, "islower", {}), only_case(s.text(), false);
}
inline value isupper(heap&, const value& s, args a) {
  return bound(a, "isupper", {}), only_case(s.text(), true);
}
inline value isalpha(heap&, const value& s, args a) { return all_of(s, a, is_alpha); }
inline value isalnum(heap&, const value& s, args a) { return all_of(s, a, is_alnum); }
inline value isdigit(heap&, const value& s, args a) { return all_of(s, a, is_digit); }
inline value isnumeric(heap&, const value& s, args a) { return all_of(s, a, is_numeric); }
inline value isdecimal(heap&, const value& s, args a) { return all_of(s, a, is_decimal); }
inline value isspace(heap&, const value& s, args a) { return all_of(s, a, is_space); }
inline value isprintable(heap&, const value& s, args a) { return all_of(s, a, is_printable, true); }
inline value isascii(heap&, const value& s, args a) {
  return bound(a, "isascii", {}), is_ascii(s.text());
}

// list and tuple.
inline value list_count(heap& h, const value& s, args a) {
  const bound b(a, "count", {""}, 1);
  std::int64_t n = 0;
  for (const value& item : s.items()) n += equal(h, item, b[0]);
  return n;
}
inline value list_index(heap& h, const value& s, args a) {
  const bound b(a, "index", {"", "", ""}, 1);
  const auto size = static_cast<std::int64_t>(s.items().size());
  const auto position = [&](std::size_t i, std::int64_t missing) {
    const std::int64_t at = b.number(i, missing);
    return at < 0 ? std::max<std::int64_t>(at + size, 0) : at;
  };
  const std::int64_t end = std::min(position(2, size), size);
  for (std::int64_t i = position(1, 0); i < end; ++i)
    if (equal(h, s.items()[static_cast<std::size_t>(i)], b[0])) return i;
  fail("the item is not in the list");
}
inline value list_copy(heap& h, const value& s, args a) {
  bound(a, "copy", {});
  return h.list(s.items());
}

// dict.
inline value dict_get(heap& h, const value& s, args a) {
  const bound b(a, "get", {"", ""}, 1);
  if (!hashable(h.meter(), b[0])) fail("unhashable type");
  const value* v = s.dict().find(b[0]);
  return v != nullptr ? *v : b.get(1, value::none());
}
inline value dict_keys(heap& h, const value& s, args a) {
  return bound(a, "keys", {}), h.view(s, view_kind::keys);
}
inline value dict_values(heap& h, const value& s, args a) {
  return bound(a, "values", {}), h.view(s, view_kind::values);
}
inline value dict_items(heap& h, const value& s, args a) {
  return bound(a, "items", {}), h.view(s, view_kind::items);
}
inline value dict_copy(heap& h, const value& s, args a) {
  bound(a, "copy", {});
  const value out = h.new_dict();
  for (const auto& [key, v] : s.dict().items) h.put(out, key, v);
  return out;
}

[[noreturn]] inline value unsupported(heap&, const value&, args) {
  fail("this method is not supported");
}

}  // namespace methods

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
