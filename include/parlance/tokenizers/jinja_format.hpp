// SPDX-License-Identifier: Apache-2.0
// str(), repr() and json.dumps() of template values, as Python 3.11 writes them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/tokenizers/jinja_text.hpp"
#include "parlance/tokenizers/jinja_heap.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

class writer {
 public:
  explicit writer(heap& h) : heap_(h) {}

  void str(std::string& out, const value& v) {
    if (v.is_string())
      put(out, v.text());
    else if (!v.is_undefined())
      repr(out, v);
  }

  void repr(std::string& out, const value& v) {
    heap_.step();
    switch (v.type()) {
      case kind::undefined:
        return put(out, "Undefined");
      case kind::none:
        return put(out, "None");
      case kind::boolean:
        return put(out, v.boolean() ? "True" : "False");
      case kind::integer:
        return put(out, integer_text(v.as_integer()));
      case kind::real:
        return put(out, repr_real(v.as_real()));
      case kind::string:
        if (!v.safe()) return put(out, repr_text(v.text()));
        return put(out, "Markup(" + repr_text(v.text()) + ")");
      case kind::list:
        return repr_items(out, v.items(), '[', "]");
      case kind::tuple:
        return repr_items(out, v.items(), '(', v.items().size() == 1 ? ",)" : ")");
      case kind::dict:
        return repr_dict(out, v.dict());
      case kind::range:
        return repr_range(out, v.as<range_object>());
      case kind::view:
        return repr_view(out, v.as<view_object>());
      case kind::name_space:
        return repr_namespace(out, v.as<namespace_object>());
      case kind::iterator:
        return put(out, std::string("<") + v.as<iterator_object>().name + " object>");
      default:
        return repr_object(out, v);
    }
  }

 private:
  void put(std::string& out, std::string_view piece) {
    require_text_size(out.size() + piece.size());
    out += piece;
  }
  void repr_object(std::string& out, const value& v) {
    put(out, std::string("<") + heap::type_name(v));
    value name;
    if (v.is(kind::macro) && v.get()->attribute(heap_, "name", name))
      put(out, name.is_none() ? " anonymous" : " " + repr_text(name.text()));
    put(out, ">");
  }
  void repr_items(std::string& out, const values& items, char open, const char* close) {
    out += open;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) put(out, ", ");
      repr(out, items[i]);
    }
    put(out, close);
  }
  void repr_dict(std::string& out, const dict_object& d) {
    put(out, "{");
    bool first = true;
    for (const auto& [key, v] : d.items) {
      if (!first) put(out, ", ");
      first = false;
      repr(out, key);
      put(out, ": ");
      repr(out, v);
    }
    put(out, "}");
  }
  void repr_range(std::string& out, const range_object& r) {
    put(out, "range(" + std::to_string(r.start) + ", " + std::to_string(r.stop));
    if (r.step != 1) put(out, ", " + std::to_string(r.step));
    put(out, ")");
  }
  void repr_view(std::string& out, const view_object& view) {
    static constexpr const char* names[] = {"dict_keys([", "dict_values([", "dict_items(["};
    put(out, names[static_cast<int>(view.what)]);
    bool first = true;
    for (const auto& [key, v] : view.dict.dict().items) {
      if (!first) put(out, ", ");
      first = false;
      if (view.what == view_kind::items) put(out, "(");
      if (view.what != view_kind::values) repr(out, key);
      if (view.what == view_kind::items) put(out, ", ");
      if (view.what != view_kind::keys) repr(out, v);
      if (view.what == view_kind::items) put(out, ")");
    }
    put(out, "])");
  }
  void repr_namespace(std::string& out, namespace_object& n) {
    // A namespace may hold itself.
    if (++namespaces_ > max_nesting) fail("values nest too deep");
    put(out, "<Namespace {");
    bool first = true;
    for (const auto& [name, v] : n.attributes) {
      put(out, (first ? "" : ", ") + repr_text(name) + ": ");
      first = false;
      repr(out, v);
    }
    put(out, "}>");
    --namespaces_;
  }

  heap& heap_;
  int namespaces_ = 0;
};

inline std::string to_text(heap& h, const value& v) {
  std::string out;
  writer(h).str(out, v);
  return out;
}

// Text of a value without a copy when it is a string already.
class text_of {
 public:
  text_of(heap& h, const value& v) {
    if (v.is_string()) {
      view_ = v.text();
    } else {
      own_ = to_text(h, v);
      view_ = own_;
    }
  }
  text_of(const text_of&) = delete;
  text_of& operator=(const text_of&) = delete;
  operator std::string_view() const { return view_; }
  std::string_view get() const { return view_; }

 private:
  std::string own_;
  std::string_view view_;
};

// markupsafe.escape: text that is already safe stays.
inline std::string escaped_text(heap& h, const value& v) {
  if (v.is_string() && v.safe()) return v.text();
  return escape_html(text_of(h, v));
}

struct json_options {
  bool ensure_ascii = false;
  bool sort_keys = false;
  bool has_indent = false;
  std::string indent;
  std::string item_separator = ", ", key_separator = ": ";
};

class json_writer {
 public:
  json_writer(heap& h, const json_options& options) : heap_(h), options_(options) {}

  std::string run(const value& v) {
    write(v, 0);
    return std::move(out_);
  }

 private:
  void put(std::string_view piece) {
    require_text_size(out_.size() + piece.size());
    out_ += piece;
  }

  void write(const value& v, int level) {
    heap_.step();
    switch (v.type()) {
      case kind::none:
        return put("null");
      case kind::boolean:
        return put(v.boolean() ? "true" : "false");
      case kind::integer:
        return put(integer_text(v.as_integer()));
      case kind::real:
        return put(real(v.as_real()));
      case kind::string:
        return string(v.text());
      case kind::list:
      case kind::tuple:
        return sequence(v.items(), level);
      case kind::dict:
        return dict(v.dict(), level);
      default:
        fail(std::string("Object of type ") + heap::type_name(v) + " is not JSON serializable");
    }
  }

  static std::string real(double d) {
    if (std::isnan(d)) return "NaN";
    if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
    return repr_real(d);
  }

  void new_line(int level) {
    if (!options_.has_indent) return;
    put("\n");
    for (int i = 0; i < level; ++i) put(options_.indent);
  }

  void sequence(const values& items, int level) {
    if (items.empty()) return put("[]");
    put("[");
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) put(options_.item_separator);
      new_line(level + 1);
      write(items[i], level + 1);
    }
    new_line(level);
    put("]");
  }

  static bool key_less(const value& a, const value& b) {
    if (a.is_string() && b.is_string()) return a.text() < b.text();
    if (a.is_number() && b.is_number()) return a.as_real() < b.as_real();
    fail("'<' not supported between dict keys of different types");
  }

  void dict(const dict_object& d, int level) {
    if (d.items.empty()) return put("{}");
    std::vector<const std::pair<value, value>*> items;
    for (const auto& item : d.items) items.push_back(&item);
    if (options_.sort_keys && items.size() > 1)
      std::stable_sort(items.begin(), items.end(),
                       [](const auto* a, const auto* b) { return key_less(a->first, b->first); });
    put("{");
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) put(options_.item_separator);
      new_line(level + 1);
      key(items[i]->first);
      put(options_.key_separator);
      write(items[i]->second, level + 1);
    }
    new_line(level);
    put("}");
  }

  void key(const value& k) {
    if (k.is_string()) return string(k.text());
    if (!k.is_number() && !k.is_none())
      fail("keys must be str, int, float, bool or None, not " + std::string(heap::type_name(k)));
    put("\"");
    write(k, 0);
    put("\"");
  }

  void string(std::string_view s) {
    static constexpr std::string_view short_from = "\"\\\n\r\t\b\f", short_to = "\"\\nrtbf";
    put("\"");
    std::size_t plain = 0;
    for (std::size_t i = 0; i < s.size();) {
      const auto c = static_cast<unsigned char>(s[i]);
      if (c >= 0x20 && c != '"' && c != '\\' && (c < 0x7F || !options_.ensure_ascii)) {
        ++i;
        continue;
      }
      put(s.substr(plain, i - plain));
      const std::size_t k = short_from.find(static_cast<char>(c));
      if (k != std::string_view::npos) {
        const char pair[2] = {'\\', short_to[k]};
        put({pair, 2}), ++i;
      } else {
        const utf8_step step = utf8_decode(s, i);
        unicode(step.code_point), i += step.length;
      }
      plain = i;
    }
    put(s.substr(plain));
    put("\"");
  }

  void unicode(char32_t c) {
    if (c == 0x7F) return put("\x7F");
    char text[16];
    if (c < 0x10000) {
      std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(c));
    } else {
      const unsigned high = 0xD800 + ((static_cast<unsigned>(c) - 0x10000) >> 10);
      const unsigned low = 0xDC00 + ((static_cast<unsigned>(c) - 0x10000) & 0x3FF);
      std::snprintf(text, sizeof text, "\\u%04x\\u%04x", high, low);
    }
    put(text);
  }

  heap& heap_;
  const json_options& options_;
  std::string out_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
