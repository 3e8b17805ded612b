// SPDX-License-Identifier: Apache-2.0
// Makes the values of one render, counts what they cost and how deep they nest.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/tokenizers/jinja_value.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

inline void require_text_size(std::size_t bytes) {
  if (bytes > max_text) fail("a string of the template is too long");
}
inline void require_list_size(std::size_t items) {
  if (items > max_items) fail("a list of the template is too long");
}

// Makes values and counts what they cost.
class heap {
 public:
  void step(std::uint64_t n = 1) { meter_.step(n); }
  // Work on text that makes no new text.
  void read(std::size_t bytes) { meter_.read(bytes); }
  void read(const value& v) {
    if (v.is_string()) meter_.read(v.text().size());
  }
  jinja::meter& meter() { return meter_; }

  value str(std::string text, bool safe = false) {
    require_text_size(text.size());
    return {kind::string, new string_object(meter_, std::move(text), safe)};
  }
  value str(std::string_view text) { return str(std::string(text)); }
  value str(const char* text) { return str(std::string(text)); }
  value list(values items) { return sequence(kind::list, std::move(items)); }
  value tuple(values items) { return sequence(kind::tuple, std::move(items)); }
  value pair(value a, value b) {
    values items;
    items.reserve(2);
    items.push_back(std::move(a)), items.push_back(std::move(b));
    return tuple(std::move(items));
  }
  value new_dict() { return {kind::dict, new dict_object(meter_)}; }
  void put(const value& dict, value key, value v) {
    if (!hashable(meter_, key)) fail("unhashable type: '" + std::string(type_name(key)) + "'");
    nest(dict.as<dict_object>(), key);
    nest(dict.as<dict_object>(), v);
    dict.as<dict_object>().set(std::move(key), std::move(v));
  }
  value view(const value& dict, view_kind what) {
    auto* o = new view_object(meter_, dict, what);
    value v(kind::view, o);
    return nest(*o, dict), v;
  }
  value iterator(puller pull, const value& source, const char* name = "generator") {
    auto* o = new iterator_object(meter_, std::move(pull), name);
    value v(kind::iterator, o);
    return nest(*o, source), v;
  }
  value method(const value& self, std::string_view name) {
    auto* o = new method_object(meter_, self, name);
    value v(kind::method, o);
    return nest(*o, self), v;
  }
  template <class T, class... Args>
  value make(kind k, Args&&... args) {
    return {k, new T(meter_, std::forward<Args>(args)...)};
  }

  static const char* type_name(const value& v) {
    static constexpr const char* names[] = {
        "Undefined", "NoneType", "bool",     "int",       "float",     "str",       "list",
        "tuple",     "dict",     "range",    "dict view", "generator", "Namespace", "LoopContext",
        "Macro",     "method",   "function", "Cycler",    "Joiner"};
    return names[static_cast<int>(v.type())];
  }

  // Containers deeper than the limit are refused, so that no walk over values can overflow.
  static void nest(object& outer, const value& inner) {
    if (!inner.is_object()) return;
    if (inner.get()->depth + 1 > max_nesting) fail("values nest too deep");
    outer.depth = std::max<std::uint16_t>(outer.depth, inner.get()->depth + 1);
  }

 private:
  value sequence(kind k, values items) {
    require_list_size(items.size());
    auto* o = new list_object(meter_, std::move(items));
    value v(k, o);
    for (const value& item : o->items) nest(*o, item);
    return v;
  }
  jinja::meter meter_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
