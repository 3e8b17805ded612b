// SPDX-License-Identifier: Apache-2.0
// The pipeline from text to ids and back, composed from five stages at compile time. `tokenizer`
// (tokenizer.hpp) is this template over stages that tokenizer.json chooses at run time; with
// concrete stages it becomes a tokenizer of one's own. Const members may run in any number of
// threads. Source: huggingface/tokenizers 0.22, src/tokenizer/mod.rs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/added_tokens.hpp"
#include "parlance/tokenizers/decode_table.hpp"
#include "parlance/tokenizers/decoders.hpp"
#include "parlance/tokenizers/encoding.hpp"
#include "parlance/tokenizers/models.hpp"
#include "parlance/tokenizers/normalizers.hpp"
#include "parlance/tokenizers/post_processors.hpp"
#include "parlance/tokenizers/pre_tokenizers.hpp"
#include "parlance/tokenizers/source_text.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct encode_options {
  bool add_special_tokens = true;
  bool split_special_tokens = false;  // special tokens inside the text are plain text
  std::optional<truncation_options> truncation = std::nullopt;
  std::optional<padding_options> padding = std::nullopt;
  tokenizers::invalid_utf8 invalid_utf8 = tokenizers::invalid_utf8::reject;
};

struct decode_options {
  bool skip_special_tokens = false;
  // Default: what the tokenizer's files say.
  std::optional<bool> clean_up_tokenization_spaces = std::nullopt;
};

namespace impl {

// Calls f with the concrete model behind `m`.
template <class Model, class F>
void with_model(const Model& m, F f) {
  if constexpr (requires { m.visit(f); })
    m.visit(f);
  else
    f(m);
}

}  // namespace impl

template <normalizing Normalizer, pre_tokenizing PreTokenizer, class Model,
          post_processing PostProcessor, decoding Decoder>
class basic_tokenizer {
 public:
  basic_tokenizer(Normalizer n, PreTokenizer p, Model m, PostProcessor post, Decoder d)
      : normalizer_(std::move(n)),
        pre_tokenizer_(std::move(p)),
        model_(std::move(m)),
        post_processor_(std::move(post)),
        decoder_(std::move(d)) {}

  // Adds a token; its id is the model's for a known string, else the next free one.
  std::int32_t add_token(added_token token);

  // A text, or words that were split before, and perhaps a second sequence of the same kind.
  // Offsets of a word count within it.
  encoding encode(std::string_view text, const encode_options& options = {}) const {
    return finish(text, nullptr, options);
  }
  encoding encode(std::string_view text, std::string_view pair,
                  const encode_options& options = {}) const {
    const sequence_input second(pair);
    return finish(text, &second, options);
  }
  encoding encode(std::span<const std::string> words, const encode_options& options = {}) const {
    return finish(words, nullptr, options);
  }
  encoding encode(std::span<const std::string> words, std::span<const std::string> pair,
                  const encode_options& options = {}) const {
    const sequence_input second(pair);
    return finish(words, &second, options);
  }
  // Texts, words, pairs of texts or pairs of words, on the threads of the current pool; padding
  // without a length goes to the longest of the batch. The error of the first wrong input is
  // thrown.
  using words = std::vector<std::string>;
  std::vector<encoding> encode_batch(std::span<const std::string> texts,
                                     const encode_options& options = {}) const {
    return encode_each(texts.size(), options,
                       [&](std::size_t i, const auto& o) { return encode(texts[i], o); });
  }
  std::vector<encoding> encode_batch(std::span<const words> split_texts,
                                     const encode_options& options = {}) const {
    return encode_each(split_texts.size(), options,
                       [&](std::size_t i, const auto& o) { return encode(split_texts[i], o); });
  }
  std::vector<encoding> encode_batch(std::span<const std::pair<std::string, std::string>> pairs,
                                     const encode_options& options = {}) const {
    return encode_each(pairs.size(), options, [&](std::size_t i, const auto& o) {
      return encode(pairs[i].first, pairs[i].second, o);
    });
  }
  std::vector<encoding> encode_batch(std::span<const std::pair<words, words>> split_pairs,
                                     const encode_options& options = {}) const {
    return encode_each(split_pairs.size(), options, [&](std::size_t i, const auto& o) {
      return encode(split_pairs[i].first, split_pairs[i].second, o);
    });
  }
  // Ids alone, without the cost of offsets.
  std::vector<std::int32_t> encode_ids(std::string_view text,
                                       const encode_options& options = {}) const;
  // The same for many texts, over the thread pool; padding does not apply.
  std::vector<std::vector<std::int32_t>> encode_ids_batch(std::span<const std::string> texts,
                                                          const encode_options& options = {}) const;

  std::string decode(std::span<const std::int32_t> ids, const decode_options& options = {}) const;

  // The text of tokens given as strings, as transformers' convert_tokens_to_string makes it.
  std::string tokens_to_text(string_chain tokens) const {
    std::string text;
    for (const std::string& part : decoder_.decode_chain(std::move(tokens))) text += part;
    return text;
  }

  std::optional<std::string> id_to_token(std::int32_t id) const {
    if (const added_token* t = added_.find(id)) return t->content;
    return id < 0 ? std::nullopt : model_.id_to_token(static_cast<std::uint32_t>(id));
  }
  std::optional<std::int32_t> token_to_id(std::string_view token) const {
    if (const added_token* t = added_.find(token)) return t->id;
    const std::uint32_t id = model_.token_to_id(token);
    return id == token_table::none ? std::nullopt : std::optional(static_cast<std::int32_t>(id));
  }
  // Number of tokens; with_added_tokens counts those outside the model's vocabulary too.
  std::size_t vocab_size(bool with_added_tokens = true) const {
    std::size_t count = model_.vocab_size();
    if (with_added_tokens)
      for (const added_token& t : added_.tokens())
        count += model_.token_to_id(t.content) == token_table::none;
    return count;
  }
  bool is_special(std::int32_t id) const {
    const added_token* t = added_.find(id);
    return t && t->special;
  }
  const added_vocabulary& added_tokens() const { return added_; }
  const Model& get_model() const { return model_; }

 protected:
  // Adds a token under the id that it brings.
  std::int32_t enter_token(added_token token);

  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  Model model_;
  PostProcessor post_processor_;
  Decoder decoder_;
  added_vocabulary added_;
  std::shared_ptr<lazy_decode_table> decode_table_ = std::make_shared<lazy_decode_table>();
  bool clean_up_ = false;

 private:
  using sources = std::vector<impl::source_text>;

  // The pieces of valid text that the model sees.
  const decode_table* table_for(std::size_t ids) const;
  std::string join_tokens(std::span<const std::int32_t> ids, bool skip_special_tokens) const;
  pre_tokenized prepare(std::string_view text, bool track, bool split_special_tokens) const;
  // Tokens of one text; word_ids count its pieces, or are all `word` when that is not negative.
  void tokenize(const impl::source_text& source, std::int32_t word, bool split_special_tokens,
                encoding& out) const;
  encoding finish(const sequence_input& first, const sequence_input* pair,
                  const encode_options& options) const;
  void truncate_pair(std::vector<encoding>& list, const encode_options& options) const;
  template <class Encode>
  std::vector<encoding> encode_each(std::size_t count, const encode_options& options,
                                    Encode encode_one) const;
};

inline void pad_batch(std::span<encoding> batch, const padding_options& options) {
  std::size_t length = options.length.value_or(0);
  if (!options.length)
    for (const encoding& e : batch) length = std::max(length, e.size());
  if (const std::uint32_t multiple = options.pad_to_multiple_of; multiple > 0)
    length = (length + multiple - 1) / multiple * multiple;
  for (encoding& e : batch) e.pad(static_cast<std::uint32_t>(length), options);
}

// The rules of transformers' clean_up_tokenization.
inline std::string clean_up_tokenization(std::string text) {
  remove_extra_spaces(text, false);
  return text;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers

#include "parlance/tokenizers/impl/basic_tokenizer.hpp"
