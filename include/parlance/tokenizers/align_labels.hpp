// SPDX-License-Identifier: Apache-2.0
// Labels for token classification: those of words brought to the tokens that stand for them.
// Source: tokenize_and_align_labels of transformers, examples/pytorch/token-classification.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/tokenizers/encoding.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct align_labels_options {
  bool label_all_tokens = false;     // else only the first token of each word has its label
  std::int32_t ignore_index = -100;  // all the others, special tokens and padding
};

// One label a token of `tokens`, an encoding of pre-split words; word_labels[w] belongs to word w
// of its first sequence. A word without a label is an option_error.
inline std::vector<std::int32_t> align_labels(const encoding& tokens,
                                              std::span<const std::int32_t> word_labels,
                                              const align_labels_options& options = {}) {
  std::vector<std::int32_t> out(tokens.size(), options.ignore_index);
  std::int32_t previous = -1;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::int32_t word = tokens.sequence_ids[i] == 0 ? tokens.word_ids[i] : -1;
    if (word >= 0 && static_cast<std::size_t>(word) >= word_labels.size())
      throw option_error("align_labels: word " + std::to_string(word) + " has no label, " +
                         std::to_string(word_labels.size()) + " were given");
    if (word >= 0 && (options.label_all_tokens || word != previous))
      out[i] = word_labels[static_cast<std::size_t>(word)];
    previous = word;
  }
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
