// SPDX-License-Identifier: Apache-2.0
// The dot and the brackets of templates with the rules of Jinja2's sandbox: attributes first for
// the dot, items first for the brackets, undefined when there is neither.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "parlance/tokenizers/jinja_methods.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

inline constexpr method_entry string_methods[] = {
    {"capitalize", methods::capitalize_text},
    {"casefold", methods::lower},
    {"center", methods::center},
    {"count", methods::count},
    {"encode", methods::unsupported},
    {"endswith", methods::endswith},
    {"expandtabs", methods::expandtabs},
    {"find", methods::find},
    {"format", methods::format},
    {"format_map", methods::unsupported},
    {"index", methods::index},
    {"isalnum", methods::isalnum},
    {"isalpha", methods::isalpha},
    {"isascii", methods::isascii},
    {"isdecimal", methods::isdecimal},
    {"isdigit", methods::isdigit},
    {"isidentifier", methods::unsupported},
    {"islower", methods::islower},
    {"isnumeric", methods::isnumeric},
    {"isprintable", methods::isprintable},
    {"isspace", methods::isspace},
    {"istitle", methods::unsupported},
    {"isupper", methods::isupper},
    {"join", methods::join},
    {"ljust", methods::ljust},
    {"lower", methods::lower},
    {"lstrip", methods::lstrip},
    {"maketrans", methods::unsupported},
    {"partition", methods::partition},
    {"removeprefix", methods::removeprefix},
    {"removesuffix", methods::removesuffix},
    {"replace", methods::replace},
    {"rfind", methods::rfind},
    {"rindex", methods::rindex},
    {"rjust", methods::rjust},
    {"rpartition", methods::rpartition},
    {"rsplit", methods::rsplit},
    {"rstrip", methods::rstrip},
    {"split", methods::split},
    {"splitlines", methods::splitlines},
    {"startswith", methods::startswith},
    {"strip", methods::strip},
    {"swapcase", methods::swapcase},
    {"title", methods::title},
    {"translate", methods::unsupported},
    {"upper", methods::upper},
    {"zfill", methods::zfill},
};

inline constexpr method_entry dict_methods[] = {
    {"clear", nullptr},
    {"copy", methods::dict_copy},
    {"fromkeys", methods::unsupported},
    {"get", methods::dict_get},
    {"items", methods::dict_items},
    {"keys", methods::dict_keys},
    {"pop", nullptr},
    {"popitem", nullptr},
    {"setdefault", nullptr},
    {"update", nullptr},
    {"values", methods::dict_values},
};

inline constexpr method_entry list_methods[] = {
    {"append", nullptr},
    {"clear", nullptr},
    {"copy", methods::list_copy},
    {"count", methods::list_count},
    {"extend", nullptr},
    {"index", methods::list_index},
    {"insert", nullptr},
    {"pop", nullptr},
    {"remove", nullptr},
    {"reverse", nullptr},
    {"sort", nullptr},
};

inline constexpr method_entry tuple_methods[] = {
    {"count", methods::list_count},
    {"index", methods::list_index},
};

inline const method_entry* find_method(kind type, std::string_view name) {
  const auto search = [&](const auto& table) -> const method_entry* {
    const auto* at = std::lower_bound(
        std::begin(table), std::end(table), name,
        [](const method_entry& entry, std::string_view wanted) { return entry.name < wanted; });
    return at != std::end(table) && at->name == name ? at : nullptr;
  };
  switch (type) {
    case kind::string:
      return search(string_methods);
    case kind::dict:
      return search(dict_methods);
    case kind::list:
      return search(list_methods);
    case kind::tuple:
      return search(tuple_methods);
    default:
      return nullptr;
  }
}

// An attribute proper, without the fall back to items.
inline bool own_attribute(heap& h, const value& object, std::string_view name, value& out) {
  if (const method_entry* m = find_method(object.type(), name)) {
    static constexpr const char* refused = "a template may not change a list or a dict";
    out = m->run != nullptr ? h.method(object, m->name) : value(value::origin{nullptr, refused});
    return true;
  }
  switch (object.type()) {
    case kind::name_space: {
      const value* v = object.as<namespace_object>().find(name);
      if (v != nullptr) out = *v;
      return v != nullptr;
    }
    case kind::range: {
      const auto& r = object.as<range_object>();
      if (name != "start" && name != "stop" && name != "step") return false;
      out = name == "start" ? r.start : name == "stop" ? r.stop : r.step;
      return true;
    }
    case kind::boolean:
    case kind::integer:
      if (name != "real" && name != "numerator" && name != "imag" && name != "denominator")
        return false;
      out = name == "imag" ? integer{0} : name == "denominator" ? integer{1} : object.as_integer();
      return true;
    case kind::real:
      if (name != "real" && name != "imag") return false;
      out = name == "imag" ? 0.0 : object.as_real();
      return true;
    default:
      return object.is_object() && object.get()->attribute(h, name, out);
  }
}

inline const value* find_item(const value& object, const value& key, value& made, heap& h) {
  if (object.is_dict()) return hashable(h.meter(), key) ? object.dict().find(key) : nullptr;
  if (!key.is_integral()) return nullptr;
  const std::int64_t length = length_of(object);
  integer i = key.as_integer();
  if (i < 0) i += length;
  if (i < 0 || i >= length) return nullptr;
  const auto at = static_cast<std::size_t>(i);
  switch (object.type()) {
    case kind::list:
    case kind::tuple:
      return &object.items()[at];
    case kind::range:
      return made = object.as<range_object>().at(static_cast<std::int64_t>(i)), &made;
    case kind::string: {
      const std::string& text = object.text();
      const std::size_t from = byte_offset(text, at);
      h.read(from);
      made = h.str(text.substr(from, utf8_decode(text, from).length), object.safe());
      return &made;
    }
    default:
      return nullptr;
  }
}

// object.name. The undefined result remembers the name when it outlives the render's values
// (`keep_name`: it is one of the template's own).
inline value get_attribute(heap& h, const value& object, const std::string& name, bool keep_name) {
  if (object.is_undefined()) {
    if (name == "__class__") return value(value::origin{nullptr, "this attribute is unsafe"});
    fail_undefined(object);
  }
  value out;
  if (own_attribute(h, object, name, out)) return out;
  if (object.is_dict())
    if (const value* v = object.dict().find(name)) return *v;
  if (keep_name) return value(value::origin{&name, heap::type_name(object)});
  return value(value::origin{nullptr, "an attribute that does not exist is used"});
}

// object[key].
inline value get_item(heap& h, const value& object, const value& key) {
  if (object.is_undefined()) fail_undefined(object);
  value out;
  if (const value* v = find_item(object, key, out, h)) return *v;
  if (key.is_string() && own_attribute(h, object, key.text(), out)) return out;
  return value(value::origin{nullptr, "an item that does not exist is used"});
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
