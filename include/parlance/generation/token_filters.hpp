// SPDX-License-Identifier: Apache-2.0
// Logits processors that forbid ids (score -inf) or force one: repeated n-grams, bad words, ends
// that come too early, forced first and last ids, suppressed ids, an allowed set.
// Source: transformers 4.57.6 generation/logits_process.py.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "parlance/generation/config.hpp"
#include "parlance/generation/penalties.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

namespace detail {

inline void forbid(const token_ids& ids, std::span<float> logits) {
  for (const std::int32_t id : ids)
    if (in_vocabulary(id, logits)) logits[static_cast<std::size_t>(id)] = minus_infinity;
}

inline void force(const token_ids& ids, std::span<float> logits, const char* option) {
  std::fill(logits.begin(), logits.end(), minus_infinity);
  for (const std::int32_t id : ids) {
    require_in_vocabulary(id, logits, option);
    logits[static_cast<std::size_t>(id)] = 0;
  }
}

// Forbids what followed the last n-1 of `ids` anywhere in `history`.
inline void forbid_followers(std::span<const std::int32_t> history,
                             std::span<const std::int32_t> ids, std::size_t n,
                             std::span<float> logits) {
  if (n == 0 || ids.size() + 1 < n || history.size() < n) return;
  const auto last = ids.last(n - 1);
  for (std::size_t i = 0; i + n <= history.size(); ++i) {
    const std::int32_t next = history[i + n - 1];
    if (in_vocabulary(next, logits) && std::equal(last.begin(), last.end(), history.begin() + i))
      logits[static_cast<std::size_t>(next)] = minus_infinity;
  }
}

}  // namespace detail

// No n-gram occurs twice, prompt included.
class no_repeat_ngram {
 public:
  explicit no_repeat_ngram(std::int64_t n) : n_(static_cast<std::size_t>(n)) {}
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) const {
    detail::forbid_followers(ids, ids, n_, logits);
  }

 private:
  std::size_t n_;
};

// No n-gram of the encoder's input (or of the prompt) is repeated.
class encoder_no_repeat_ngram {
 public:
  encoder_no_repeat_ngram(std::int64_t n, std::span<const std::int32_t> encoder_ids)
      : n_(static_cast<std::size_t>(n)), encoder_ids_(encoder_ids.begin(), encoder_ids.end()) {}
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) const {
    detail::forbid_followers(encoder_ids_, ids, n_, logits);
  }

 private:
  std::size_t n_;
  std::vector<std::int32_t> encoder_ids_;
};

// Forbids sequences of ids; a lone end-of-sequence id among them is not meant.
class bad_words {
 public:
  bad_words(const token_lists& words, const token_ids& eos) : biases_(biases(words, eos)) {}
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) const {
    biases_(ids, logits);
  }

 private:
  static sequence_biases biases(const token_lists& words, const token_ids& eos) {
    sequence_biases out;
    for (const auto& word : words)
      if (word.size() != 1 || std::ranges::find(eos, word[0]) == eos.end())
        out.push_back({word, minus_infinity});
    if (out.empty())
      throw option_error("bad_words_ids: nothing but end-of-sequence ids", "leave it out");
    return out;
  }
  sequence_bias_processor biases_;
};

// No end before the sequence has `length` ids. Serves min_length and, with the prompt's length
// added, min_new_tokens.
class min_length_filter {
 public:
  min_length_filter(std::int64_t length, token_ids eos) : length_(length), eos_(std::move(eos)) {}
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) const {
    if (static_cast<std::int64_t>(ids.size()) < length_) detail::forbid(eos_, logits);
  }

 private:
  std::int64_t length_;
  token_ids eos_;
};

// The second id of a sequence is `bos`: for decoders that start from one start id.
class forced_bos {
 public:
  explicit forced_bos(std::int32_t bos) : bos_(bos) {}
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) const {
    if (ids.size() == 1) detail::force(bos_, logits, "forced_bos_token_id");
  }

 private:
  token_ids bos_;
};

// The last id that max_length allows is one of `eos`.
class forced_eos {
 public:
  forced_eos(std::int64_t max_length, token_ids eos)
      : max_length_(max_length), eos_(std::move(eos)) {}
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) const {
    if (static_cast<std::int64_t>(ids.size()) + 1 == max_length_)
      detail::force(eos_, logits, "forced_eos_token_id");
  }

 private:
  std::int64_t max_length_;
  token_ids eos_;
};

// Forbids ids always, or only when the sequence has exactly `at_length` ids.
class suppress {
 public:
  static constexpr std::int64_t always = -1;
  explicit suppress(token_ids ids, std::int64_t at_length = always)
      : ids_(std::move(ids)), at_length_(at_length) {}
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) const {
    if (at_length_ == always || static_cast<std::int64_t>(ids.size()) == at_length_)
      detail::forbid(ids_, logits);
  }

 private:
  token_ids ids_;
  std::int64_t at_length_;
};

// Keeps only the ids that a function allows after the ids so far.
class allowed_tokens {
 public:
  allowed_tokens(allowed_tokens_function allowed, std::size_t batch_index)
      : allowed_(std::move(allowed)), batch_index_(batch_index) {}
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) {
    const std::vector<std::int32_t> allowed = allowed_(batch_index_, ids);
    if (allowed.empty())
      throw option_error("prefix_allowed_tokens_fn: allowed no id at length " +
                         std::to_string(ids.size()));
    kept_.clear();
    for (const std::int32_t id : allowed) {
      detail::require_in_vocabulary(id, logits, "prefix_allowed_tokens_fn");
      kept_.push_back({logits[static_cast<std::size_t>(id)], id});
    }
    std::fill(logits.begin(), logits.end(), minus_infinity);
    for (const auto& [score, id] : kept_) logits[static_cast<std::size_t>(id)] = score;
  }

 private:
  allowed_tokens_function allowed_;
  std::size_t batch_index_;
  std::vector<kernels::scored_index> kept_;
};

}  // namespace parlance::inline PARLANCE_ABI::generation
