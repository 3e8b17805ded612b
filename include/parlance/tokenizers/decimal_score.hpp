// SPDX-License-Identifier: Apache-2.0
// Numbers of tokenizer.json as the original reads them: the digits as one whole number, rounded,
// then scaled by a power of ten. That is one unit in the last place off for every seventh score or
// so, and ties between segmentations of a Unigram model are decided there. Source: serde_json 1.0,
// src/de.rs without the feature float_roundtrip.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

namespace impl {

inline double power_of_ten(int exponent) {
  static constexpr std::array exact{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const auto i = static_cast<std::size_t>(exponent);
  if (i < exact.size()) return exact[i];
  const std::string text = "1e" + std::to_string(exponent);
  double value = 0.0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

inline double scaled(std::uint64_t digits, std::int64_t exponent) {
  constexpr int largest = 308;
  auto value = static_cast<double>(digits);
  if (exponent > largest) return digits == 0 ? 0.0 : HUGE_VAL;
  if (exponent >= 0) return value * power_of_ten(static_cast<int>(exponent));
  for (; exponent < -largest && value != 0.0; exponent += largest) value /= power_of_ten(largest);
  return value == 0.0 ? value : value / power_of_ten(static_cast<int>(-exponent));
}

}  // namespace impl

// `number` must be a number of JSON. Infinite when it is above every double.
inline double decimal_score(std::string_view number) {
  std::size_t i = number.starts_with('-') ? 1 : 0;
  std::uint64_t digits = 0;
  std::int64_t exponent = 0;
  bool full = false, fraction = false;  // `full`: no further digit fits
  for (; i < number.size() && number[i] != 'e' && number[i] != 'E'; ++i) {
    if (number[i] == '.') {
      fraction = true;
      continue;
    }
    const auto digit = static_cast<std::uint64_t>(number[i] - '0');
    const bool fits = digits <= (UINT64_MAX - digit) / 10;
    full = full || !fits;
    if (!full) digits = digits * 10 + digit;
    exponent += full ? !fraction : -static_cast<int>(fraction);
  }
  std::int64_t power = 0;
  if (i < number.size()) {
    const char* first = number.data() + i + 1;
    if (*first == '+') ++first;
    const auto [end, failure] = std::from_chars(first, number.data() + number.size(), power);
    if (failure != std::errc()) power = *first == '-' ? -1000000 : 1000000;
  }
  const double value =
      impl::scaled(digits, exponent + std::clamp<std::int64_t>(power, -1000000, 1000000));
  return number.starts_with('-') ? -value : value;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
