// SPDX-License-Identifier: Apache-2.0
// Python's operators on template values: truth, equality, order, membership, arithmetic, iteration.
#pragma once

#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/tokenizers/jinja_ast.hpp"
#include "parlance/tokenizers/jinja_format.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

[[noreturn]] inline void fail_undefined(const value& v) {
  const value::origin from = v.from();
  if (from.name == nullptr && from.owner == nullptr) fail("an undefined value is used");
  if (from.name == nullptr) fail(from.owner);
  if (from.owner == nullptr) fail("'" + *from.name + "' is undefined");
  fail("'" + std::string(from.owner) + " object' has no attribute '" + *from.name + "'");
}

[[noreturn]] inline void fail_operands(const char* op, const value& a, const value& b) {
  for (const value* v : {&a, &b})
    if (v->is_undefined()) fail_undefined(*v);
  fail(std::string("unsupported operand types for ") + op + ": '" + heap::type_name(a) + "' and '" +
       heap::type_name(b) + "'");
}

inline bool truth(const value& v) {
  switch (v.type()) {
    case kind::undefined:
    case kind::none:
      return false;
    case kind::boolean:
      return v.boolean();
    case kind::integer:
      return v.as_integer() != 0;
    case kind::real:
      return v.as_real() != 0;
    case kind::string:
      return !v.text().empty();
    case kind::list:
    case kind::tuple:
      return !v.items().empty();
    case kind::dict:
      return !v.dict().items.empty();
    case kind::range:
      return v.as<range_object>().size() > 0;
    case kind::view:
      return !v.as<view_object>().dict.dict().items.empty();
    default:
      return true;
  }
}

// Walks over anything that Python can iterate.
class cursor {
 public:
  cursor(heap& h, value source) : heap_(&h), source_(std::move(source)) {
    const kind k = source_.type();
    if (k != kind::undefined && (k < kind::string || k > kind::iterator)) fail_iteration();
  }
  // What a generator walks over: a value that cannot be iterated fails only when it is wanted.
  static cursor lazy(heap& h, value source) {
    cursor c(h, value());
    c.source_ = std::move(source);
    return c;
  }

  bool next(value& out) {
    heap_->step();
    switch (source_.type()) {
      case kind::string:
        return next_character(out);
      case kind::list:
      case kind::tuple:
        if (at_ >= source_.items().size()) return false;
        return out = source_.items()[at_++], true;
      case kind::dict:
        return next_item(source_.dict(), view_kind::keys, out);
      case kind::view: {
        const auto& view = source_.as<view_object>();
        return next_item(view.dict.dict(), view.what, out);
      }
      case kind::range: {
        const auto& range = source_.as<range_object>();
        if (static_cast<std::int64_t>(at_) >= range.size()) return false;
        return out = range.at(static_cast<std::int64_t>(at_++)), true;
      }
      case kind::iterator:
        return source_.as<iterator_object>().pull(out);
      case kind::undefined:
        return false;
      default:
        fail_iteration();
    }
  }

 private:
  [[noreturn]] void fail_iteration() const {
    fail(std::string("'") + heap::type_name(source_) + "' object is not iterable");
  }
  bool next_character(value& out) {
    const std::string& text = source_.text();
    if (at_ >= text.size()) return false;
    const std::size_t length = utf8_decode(text, at_).length;
    out = heap_->str(text.substr(at_, length));
    at_ += length;
    return true;
  }
  bool next_item(const dict_object& dict, view_kind what, value& out) {
    if (at_ >= dict.items.size()) return false;
    const auto& [key, v] = dict.items[at_++];
    out = what == view_kind::keys ? key : what == view_kind::values ? v : heap_->pair(key, v);
    return true;
  }

  heap* heap_;
  value source_;
  std::size_t at_ = 0;
};

inline values collect(heap& h, const value& source) {
  values out;
  cursor c(h, source);
  for (value item; c.next(item);) {
    require_list_size(out.size() + 1);
    out.push_back(std::move(item));
  }
  return out;
}

// len(); -1 when the value has none.
inline std::int64_t length_of(const value& v) {
  switch (v.type()) {
    case kind::undefined:
      return 0;
    case kind::string:
      return static_cast<std::int64_t>(utf8_length(v.text()));
    case kind::list:
    case kind::tuple:
      return static_cast<std::int64_t>(v.items().size());
    case kind::dict:
      return static_cast<std::int64_t>(v.dict().items.size());
    case kind::range:
      return v.as<range_object>().size();
    case kind::view:
      return static_cast<std::int64_t>(v.as<view_object>().dict.dict().items.size());
    default:
      return -1;
  }
}

inline bool equal(heap& h, const value& a, const value& b);

inline bool equal_ranges(const range_object& a, const range_object& b) {
  const std::int64_t n = a.size();
  return n == b.size() && (n == 0 || (a.start == b.start && (n == 1 || a.step == b.step)));
}

inline bool equal_views(heap& h, const view_object& a, const view_object& b) {
  if (&a == &b) return true;
  if (a.what == view_kind::values || a.what != b.what) return false;
  const auto& left = a.dict.dict();
  const auto& right = b.dict.dict();
  if (left.items.size() != right.items.size()) return false;
  for (const auto& [key, v] : left.items) {
    const value* other = right.find(key);
    if (other == nullptr || (a.what == view_kind::items && !equal(h, v, *other))) return false;
  }
  return true;
}

inline bool equal(heap& h, const value& a, const value& b) {
  h.step();
  if (a.is_number() && b.is_number()) return same_key(h.meter(), a, b);
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case kind::undefined:
    case kind::none:
      return true;
    case kind::string:
      if (a.text().size() == b.text().size()) h.read(a);
      return a.text() == b.text();
    case kind::list:
    case kind::tuple: {
      if (a.items().size() != b.items().size()) return false;
      for (std::size_t i = 0; i < a.items().size(); ++i)
        if (!equal(h, a.items()[i], b.items()[i])) return false;
      return true;
    }
    case kind::dict: {
      if (a.dict().items.size() != b.dict().items.size()) return false;
      for (const auto& [key, v] : a.dict().items) {
        const value* other = b.dict().find(key);
        if (other == nullptr || !equal(h, v, *other)) return false;
      }
      return true;
    }
    case kind::range:
      return equal_ranges(a.as<range_object>(), b.as<range_object>());
    case kind::view:
      return equal_views(h, a.as<view_object>(), b.as<view_object>());
    case kind::method: {
      const auto& left = a.as<method_object>();
      const auto& right = b.as<method_object>();
      return left.name == right.name && left.self.is_object() && right.self.is_object() &&
             left.self.get() == right.self.get();
    }
    case kind::function:
      return a.as<function_object>().which == b.as<function_object>().which;
    default:
      return a.get() == b.get();
  }
}

// -1, 0 or 1; 2 when the values are not ordered (NaN). Fails where Python's < does.
inline int order(heap& h, const value& a, const value& b) {
  h.step();
  if (a.is_integral() && b.is_integral())
    return a.as_integer() < b.as_integer() ? -1 : a.as_integer() > b.as_integer();
  if (a.is_number() && b.is_number()) {
    const double x = a.as_real(), y = b.as_real();
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
  }
  if (a.is_string() && b.is_string()) {
    h.read(std::min(a.text().size(), b.text().size()));
    const int c = a.text().compare(b.text());  // UTF-8 sorts as code points do
    return c < 0 ? -1 : c > 0;
  }
  if (a.type() != b.type() || !a.is_sequence()) fail_operands("<", a, b);
  const values &x = a.items(), &y = b.items();
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i)
    if (!equal(h, x[i], y[i])) return order(h, x[i], y[i]);
  return x.size() < y.size() ? -1 : x.size() > y.size();
}

inline bool less(heap& h, const value& a, const value& b) { return order(h, a, b) == -1; }

inline bool contains(heap& h, const value& item, const value& where) {
  switch (where.type()) {
    case kind::string:
      if (!item.is_string())
        fail(std::string("'in <string>' requires string as left operand, not ") +
             heap::type_name(item));
      h.read(where);
      return where.text().find(item.text()) != std::string::npos;
    case kind::dict:
      if (!hashable(h.meter(), item))
        fail(std::string("unhashable type: '") + heap::type_name(item) + "'");
      return where.dict().find(item) != nullptr;
    case kind::range:
      if (item.is_integral()) {
        const auto& r = where.as<range_object>();
        const integer offset = item.as_integer() - r.start;
        return offset % r.step == 0 && offset / r.step >= 0 && offset / r.step < r.size();
      }
      [[fallthrough]];
    default: {
      cursor c(h, where);
      for (value v; c.next(v);)
        if (equal(h, v, item)) return true;
      return false;
    }
  }
}

inline bool compare(heap& h, op_type op, const value& a, const value& b) {
  switch (op) {
    case op_type::eq:
      return equal(h, a, b);
    case op_type::ne:
      return !equal(h, a, b);
    case op_type::in:
      return contains(h, a, b);
    case op_type::not_in:
      return !contains(h, a, b);
    default:
      break;
  }
  const int c = order(h, a, b);
  if (c == 2) return false;
  switch (op) {
    case op_type::lt:
      return c < 0;
    case op_type::le:
      return c <= 0;
    case op_type::gt:
      return c > 0;
    default:
      return c >= 0;
  }
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
