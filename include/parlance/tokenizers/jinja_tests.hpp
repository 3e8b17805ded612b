// SPDX-License-Identifier: Apache-2.0
// The tests of Jinja2 3.1.6 (`x is defined`), by name.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "parlance/tokenizers/jinja_access.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

// The value tested is the first positional argument.
struct test_entry {
  std::string_view name;
  bool (*run)(heap&, const call_values&);
};

inline const test_entry* find_test(std::string_view name);
bool is_filter_name(std::string_view name);  // in jinja_lazy_filters.hpp

namespace tests {

using args = const call_values&;

inline const value& only(args a) {
  if (a.positional.size() != 1 || !a.named.empty()) fail("a test has too many arguments");
  return a.positional[0];
}
template <kind K>
bool has_kind(heap&, args a) {
  return only(a).is(K);
}

inline bool divides(heap& h, args a, const value& by, int rest) {
  return equal(h, binary(h, op_type::mod, a.positional[0], by), rest);
}
inline bool odd(heap& h, args a) { return only(a), divides(h, a, 2, 1); }
inline bool even(heap& h, args a) { return only(a), divides(h, a, 2, 0); }
inline bool divisible_by(heap& h, args a) {
  const bound b(a, "divisibleby", {"", "num"}, 2);
  return divides(h, a, b[1], 0);
}
inline bool defined(heap&, args a) { return !only(a).is_undefined(); }
inline bool is_true(heap&, args a) { return only(a).is(kind::boolean) && only(a).boolean(); }
inline bool is_false(heap&, args a) { return only(a).is(kind::boolean) && !only(a).boolean(); }
inline bool number(heap&, args a) { return only(a).is_number(); }
inline bool is_lower(heap& h, args a) { return methods::only_case(text_of(h, only(a)), false); }
inline bool is_upper(heap& h, args a) { return methods::only_case(text_of(h, only(a)), true); }
// Undefined has a length and (failing) items.
inline bool sequence(heap&, args a) {
  const value& v = only(a);
  return v.is_undefined() || v.is_sequence() || v.is_string() || v.is_dict() || v.is(kind::range);
}
inline bool iterable(heap& h, args a) {
  const value& v = only(a);
  return sequence(h, a) || v.is(kind::view) || v.is(kind::iterator) || v.is(kind::loop);
}
inline bool callable(heap&, args a) {
  const kind k = only(a).type();
  return k == kind::undefined || k == kind::macro || k == kind::method || k == kind::function ||
         k == kind::joiner || k == kind::loop;
}
inline bool escaped(heap&, args a) { return only(a).is_string() && only(a).safe(); }
inline bool same_as(heap& h, args a) {
  const bound b(a, "sameas", {"", "other"}, 2);
  if (b[0].type() != b[1].type()) return false;
  if (b[0].is_object())
    return b[0].get() == b[1].get() || (b[0].is_string() && b[0].text() == b[1].text());
  return b[0].is_undefined() || b[0].is_none() || same_key(h.meter(), b[0], b[1]);
}
inline bool is_in(heap& h, args a) {
  const bound b(a, "in", {"", "seq"}, 2);
  return contains(h, b[0], b[1]);
}
inline const value& a_name(heap& h, args a) {
  if (!hashable(h.meter(), only(a))) fail("unhashable type");
  return a.positional[0];
}
inline bool is_filter(heap& h, args a) {
  return a_name(h, a).is_string() && is_filter_name(only(a).text());
}
inline bool is_test(heap& h, args a) {
  return a_name(h, a).is_string() && find_test(only(a).text()) != nullptr;
}
template <op_type Op>
bool comparison(heap& h, args a) {
  const bound b(a, "comparison", {"", ""}, 2);
  return compare(h, Op, b[0], b[1]);
}

inline constexpr test_entry table[] = {
    {"!=", comparison<op_type::ne>},
    {"<", comparison<op_type::lt>},
    {"<=", comparison<op_type::le>},
    {"==", comparison<op_type::eq>},
    {">", comparison<op_type::gt>},
    {">=", comparison<op_type::ge>},
    {"boolean", has_kind<kind::boolean>},
    {"callable", callable},
    {"defined", defined},
    {"divisibleby", divisible_by},
    {"eq", comparison<op_type::eq>},
    {"equalto", comparison<op_type::eq>},
    {"escaped", escaped},
    {"even", even},
    {"false", is_false},
    {"filter", is_filter},
    {"float", has_kind<kind::real>},
    {"ge", comparison<op_type::ge>},
    {"greaterthan", comparison<op_type::gt>},
    {"gt", comparison<op_type::gt>},
    {"in", is_in},
    {"integer", has_kind<kind::integer>},
    {"iterable", iterable},
    {"le", comparison<op_type::le>},
    {"lessthan", comparison<op_type::lt>},
    {"lower", is_lower},
    {"lt", comparison<op_type::lt>},
    {"mapping", has_kind<kind::dict>},
    {"ne", comparison<op_type::ne>},
    {"none", has_kind<kind::none>},
    {"number", number},
    {"odd", odd},
    {"sameas", same_as},
    {"sequence", sequence},
    {"string", has_kind<kind::string>},
    {"test", is_test},
    {"true", is_true},
    {"undefined", has_kind<kind::undefined>},
    {"upper", is_upper},
};

}  // namespace tests

inline const test_entry* find_test(std::string_view name) {
  const auto* at = std::lower_bound(
      std::begin(tests::table), std::end(tests::table), name,
      [](const test_entry& e, std::string_view wanted) { return e.name < wanted; });
  return at != std::end(tests::table) && at->name == name ? at : nullptr;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
