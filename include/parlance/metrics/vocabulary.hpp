// SPDX-License-Identifier: Apache-2.0
// Numbers for words that outlive a line, so that what is costly to find out about a word (its stem,
// its synonyms) is found out once.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/metrics/word_ids.hpp"

namespace parlance::inline PARLANCE_ABI::metrics::detail {

class vocabulary {
 public:
  std::int32_t size() const { return static_cast<std::int32_t>(starts_.size()) - 1; }
  // The number of the word, and whether it is new.
  std::pair<std::int32_t, bool> insert(std::string_view word) {
    if (2 * starts_.size() > slots_.size()) grow();
    const std::uint64_t hash = hash_word(word);
    std::int32_t& slot = seek(word, hash);
    if (slot >= 0) return {slot, false};
    slot = size();
    text_ += word;
    starts_.push_back(text_.size());
    hashes_.push_back(hash);
    return {slot, true};
  }
  std::string_view operator[](std::int32_t id) const {
    const auto i = static_cast<std::size_t>(id);
    return std::string_view(text_).substr(starts_[i], starts_[i + 1] - starts_[i]);
  }
  void clear() { *this = {}; }

 private:
  std::int32_t& seek(std::string_view word, std::uint64_t hash) {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
      const std::int32_t id = slots_[at];
      if (id < 0) return slots_[at];
      const auto i = static_cast<std::size_t>(id);
      // Hashes of short words of the same size are all different.
      if (hashes_[i] == hash && starts_[i + 1] - starts_[i] == word.size() &&
          (word.size() <= 8 || (*this)[id] == word))
        return slots_[at];
    }
  }
  void grow() {
    slots_.assign(std::max<std::size_t>(1024, 2 * slots_.size()), -1);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = 0; i < hashes_.size(); ++i) {
      std::size_t at = hashes_[i] & mask;
      while (slots_[at] >= 0) at = (at + 1) & mask;
      slots_[at] = static_cast<std::int32_t>(i);
    }
  }

  std::string text_;
  std::vector<std::size_t> starts_ = {0};
  std::vector<std::uint64_t> hashes_;
  std::vector<std::int32_t> slots_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics::detail
