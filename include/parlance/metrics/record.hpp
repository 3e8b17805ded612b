// SPDX-License-Identifier: Apache-2.0
// What a metric found, as named fields in the original's order, so that any metric can be printed,
// combined and saved. Each metric also has a result struct; `fields()` of it makes a record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct field;
using record = std::vector<field>;

struct value : std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>,
                            std::vector<double>, std::vector<std::string>, record,
                            std::vector<std::vector<double>>> {
  using variant::variant;
  bool is_number() const { return index() <= 1; }
  // The number, or not-a-number for anything else.
  double number() const {
    if (const auto* whole = std::get_if<std::int64_t>(this)) return static_cast<double>(*whole);
    const auto* real = std::get_if<double>(this);
    return real ? *real : __builtin_nan("");
  }
};

struct field {
  std::string name;
  value data;
  bool operator==(const field&) const = default;
};

// The field of that name, or nullptr.
inline const value* find(const record& fields, std::string_view name) {
  for (const field& f : fields)
    if (f.name == name) return &f.data;
  return nullptr;
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
