// SPDX-License-Identifier: Apache-2.0
// sacreBLEU's signature: what somebody needs to know to get the same score again, such as
// "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0" (sacrebleu 2.6.0, metrics/base.py).
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

// The release whose numbers are reproduced.
inline constexpr std::string_view sacrebleu_version = "2.6.0";

// "%.{digits}f".
inline std::string fixed(double number, int digits) {
  char text[352];
  return std::string(
      text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%.*f", digits, number)));
}

class signature {
 public:
  // -1 references: their number varies from line to line.
  explicit signature(std::int64_t references) {
    add("nrefs", "#", references < 0 ? "var" : std::to_string(references));
  }
  void add(std::string_view key, std::string_view abbreviation, std::string_view value) {
    parts_.push_back({std::string(key), std::string(abbreviation), std::string(value)});
  }
  // Trials of resampling come after the references: bs or ar, and the seed.
  void add_resampling(std::string_view kind, std::int64_t trials, std::uint64_t seed) {
    parts_.insert(parts_.begin() + 1,
                  {{std::string(kind), std::string(kind), std::to_string(trials)},
                   {"seed", "rs", std::to_string(seed)}});
  }
  std::string text(bool abbreviated = false) const {
    std::string out;
    for (const part& p : parts_)
      out += (abbreviated ? p.abbreviation : p.key) + ":" + p.value + "|";
    return out + (abbreviated ? "v:" : "version:") + std::string(sacrebleu_version);
  }
  struct part {
    std::string key, abbreviation, value;
  };
  const std::vector<part>& parts() const { return parts_; }

 private:
  std::vector<part> parts_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
