// SPDX-License-Identifier: Apache-2.0
// Turns ids that arrive one by one into pieces of text: every piece is complete UTF-8 and the
// pieces joined are the decoded text. Keeps only the tokens that the next piece depends on. Source:
// DecodeStream of huggingface/tokenizers 0.22.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/tokenizer.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

template <class Tokenizer>
class basic_streaming_decoder {
 public:
  explicit basic_streaming_decoder(const Tokenizer& from, decode_options options = {})
      : tokenizer_(&from), options_(options) {
    options_.clean_up_tokenization_spaces = false;  // would need text that has not come yet
  }

  // Ids that stand before the first one to come, whose text is not given out: how a token reads can
  // depend on them (a space at the very beginning is dropped by some tokenizers).
  void prime(std::span<const std::int32_t> ids) {
    const auto last = ids.last(std::min(ids.size(), patience));
    window_.assign(last.begin(), last.end());
    read_ = window_.size();
    prefix_ = decode(window_);
  }
  // The text that this id completes; empty while a character is incomplete.
  std::string push(std::int32_t id) {
    window_.push_back(id);
    std::string text = decode(window_);
    if (text.size() <= prefix_.size()) return {};
    if (!text.ends_with(replacement_character)) return emit(std::move(text));
    return window_.size() - read_ < patience ? std::string() : emit_all_but_last(std::move(text));
  }
  // What is left, incomplete characters as U+FFFD; the decoder is then as new.
  std::string finish() {
    std::string text = decode(window_), out;
    if (text.size() > prefix_.size()) out = emit(std::move(text));
    window_.clear();
    prefix_.clear();
    read_ = 0;
    return out;
  }

 private:
  static constexpr std::size_t character_tokens = 4;  // tokens that one character may take
  static constexpr std::size_t patience = 8;

  std::string decode(std::span<const std::int32_t> ids) const {
    return tokenizer_->decode(ids, options_);
  }

  std::string emit(std::string text) {
    std::string out;
    if (text.starts_with(prefix_)) {
      out = text.substr(prefix_.size());
    } else {  // new tokens changed how the old ones read
      out = decode(std::span<const std::int32_t>(window_).subspan(read_));
    }
    window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(read_));
    read_ = window_.size();
    prefix_ = decode(window_);
    return out;
  }

  // Bytes that form no character came in a row: gives out all but the tokens of the last, possibly
  // incomplete character.
  std::string emit_all_but_last(std::string text) {
    const std::span<const std::int32_t> all(window_);
    for (std::size_t keep = 1; keep <= character_tokens; ++keep) {
      const auto front = all.first(all.size() - keep), back = all.last(keep);
      const std::string head = decode(front);
      if (head + decode(back) != text || !head.starts_with(prefix_)) continue;
      std::string out = head.substr(prefix_.size());
      window_.assign(back.begin(), back.end());
      read_ = 0;
      prefix_.clear();
      return out;
    }
    return emit(std::move(text));
  }

  const Tokenizer* tokenizer_;
  decode_options options_;
  std::vector<std::int32_t> window_;  // tokens whose text may still matter
  std::size_t read_ = 0;              // of those, the ones already given out
  std::string prefix_;                // text of the ones given out
};

using streaming_decoder = basic_streaming_decoder<tokenizer>;

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
