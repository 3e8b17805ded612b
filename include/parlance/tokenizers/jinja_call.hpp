// SPDX-License-Identifier: Apache-2.0
// Arguments of a call and how Python binds them to parameters.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/jinja_operators.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

struct call_values {
  values positional;
  std::vector<std::pair<std::string, value>> named;

  const value* find(std::string_view name) const {
    for (const auto& [key, v] : named)
      if (key == name) return &v;
    return nullptr;
  }
};

// Binds arguments to named parameters; a name "" takes positional arguments only.
class bound {
 public:
  bound(const call_values& call, const char* what, std::initializer_list<const char*> names,
        std::size_t required = 0) {
    if (call.positional.size() > names.size()) fail(std::string(what) + ": too many arguments");
    std::size_t used = 0, i = 0;
    for (const char* name : names) {
      const value* v = i < call.positional.size() ? &call.positional[i] : nullptr;
      if (*name != '\0') {
        if (const value* given = call.find(name)) {
          if (v != nullptr) fail(std::string(what) + ": multiple values for '" + name + "'");
          v = given;
          ++used;
        }
      }
      if (v == nullptr && i < required) fail(std::string(what) + ": an argument is missing");
      slots_[i++] = v;
    }
    if (used < call.named.size()) fail(std::string(what) + ": unexpected keyword argument");
  }

  bool has(std::size_t i) const { return slots_[i] != nullptr; }
  bool given(std::size_t i) const { return has(i) && !slots_[i]->is_none(); }
  const value& operator[](std::size_t i) const { return *slots_[i]; }
  value get(std::size_t i, value missing) const { return has(i) ? *slots_[i] : missing; }
  bool flag(std::size_t i, bool missing = false) const {
    return has(i) ? truth(*slots_[i]) : missing;
  }
  // An int, clamped to 64 bits.
  std::int64_t number(std::size_t i, std::int64_t missing) const {
    return has(i) ? as_index(*slots_[i]) : missing;
  }
  static std::int64_t as_index(const value& v) {
    if (v.is_undefined()) fail_undefined(v);
    if (!v.is_integral())
      fail(std::string("'") + heap::type_name(v) + "' object cannot be interpreted as an integer");
    constexpr integer far = integer{1} << 62;
    return static_cast<std::int64_t>(std::min(std::max(v.as_integer(), -far), far));
  }
  std::string_view text(std::size_t i) const {
    if (slots_[i]->is_undefined()) fail_undefined(*slots_[i]);
    if (!slots_[i]->is_string())
      fail(std::string("must be str, not ") + heap::type_name(*slots_[i]));
    return slots_[i]->text();
  }

 private:
  const value* slots_[8] = {};
};

// Defined in jinja_access.hpp, which needs the methods, which need these.
value get_attribute(heap& h, const value& object, const std::string& name, bool keep_name = false);
value get_item(heap& h, const value& object, const value& key);

struct method_entry {
  std::string_view name;
  // nullptr: the method exists in Python, but a sandboxed template may not have it.
  value (*run)(heap&, const value& self, const call_values&);
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
