// SPDX-License-Identifier: Apache-2.0
// Splitting text at the matches of something: what becomes of the matches is the behavior of
// Hugging Face tokenizers. Source: huggingface/tokenizers 0.22, src/tokenizer/normalizer.rs
// (split).
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "parlance/tokenizers/pattern.hpp"
#include "parlance/tokenizers/pre_tokenized.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

// What happens to the matches of a splitting pattern.
enum class split_behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

inline const std::vector<std::string_view>& split_behavior_names() {
  static const std::vector<std::string_view> names{"Removed", "Isolated", "MergedWithPrevious",
                                                   "MergedWithNext", "Contiguous"};
  return names;
}

namespace impl {

struct match_span {
  std::size_t begin, end;
  bool is_match;
};

template <class Emit>
void emit_merged(const std::vector<match_span>& spans, split_behavior behavior, Emit emit) {
  std::vector<match_span> out;
  const bool backwards = behavior == split_behavior::merged_with_next;
  bool previous = false;
  for (std::size_t k = 0; k < spans.size(); ++k) {
    const match_span& s = spans[backwards ? spans.size() - 1 - k : k];
    const bool join =
        behavior == split_behavior::contiguous ? s.is_match == previous : s.is_match && !previous;
    previous = s.is_match;
    if (!join || out.empty())
      out.push_back(s);
    else if (backwards)
      out.back().begin = s.begin;
    else
      out.back().end = s.end;
  }
  if (backwards) std::reverse(out.begin(), out.end());
  for (const match_span& s : out) emit(s.begin, s.end);
}

}  // namespace impl

// Splits every piece; `each(view, f)` gives the partition f(begin, end, is_match).
template <class EachMatch>
void split_by(pre_tokenized& text, split_behavior behavior, EachMatch each) {
  std::vector<impl::match_span> spans;
  text.split_each([&](std::string_view view, auto emit) {
    if (behavior == split_behavior::isolated)
      return each(view, [&](std::size_t b, std::size_t e, bool) { emit(b, e); });
    if (behavior == split_behavior::removed)
      return each(view, [&](std::size_t b, std::size_t e, bool match) {
        if (!match) emit(b, e);
      });
    spans.clear();
    each(view, [&](std::size_t b, std::size_t e, bool match) { spans.push_back({b, e, match}); });
    impl::emit_merged(spans, behavior, emit);
  });
}

// The partition of single characters that satisfy `accept`.
template <class Accept>
auto each_character(Accept accept) {
  return [accept](std::string_view view, auto f) {
    each_match(
        view,
        [&](std::string_view t, std::size_t i) {
          const unicode::step at = unicode::decode(t, i);
          return accept(at.code_point) ? i + at.length : i;
        },
        f);
  };
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
