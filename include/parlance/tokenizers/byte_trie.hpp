// SPDX-License-Identifier: Apache-2.0
// A trie over bytes in one array (double array with exclusive-or, after J. Aoe 1989 and
// darts-clone): a step is one load and one compare, without branches on the number of children.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

class byte_trie {
 public:
  static constexpr std::uint32_t none = 0x7FFFFF;  // no value here
  using state = std::uint32_t;
  using entry = std::pair<std::string_view, std::uint32_t>;

  byte_trie() { grow(); }
  // Distinct keys and their values, below `none`. Throws format_error for greater values.
  explicit byte_trie(std::vector<entry> keys) {
    std::sort(keys.begin(), keys.end());
    grow();
    builder b{*this};
    b.build(keys);
  }

  static constexpr state root() { return 0; }
  // Goes on by one byte; false, and the state as before, when no key continues so.
  bool step(state& at, char byte) const {
    const auto label = static_cast<unsigned char>(byte);
    const std::uint32_t next = cells_[at].base ^ label;
    if ((cells_[next].tag & 0x1FF) != (used | label)) return false;
    at = next;
    return true;
  }
  // The value of the key that ends here, or `none`.
  std::uint32_t value(state at) const { return cells_[at].tag >> 9; }
  std::uint32_t find(std::string_view key) const {
    state at = root();
    for (const char byte : key)
      if (!step(at, byte)) return none;
    return value(at);
  }

 private:
  static constexpr std::uint32_t used = 0x100, block = 256;
  struct cell {
    std::uint32_t base = 0;         // children lie at base ^ byte; 0 is a block without any
    std::uint32_t tag = none << 9;  // value, used, byte
  };
  void grow() { cells_.resize(cells_.size() + block); }

  struct builder {
    byte_trie& trie;
    std::vector<std::uint32_t> free = {};  // candidates, in the last blocks
    std::vector<bool> base_taken = std::vector<bool>(block, true);
    struct task {
      state at;
      std::size_t begin, end, depth;
    };

    void build(const std::vector<entry>& keys) {
      std::vector<task> tasks{{root(), 0, keys.size(), 0}};
      std::vector<unsigned char> labels;
      std::vector<std::size_t> starts;
      while (!tasks.empty()) {
        task t = tasks.back();
        tasks.pop_back();
        if (t.begin < t.end && keys[t.begin].first.size() == t.depth)
          set_value(t.at, keys[t.begin++].second);
        labels.clear(), starts.clear();
        for (std::size_t i = t.begin; i < t.end; ++i) {
          const auto label = static_cast<unsigned char>(keys[i].first[t.depth]);
          if (!labels.empty() && labels.back() == label) continue;
          labels.push_back(label), starts.push_back(i);
        }
        if (labels.empty()) continue;
        starts.push_back(t.end);
        const std::uint32_t base = place(labels);
        trie.cells_[t.at].base = base;
        for (std::size_t k = 0; k < labels.size(); ++k) {
          trie.cells_[base ^ labels[k]].tag |= used | labels[k];
          tasks.push_back({base ^ labels[k], starts[k], starts[k + 1], t.depth + 1});
        }
      }
    }
    void set_value(state at, std::uint32_t value) {
      if (value >= none)
        throw format_error("vocabulary", -1, "token id " + std::to_string(value) + " is too large");
      trie.cells_[at].tag = value << 9 | (trie.cells_[at].tag & 0x1FF);
    }
    bool is_free(std::uint32_t i) const { return !(trie.cells_[i].tag & used); }

    // A base, no other node's, whose cells for all labels are free.
    std::uint32_t place(const std::vector<unsigned char>& labels) {
      std::size_t tries = 0;
      for (std::size_t k = free.size(); k-- > 0 && tries < 512; ++tries) {
        const std::uint32_t base = free[k] ^ labels[0];
        if (!is_free(free[k])) {
          free[k] = free.back();
          free.pop_back();
          k = std::min(k + 1, free.size());
          continue;
        }
        if (!base_taken[base] && fits(base, labels)) return base_taken[base] = true, base;
      }
      return new_block();
    }
    bool fits(std::uint32_t base, const std::vector<unsigned char>& labels) const {
      return std::all_of(labels.begin(), labels.end(),
                         [&](unsigned char label) { return is_free(base ^ label); });
    }
    std::uint32_t new_block() {
      const auto first = static_cast<std::uint32_t>(trie.cells_.size());
      if (free.size() > 16 * block)  // old gaps that nothing fitted
        free.erase(free.begin(), free.end() - 8 * block);
      trie.grow();
      base_taken.resize(trie.cells_.size());
      for (std::uint32_t i = 0; i < block; ++i) free.push_back(first + block - 1 - i);
      base_taken[first] = true;
      return first;
    }
  };

  std::vector<cell> cells_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
