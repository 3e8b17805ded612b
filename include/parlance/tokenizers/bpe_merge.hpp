// SPDX-License-Identifier: Apache-2.0
// The merge loop of byte-pair encoding: repeatedly joins the neighbouring pair of lowest rank, the
// leftmost on ties. Short words scan for the minimum; long ones use a heap over a linked list.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "parlance/tokenizers/token_table.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct bpe_symbol {
  std::uint32_t id, length;  // token and the bytes it covers
};

class bpe_merger {
 public:
  std::vector<bpe_symbol> symbols;

  void run(const pair_table& merges) {
    if (symbols.size() < 2) return;
    if (symbols.size() <= small)
      scan(merges);
    else
      heap(merges);
  }

 private:
  static constexpr std::size_t small = 48;
  struct candidate {
    std::uint32_t rank, position, id;
    bool operator<(const candidate& o) const {  // std heaps keep the greatest on top
      return rank != o.rank ? rank > o.rank : position > o.position;
    }
  };

  void scan(const pair_table& merges) {
    std::uint32_t ranks[small], ids[small];
    std::size_t n = symbols.size();
    bpe_symbol* s = symbols.data();
    const auto look = [&](std::size_t i) {
      const pair_table::merge m = merges.find(s[i].id, s[i + 1].id);
      ranks[i] = m.rank;
      ids[i] = m.id;
    };
    for (std::size_t i = 0; i + 1 < n; ++i) look(i);
    while (n > 1) {
      std::size_t best = 0;
      for (std::size_t i = 1; i + 1 < n; ++i)
        if (ranks[i] < ranks[best]) best = i;
      if (ranks[best] == pair_table::no_rank) break;
      s[best] = {ids[best], s[best].length + s[best + 1].length};
      const std::size_t after = n - best - 2;
      std::memmove(s + best + 1, s + best + 2, after * sizeof *s);
      if (after > 0) {
        std::memmove(ranks + best + 1, ranks + best + 2, (after - 1) * sizeof *ranks);
        std::memmove(ids + best + 1, ids + best + 2, (after - 1) * sizeof *ids);
      }
      --n;
      if (best + 1 < n) look(best);
      if (best > 0) look(best - 1);
    }
    symbols.resize(n);
  }

  void heap(const pair_table& merges) {
    const std::size_t n = symbols.size();
    next_.resize(n);
    previous_.resize(n);
    queue_.clear();
    for (std::size_t i = 0; i < n; ++i) {
      next_[i] = static_cast<std::uint32_t>(i + 1);
      previous_[i] = static_cast<std::uint32_t>(i) - 1;
      if (i + 1 < n) push(merges, static_cast<std::uint32_t>(i));
    }
    std::make_heap(queue_.begin(), queue_.end());
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end());
      const candidate top = queue_.back();
      queue_.pop_back();
      const std::uint32_t i = top.position;
      if (symbols[i].length == 0 || next_[i] >= n) continue;
      const std::uint32_t right = next_[i];
      const pair_table::merge m = merges.find(symbols[i].id, symbols[right].id);
      if (m.rank == pair_table::no_rank || m.id != top.id) continue;
      symbols[i] = {top.id, symbols[i].length + symbols[right].length};
      symbols[right].length = 0;
      next_[i] = next_[right];
      if (next_[i] < n) previous_[next_[i]] = i;
      if (previous_[i] < n && push(merges, previous_[i]))
        std::push_heap(queue_.begin(), queue_.end());
      if (next_[i] < n && push(merges, i)) std::push_heap(queue_.begin(), queue_.end());
    }
    std::erase_if(symbols, [](const bpe_symbol& s) { return s.length == 0; });
  }
  bool push(const pair_table& merges, std::uint32_t i) {
    const pair_table::merge m = merges.find(symbols[i].id, symbols[next_[i]].id);
    if (m.rank == pair_table::no_rank) return false;
    queue_.push_back({m.rank, i, m.id});
    return true;
  }

  std::vector<std::uint32_t> next_, previous_;
  std::vector<candidate> queue_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
