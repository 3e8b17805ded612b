// SPDX-License-Identifier: Apache-2.0
// Training of whole tokenizers: `train_from_iterator(components, texts, options)`, where components
// is a tokenizer.json without a vocabulary (normalizer, pre_tokenizer, post_processor, decoder, and
// model options such as unk_token) and the type of the options chooses the model. Source:
// huggingface/tokenizers 0.22, src/models/*/trainer.rs.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "parlance/tokenizers/bpe_trainer.hpp"
#include "parlance/tokenizers/unigram_trainer.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct word_piece_trainer_options : bpe_trainer_options {
  word_piece_trainer_options() { continuing_subword_prefix = "##"; }
};

struct word_level_trainer_options : trainer_options {
  std::uint64_t min_frequency = 0;
};

// The words by falling count, then in byte order, after the special tokens.
inline std::vector<std::string> train_word_level(const word_counts& words,
                                                 const word_level_trainer_options& options = {}) {
  std::vector<std::pair<std::uint64_t, std::string_view>> order;
  for (const auto& [word, count] : words)
    if (count >= options.min_frequency) order.emplace_back(count, word);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> out = options.special_tokens;
  for (const auto& [count, word] : order) out.emplace_back(word);
  if (out.size() > options.vocab_size) out.resize(options.vocab_size);
  options.report("train", out.size(), options.vocab_size);
  return out;
}

namespace impl {

template <class Texts>
word_counts count_words_of(const json& components, const Texts& texts,
                           const trainer_options& options) {
  return count_words(texts, normalizer::from_json(component(components, "normalizer")),
                     pre_tokenizer::from_json(component(components, "pre_tokenizer")), options);
}

// The model node of `components` with what training decides.
inline json trained_model(const json& components, json decided) {
  json out = component(components, "model");
  if (out.is_null()) out = json::object();
  for (const auto& [key, value] : decided.items())
    if (!value.is_null()) out[key] = value;
  return out;
}

}  // namespace impl

// BPE. Throws text_error for texts that are not UTF-8, cancelled_error when stopped, format_error
// and unsupported_error for components.
template <class Texts>
tokenizer train_from_iterator(json components, const Texts& texts,
                              const bpe_trainer_options& options) {
  const trained_bpe learned = train_bpe(impl::count_words_of(components, texts, options), options);
  const auto affix = [](const std::string& s) { return s.empty() ? json() : json(s); };
  components["model"] = impl::trained_model(
      components, {{"type", "BPE"},
                   {"continuing_subword_prefix", affix(options.continuing_subword_prefix)},
                   {"end_of_word_suffix", affix(options.end_of_word_suffix)},
                   {"vocab", json::object()},
                   {"merges", json::array()}});
  return impl::bpe_tokenizer(std::move(components), learned, options);
}

// WordPiece: byte-pair training without its merges.
template <class Texts>
tokenizer train_from_iterator(json components, const Texts& texts,
                              const word_piece_trainer_options& options) {
  trained_bpe learned = train_bpe(impl::count_words_of(components, texts, options), options);
  learned.merges.clear();
  json model = {{"unk_token", "[UNK]"}, {"max_input_chars_per_word", 100}};
  model.update(impl::trained_model(
      components, {{"type", "WordPiece"},
                   {"continuing_subword_prefix", options.continuing_subword_prefix},
                   {"vocab", json::object()}}));
  components["model"] = std::move(model);
  return impl::bpe_tokenizer(std::move(components), learned, options);
}

// WordLevel.
template <class Texts>
tokenizer train_from_iterator(json components, const Texts& texts,
                              const word_level_trainer_options& options) {
  json model = {{"unk_token", "<unk>"}};
  model.update(impl::trained_model(components, {{"type", "WordLevel"}, {"vocab", json::object()}}));
  const word_counts words = impl::count_words_of(components, texts, options);
  components["model"] = std::move(model);
  bpe_trainer_options shared;
  shared.special_tokens = options.special_tokens;
  return impl::bpe_tokenizer(std::move(components), {train_word_level(words, options), {}}, shared);
}

// Unigram.
template <class Texts>
tokenizer train_from_iterator(json components, const Texts& texts,
                              const unigram_trainer_options& options) {
  const trained_unigram learned =
      train_unigram(impl::count_words_of(components, texts, options), options);
  tokenizer_spec spec = empty_spec("trained tokenizer");
  for (const auto& [text, score] : learned.pieces) {
    spec.data.ids.push_back(static_cast<std::uint32_t>(spec.data.tokens.size()));
    spec.data.tokens.add(text);
    spec.data.scores.push_back(score);
  }
  components["model"] =
      impl::trained_model(components, {{"type", "Unigram"},
                                       {"unk_id", learned.unk_id ? json(*learned.unk_id) : json()},
                                       {"vocab", json::array()}});
  for (const auto& [key, value] : components.items()) spec.head[key] = value;
  spec.head["added_tokens"] = impl::special_tokens_json(options.special_tokens);
  return tokenizer(std::move(spec));
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
