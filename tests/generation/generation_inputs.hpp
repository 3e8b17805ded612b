// SPDX-License-Identifier: Apache-2.0
// The inputs that tests/reference/generation_common.py makes, made again here, so that only
// expected outputs are stored.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/file.hpp"
#include "parlance/core/json.hpp"

namespace generation_test {

struct split_mix {
  std::uint64_t state;
  std::uint32_t next() {
    state += 0x9E3779B97F4A7C15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return static_cast<std::uint32_t>((z ^ (z >> 31)) >> 32);
  }
};

inline std::vector<std::int32_t> make_ids(split_mix& random, std::size_t count,
                                          std::uint32_t vocabulary) {
  std::vector<std::int32_t> out;
  while (out.size() < count) out.push_back(static_cast<std::int32_t>(random.next() % vocabulary));
  return out;
}

// kind: 'c'ontinuous, 't'ies, 'h'oles, 'b'roken.
inline std::vector<float> make_scores(split_mix& random, std::size_t vocabulary, char kind) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> out;
  while (out.size() < vocabulary) {
    const std::uint32_t bits = random.next();
    float value = (static_cast<float>(bits >> 8) * 0x1p-24f - 0.5f) * 16;
    if (kind == 't') value = (static_cast<float>(bits >> 28) - 8) / 2;
    const std::uint32_t special = random.next() % 16;
    if ((kind == 'h' || kind == 'b') && special < 4) value = -infinity;
    if (kind == 'b' && special == 4) value = infinity;
    if (kind == 'b' && special == 5) value = std::numeric_limits<float>::quiet_NaN();
    out.push_back(value);
  }
  return out;
}

inline parlance::json read_data(std::string_view name) {
  const std::string path = std::string(PARLANCE_TEST_DATA) + "/generation/" + std::string(name);
  return parlance::parse_json(parlance::read_text(path), path);
}

inline std::vector<unsigned char> base64(std::string_view text) {
  std::vector<unsigned char> out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::uint32_t value = c >= 'A' && c <= 'Z'   ? c - 'A'
                                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                                : c >= '0' && c <= '9' ? c - '0' + 52
                                : c == '+'             ? 62
                                                       : 63;
    bits = bits << 6 | value;
    if ((count += 6) >= 8) out.push_back(static_cast<unsigned char>(bits >> (count -= 8)));
  }
  return out;
}

}  // namespace generation_test
