// SPDX-License-Identifier: Apache-2.0
// str.format: replacement fields with attributes, items, conversions and nested format specs.
#pragma once

#include <string>
#include <string_view>

#include "parlance/tokenizers/jinja_call.hpp"
#include "parlance/tokenizers/jinja_printf.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

class string_formatter {
 public:
  string_formatter(heap& h, const value& format, const call_values& args)
      : heap_(h), format_(format.text()), safe_(format.safe()), args_(args) {}

  std::string run() { return expand(format_, 2); }

 private:
  std::string expand(std::string_view s, int depth) {
    if (depth < 0) fail("max string recursion exceeded");
    std::string out;
    for (std::size_t i = 0; i < s.size();) {
      const char c = s[i];
      if ((c == '{' || c == '}') && i + 1 < s.size() && s[i + 1] == c) {
        out += c, i += 2;
      } else if (c == '}') {
        fail("single '}' encountered in format string");
      } else if (c == '{') {
        const std::size_t end = closing(s, i + 1);
        out += field(s.substr(i + 1, end - i - 1), depth);
        require_text_size(out.size());
        i = end + 1;
      } else {
        out += c, ++i;
      }
    }
    return out;
  }

  static std::size_t closing(std::string_view s, std::size_t i) {
    int open = 1;
    bool index = false;
    for (; i < s.size(); ++i) {
      if (s[i] == '[') index = true;
      if (s[i] == ']') index = false;
      if (index) continue;
      open += s[i] == '{' ? 1 : s[i] == '}' ? -1 : 0;
      if (open == 0) return i;
    }
    fail("expected '}' before end of string");
  }

  std::string field(std::string_view text, int depth) {
    std::size_t end = 0;
    for (bool index = false; end < text.size(); ++end) {
      if (text[end] == '[') index = true;
      if (text[end] == ']') index = false;
      if (!index && (text[end] == ':' || text[end] == '!')) break;
    }
    const std::string_view name = text.substr(0, end);
    text.remove_prefix(end);
    char conversion = '\0';
    if (!text.empty() && text[0] == '!') {
      if (text.size() < 2 || (text.size() > 2 && text[2] != ':'))
        fail("expected ':' after conversion specifier");
      conversion = text[1];
      text.remove_prefix(2);
    }
    value v = lookup(name);
    const std::string spec = text.empty() ? std::string() : expand(text.substr(1), depth - 1);
    if (conversion == 'r' || conversion == 'a') {
      std::string repr;
      writer(heap_).repr(repr, v);
      v = heap_.str(std::move(repr));
    } else if (conversion == 's') {
      v = heap_.str(to_text(heap_, v));
    } else if (conversion != '\0') {
      fail("unknown conversion specifier");
    }
    if (!safe_) return format_value(heap_, v, spec);
    // Markup.format: what is not safe is escaped.
    if (!v.is_string() || !v.safe()) return escape_html(format_value(heap_, v, spec));
    if (!spec.empty()) fail("a format specification for a safe string");
    return v.text();
  }

  value lookup(std::string_view name) {
    std::size_t at = std::min(name.find_first_of(".["), name.size());
    value v = first(name.substr(0, at));
    while (at < name.size()) {
      if (name[at] == '.') {
        const std::size_t end = std::min(name.find_first_of(".[", at + 1), name.size());
        if (end == at + 1) fail("empty attribute in format string");
        v = get_attribute(heap_, v, std::string(name.substr(at + 1, end - at - 1)));
        at = end;
      } else if (name[at] == '[') {
        const std::size_t end = name.find(']', at);
        if (end == std::string_view::npos || end == at + 1) fail("missing ']' in format string");
        const std::string_view key = name.substr(at + 1, end - at - 1);
        v = get_item(heap_, v, whole(key) ? value(number(key)) : heap_.str(key));
        at = end + 1;
      } else {
        fail("only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return v;
  }

  static bool whole(std::string_view s) {
    return !s.empty() && s.find_first_not_of("0123456789") == std::string_view::npos;
  }
  static std::int64_t number(std::string_view s) {
    if (s.size() > 9) fail("too many decimal digits in format string");
    return std::stoll(std::string(s));
  }

  value first(std::string_view name) {
    if (!name.empty() && !whole(name)) {
      const value* v = args_.find(name);
      if (v == nullptr) fail("a name of the format string is missing");
      return *v;
    }
    const bool automatic = name.empty();
    if (automatic ? next_ < 0 : next_ > 0)
      fail("cannot switch between manual and automatic field numbering");
    const std::int64_t i = automatic ? next_ : number(name);
    next_ = automatic ? next_ + 1 : -1;
    if (i >= static_cast<std::int64_t>(args_.positional.size()))
      fail("replacement index out of range for positional args");
    return args_.positional[static_cast<std::size_t>(i)];
  }

  heap& heap_;
  std::string_view format_;
  bool safe_;
  const call_values& args_;
  std::int64_t next_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
