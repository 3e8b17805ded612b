// SPDX-License-Identifier: Apache-2.0
// The filters of Jinja2 3.1.6 that are generators in Python, lazy here too: errors of items that
// nobody asks for do not happen. And the table of all filters.
#pragma once

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/tokenizers/jinja_sequence_filters.hpp"
#include "parlance/tokenizers/jinja_tests.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

struct filter_entry {
  std::string_view name;
  value (*run)(heap&, const call_values&);
};

inline const filter_entry* find_filter(std::string_view name);

namespace filters {

inline value unique(heap& h, args a) {
  const bound b(a, "unique", {"value", "case_sensitive", "attribute"}, 1);
  struct state {
    cursor from;
    attribute_path path;
    value seen;
  };
  auto s = std::make_shared<state>(
      state{cursor::lazy(h, b[0]), attribute_path(h, b.get(2, value::none())), h.new_dict()});
  return h.iterator(
      [&h, s, sensitive = b.flag(1)](value& out) {
        while (s->from.next(out)) {
          value key = fold_case(h, s->path(out), sensitive);
          if (hashable(h.meter(), key) && s->seen.dict().find(key) != nullptr) continue;
          h.put(s->seen, std::move(key), true);
          return true;
        }
        return false;
      },
      b[0]);
}

inline value items(heap& h, args a) {
  const bound b(a, "items", {"value"}, 1);
  if (b[0].is_undefined()) return over(h, {}, b[0]);
  auto c = std::make_shared<std::unique_ptr<cursor>>();
  return h.iterator(
      [&h, c, source = b[0]](value& out) {
        if (!source.is_dict()) fail("can only get item pairs from a mapping");
        if (!*c) *c = std::make_unique<cursor>(h, h.view(source, view_kind::items));
        return (*c)->next(out);
      },
      b[0]);
}

// A lazy filter also keeps its other arguments.
inline value keep(value iterator, args a) {
  for (const value& v : a.positional) heap::nest(*iterator.get(), v);
  for (const auto& [_, v] : a.named) heap::nest(*iterator.get(), v);
  return iterator;
}

inline value batch(heap& h, args a) {
  const bound b(a, "batch", {"value", "linecount", "fill_with"}, 2);
  auto from = std::make_shared<cursor>(cursor::lazy(h, b[0]));
  const std::int64_t size = b[1].is_integral() ? bound::as_index(b[1]) : -1;
  auto kept = std::make_shared<values>();
  value lazy = h.iterator(
      [&h, from, size, kept, fill = b.get(2, value::none())](value& out) {
        values batch = std::move(*kept);
        kept->clear();
        for (value item; from->next(item);) {
          if (static_cast<std::int64_t>(batch.size()) == size) {
            kept->push_back(std::move(item));
            return out = h.list(std::move(batch)), true;
          }
          batch.push_back(std::move(item));
        }
        if (batch.empty()) return false;
        if (!fill.is_none() && size > 0) {
          require_list_size(static_cast<std::size_t>(size));
          while (static_cast<std::int64_t>(batch.size()) < size) batch.push_back(fill);
        }
        return out = h.list(std::move(batch)), true;
      },
      b[0]);
  return keep(std::move(lazy), a);
}

inline values columns(heap& h, const value& source, const value& number, const value& fill) {
  const values all = collect(h, source);
  const std::int64_t slices = bound::as_index(number);
  if (slices == 0) fail("division by zero");
  const auto size = static_cast<std::int64_t>(all.size());
  require_list_size(static_cast<std::size_t>(std::max<std::int64_t>(slices, 0)));
  values out;
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < slices; ++i) {
    const std::int64_t count = size / slices + (i < size % slices);
    values part(all.begin() + at, all.begin() + at + count);
    at += count;
    if (!fill.is_none() && i >= size % slices) part.push_back(fill);
    out.push_back(h.list(std::move(part)));
  }
  return out;
}

inline value slice_columns(heap& h, args a) {
  const bound b(a, "slice", {"value", "slices", "fill_with"}, 2);
  struct state {
    bool made = false;
    values items;
    std::size_t at = 0;
  };
  value lazy = h.iterator(
      [&h, s = std::make_shared<state>(), source = b[0], number = b[1],
       fill = b.get(2, value::none())](value& out) {
        if (!s->made) s->items = columns(h, source, number, fill);
        s->made = true;
        if (s->at >= s->items.size()) return false;
        return out = s->items[s->at++], true;
      },
      b[0]);
  return keep(std::move(lazy), a);
}

// The arguments after the first `skip`, with `item` before them.
inline call_values passed_on(const call_values& a, std::size_t skip, const value& item) {
  call_values out;
  out.positional.push_back(item);
  for (std::size_t i = skip; i < a.positional.size(); ++i)
    out.positional.push_back(a.positional[i]);
  out.named = a.named;
  return out;
}

inline value map_attribute(heap& h, args a, const value& path) {
  for (const auto& [key, _] : a.named)
    if (key != "attribute" && key != "default") fail("unexpected keyword argument of map");
  struct state {
    cursor from;
    attribute_path path;
    value missing;
  };
  const value* missing = a.find("default");
  auto s = std::make_shared<state>(state{cursor::lazy(h, a.positional[0]), attribute_path(h, path),
                                         missing != nullptr ? *missing : value::none()});
  value lazy = h.iterator(
      [s](value& out) {
        if (!s->from.next(out)) return false;
        return out = s->path(out, &s->missing), true;
      },
      a.positional[0]);
  return keep(std::move(lazy), a);
}

inline value map(heap& h, args a) {
  if (!truth(a.positional[0])) return over(h, {}, a.positional[0]);
  if (const value* path = a.find("attribute"); path != nullptr && a.positional.size() == 1)
    return map_attribute(h, a, *path);
  auto from = std::make_shared<cursor>(cursor::lazy(h, a.positional[0]));
  value lazy = h.iterator(
      [&h, from, a](value& out) {
        if (a.positional.size() < 2) fail("map requires a filter argument");
        const value& name = a.positional[1];
        if (!from->next(out)) return false;
        const filter_entry* filter = name.is_string() ? find_filter(name.text()) : nullptr;
        if (filter == nullptr) fail("map names a filter that does not exist");
        h.read(out);
        return out = filter->run(h, passed_on(a, 2, out)), true;
      },
      a.positional[0]);
  return keep(std::move(lazy), a);
}

inline value choose(heap& h, args a, bool want, bool by_attribute) {
  if (!truth(a.positional[0])) return over(h, {}, a.positional[0]);
  auto from = std::make_shared<cursor>(cursor::lazy(h, a.positional[0]));
  const std::size_t at = by_attribute ? 2 : 1;  // where the name of the test is
  value lazy = h.iterator(
      [&h, from, a, want, at](value& out) {
        if (a.positional.size() < at) fail("missing parameter for attribute name");
        const attribute_path path(h, at == 2 ? a.positional[1] : value::none());
        const test_entry* test = nullptr;
        while (from->next(out)) {
          const value subject = path(out);
          h.read(subject);
          if (a.positional.size() > at && test == nullptr) {
            const value& name = a.positional[at];
            test = name.is_string() ? find_test(name.text()) : nullptr;
            if (test == nullptr) fail("a filter names a test that does not exist");
          }
          const bool result =
              test != nullptr ? test->run(h, passed_on(a, at + 1, subject)) : truth(subject);
          if (result == want) return true;
        }
        return false;
      },
      a.positional[0]);
  return keep(std::move(lazy), a);
}
inline value select(heap& h, args a) { return choose(h, a, true, false); }
inline value reject(heap& h, args a) { return choose(h, a, false, false); }
inline value selectattr(heap& h, args a) { return choose(h, a, true, true); }
inline value rejectattr(heap& h, args a) { return choose(h, a, false, true); }

inline constexpr filter_entry table[] = {
    {"abs", absolute},
    {"attr", attr},
    {"batch", batch},
    {"capitalize", capitalize_text},
    {"center", center},
    {"count", length},
    {"d", default_value},
    {"default", default_value},
    {"dictsort", dictsort},
    {"e", escape},
    {"escape", escape},
    {"first", first},
    {"float", to_float},
    {"forceescape", force_escape},
    {"format", format},
    {"groupby", groupby},
    {"indent", indent},
    {"int", to_int},
    {"items", items},
    {"join", join},
    {"last", last},
    {"length", length},
    {"list", list},
    {"lower", lower},
    {"map", map},
    {"max", max},
    {"min", min},
    {"reject", reject},
    {"rejectattr", rejectattr},
    {"replace", replace},
    {"reverse", reverse},
    {"round", round},
    {"safe", safe},
    {"select", select},
    {"selectattr", selectattr},
    {"slice", slice_columns},
    {"sort", sort},
    {"string", string},
    {"sum", sum},
    {"title", title},
    {"tojson", tojson},
    {"trim", trim},
    {"truncate", truncate},
    {"unique", unique},
    {"upper", upper},
    {"wordcount", wordcount},
};

}  // namespace filters

inline const filter_entry* find_filter(std::string_view name) {
  const auto* at = std::lower_bound(
      std::begin(filters::table), std::end(filters::table), name,
      [](const filter_entry& e, std::string_view wanted) { return e.name < wanted; });
  return at != std::end(filters::table) && at->name == name ? at : nullptr;
}

inline bool is_filter_name(std::string_view name) { return find_filter(name) != nullptr; }
inline bool is_test_name(std::string_view name) { return find_test(name) != nullptr; }

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
