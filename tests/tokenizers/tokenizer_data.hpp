// SPDX-License-Identifier: Apache-2.0
// Access to the expected values in tests/data/tokenizers (made by
// tests/reference/tokenizers_data.py).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parlance/core/file.hpp"
#include "parlance/core/json.hpp"
#include "parlance/tokenizers/aligned_text.hpp"

namespace parlance_test {

inline parlance::json tokenizer_data(const std::string& name) {
  const std::string path = std::string(PARLANCE_TEST_DATA) + "/tokenizers/" + name;
  return parlance::parse_json(parlance::read_text(path), path);
}

inline std::vector<std::int32_t> numbers(const parlance::json& list) {
  return list.get<std::vector<std::int32_t>>();
}

// Ranges as a flat list begin, end, begin, end, ...
inline std::vector<std::int32_t> flat(const std::vector<parlance::tokenizers::byte_range>& ranges) {
  std::vector<std::int32_t> out;
  for (const auto& r : ranges) {
    out.push_back(static_cast<std::int32_t>(r.begin));
    out.push_back(static_cast<std::int32_t>(r.end));
  }
  return out;
}

}  // namespace parlance_test
