// SPDX-License-Identifier: Apache-2.0
// The filters of Jinja2 3.1.6 that take a whole sequence: join, sort, groupby, sums and the like.
// Those that are generators in Python are in jinja_lazy_filters.hpp.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/tokenizers/jinja_filters.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

namespace filters {

inline value length(heap&, args a) {
  const bound b(a, "length", {""}, 1);
  const std::int64_t n = length_of(b[0]);
  if (n < 0) fail(std::string("object of type '") + heap::type_name(b[0]) + "' has no len()");
  return n;
}

// Looks up "a.0.b" in an item, as make_attrgetter of Jinja2.
class attribute_path {
 public:
  attribute_path(heap& h, const value& path) : heap_(&h) {
    if (path.is_none()) return;
    if (!path.is_string()) {
      parts_.push_back(path);
      return;
    }
    for (const std::string_view part : split_text(path.text(), ".", -1)) {
      const std::u32string points = code_points(part);
      const bool number = !part.empty() && std::all_of(points.begin(), points.end(), is_digit);
      integer i = 0;
      if (number && !parse_integer(part, 10, i)) fail("invalid attribute number");
      parts_.push_back(number ? value(i) : h.str(part));
    }
  }
  value operator()(value item, const value* missing = nullptr) const {
    for (const value& part : parts_) {
      item = get_item(*heap_, item, part);
      if (missing != nullptr && !missing->is_none() && item.is_undefined()) item = *missing;
    }
    return item;
  }

 private:
  heap* heap_;
  values parts_;
};

inline value fold_case(heap& h, const value& v, bool case_sensitive) {
  return case_sensitive || !v.is_string() ? v : h.str(to_lower(v.text()), v.safe());
}

inline value first(heap& h, args a) {
  cursor c(h, bound(a, "first", {"seq"}, 1)[0]);
  value item;
  if (c.next(item)) return item;
  return value(value::origin{nullptr, "no first item, the sequence was empty"});
}

// The items of what reversed() accepts.
inline bool reversible(const value& v) { return length_of(v) >= 0; }

inline value last(heap& h, args a) {
  const bound b(a, "last", {"seq"}, 1);
  if (!reversible(b[0])) fail("the value cannot be reversed");
  if (b[0].is_sequence() && !b[0].items().empty()) return b[0].items().back();
  values items = collect(h, b[0]);
  if (!items.empty()) return items.back();
  return value(value::origin{nullptr, "no last item, the sequence was empty"});
}

inline value list(heap& h, args a) { return h.list(collect(h, bound(a, "list", {"value"}, 1)[0])); }

// An iterator over items that already exist.
inline value over(heap& h, values items, const value& source, const char* name = "generator") {
  auto shared = std::make_shared<values>(std::move(items));
  return h.iterator(
      [shared, at = std::size_t{0}](value& out) mutable {
        if (at >= shared->size()) return false;
        return out = (*shared)[at++], true;
      },
      source, name);
}

inline value reverse(heap& h, args a) {
  const bound b(a, "reverse", {"value"}, 1);
  if (b[0].is_string()) return slice_text(h, b[0], value::none(), value::none(), -1);
  values items = collect(h, b[0]);
  std::reverse(items.begin(), items.end());
  return reversible(b[0]) ? over(h, std::move(items), b[0], "reverseiterator")
                          : h.list(std::move(items));
}

inline value join(heap& h, args a) {
  const bound b(a, "join", {"value", "d", "attribute"}, 1);
  const std::string separator = b.has(1) ? to_text(h, b[1]) : std::string();
  const attribute_path path(h, b.get(2, value::none()));
  std::string out;
  cursor c(h, b[0]);
  bool begun = false;
  for (value item; c.next(item); begun = true) {
    if (begun) out += separator;
    out += text_of(h, path(item));
    require_text_size(out.size());
  }
  return h.str(std::move(out));
}

inline value sum(heap& h, args a) {
  const bound b(a, "sum", {"iterable", "attribute", "start"}, 1);
  const attribute_path path(h, b.get(1, value::none()));
  value total = b.get(2, 0);
  if (total.is_string()) fail("sum() can't sum strings");
  cursor c(h, b[0]);
  for (value item; c.next(item);) total = binary(h, op_type::add, total, path(item));
  return total;
}

inline value extreme(heap& h, args a, bool want_less) {
  const bound b(a, "min or max", {"value", "case_sensitive", "attribute"}, 1);
  const attribute_path path(h, b.get(2, value::none()));
  cursor c(h, b[0]);
  value best;
  if (!c.next(best)) return value(value::origin{nullptr, "no aggregated item, sequence was empty"});
  value best_key = fold_case(h, path(best), b.flag(1));
  for (value item; c.next(item);) {
    value key = fold_case(h, path(item), b.flag(1));
    if (!(want_less ? less(h, key, best_key) : less(h, best_key, key))) continue;
    best = std::move(item), best_key = std::move(key);
  }
  return best;
}
inline value min(heap& h, args a) { return extreme(h, a, true); }
inline value max(heap& h, args a) { return extreme(h, a, false); }

// Stable, also when reversed. `keys[i]` belongs to `items[i]`.
inline values sort_by(heap& h, const values& items, const values& keys, bool reverse) {
  std::vector<std::size_t> at(items.size());
  for (std::size_t i = 0; i < at.size(); ++i) at[i] = i;
  std::stable_sort(at.begin(), at.end(), [&](std::size_t x, std::size_t y) {
    return reverse ? less(h, keys[y], keys[x]) : less(h, keys[x], keys[y]);
  });
  values out;
  out.reserve(at.size());
  for (const std::size_t i : at) out.push_back(items[i]);
  return out;
}

inline value sort(heap& h, args a) {
  const bound b(a, "sort", {"value", "reverse", "case_sensitive", "attribute"}, 1);
  std::vector<attribute_path> paths;
  const value attribute = b.get(3, value::none());
  if (attribute.is_string()) {
    for (const std::string_view part : split_text(attribute.text(), ",", -1))
      paths.emplace_back(h, h.str(part));
  } else {
    paths.emplace_back(h, attribute);
  }
  const values items = collect(h, b[0]);
  values keys;
  for (const value& item : items) {
    values key;
    for (const attribute_path& path : paths) key.push_back(fold_case(h, path(item), b.flag(2)));
    keys.push_back(h.list(std::move(key)));
  }
  return h.list(sort_by(h, items, keys, b.flag(1)));
}

inline value dictsort(heap& h, args a) {
  const bound b(a, "dictsort", {"value", "case_sensitive", "by", "reverse"}, 1);
  const std::string_view by = b.has(2) ? b.text(2) : "key";
  if (by != "key" && by != "value") fail("you can only sort by either \"key\" or \"value\"");
  if (b[0].is_undefined()) fail_undefined(b[0]);
  if (!b[0].is_dict()) fail("dictsort needs a dict");
  const values items = collect(h, h.view(b[0], view_kind::items));
  values keys;
  for (const value& item : items)
    keys.push_back(fold_case(h, item.items()[by == "value"], b.flag(1)));
  return h.list(sort_by(h, items, keys, b.flag(3)));
}

// A group is a tuple with names.
struct group_object : list_object {
  using list_object::list_object;
  bool attribute(heap&, std::string_view name, value& out) override {
    if (name != "grouper" && name != "list") return false;
    return out = items[name == "list"], true;
  }
};

inline value group(heap& h, value key, values members) {
  value list = h.list(std::move(members));
  values pair{std::move(key), std::move(list)};
  auto* o = new group_object(h.meter(), pair);
  value v(kind::tuple, o);
  for (const value& item : o->items) heap::nest(*o, item);
  return v;
}

inline value groupby(heap& h, args a) {
  const bound b(a, "groupby", {"value", "attribute", "default", "case_sensitive"}, 2);
  const attribute_path path(h, b[1]);
  const value* missing = b.has(2) ? &b[2] : nullptr;
  const values items = collect(h, b[0]);
  const auto key_of = [&](const value& item) {
    return fold_case(h, path(item, missing), b.flag(3));
  };
  values keys;
  for (const value& item : items) keys.push_back(key_of(item));
  const values sorted = sort_by(h, items, keys, false);
  values groups;
  for (std::size_t i = 0; i < sorted.size();) {
    const value key = key_of(sorted[i]);
    std::size_t end = i + 1;
    while (end < sorted.size() && equal(h, key, key_of(sorted[end]))) ++end;
    groups.push_back(group(h, path(sorted[i], missing),
                           values(sorted.begin() + static_cast<std::ptrdiff_t>(i),
                                  sorted.begin() + static_cast<std::ptrdiff_t>(end))));
    i = end;
  }
  return h.list(std::move(groups));
}

}  // namespace filters

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
