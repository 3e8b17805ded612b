// SPDX-License-Identifier: Apache-2.0
// Bodies of basic_tokenizer.hpp.
#pragma once

#include <exception>

#include "parlance/core/thread_pool.hpp"
#include "parlance/tokenizers/basic_tokenizer.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

namespace impl {

// What a model works in; costly ones are lent.
template <class Model>
auto scratch_for(const Model& m) {
  if constexpr (requires { m.borrow_scratch(); })
    return m.borrow_scratch();
  else
    return typename Model::scratch();
}

// f(i) for every text over the thread pool. The first error, by index, is thrown at the end.
template <class F>
void for_each_text(std::size_t count, F f) {
  std::vector<std::exception_ptr> failures(count);
  parallel_for(static_cast<std::int64_t>(count), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        f(i);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace impl

#define PARLANCE_TOKENIZER(...)                                                      \
  template <normalizing N, pre_tokenizing P, class M, post_processing Q, decoding D> \
  __VA_ARGS__ basic_tokenizer<N, P, M, Q, D>

PARLANCE_TOKENIZER(std::int32_t)::add_token(added_token token) {
  if (token.content.empty()) return -1;
  if (const auto known = token_to_id(token.content)) {
    token.id = *known;
  } else {
    const auto size = static_cast<std::int32_t>(model_.vocab_size());
    const std::int32_t highest = added_.highest_id();
    token.id = highest >= size || (size == 0 && highest >= 0) ? highest + 1 : size;
  }
  return enter_token(std::move(token));
}

PARLANCE_TOKENIZER(std::int32_t)::enter_token(added_token token) {
  const std::int32_t id = token.id;
  decode_table_ = std::make_shared<lazy_decode_table>();
  added_.add(std::move(token), [&](const std::string& content) {
    aligned_text text(content, 0u, false);
    normalizer_.normalize(text);
    return text.text();
  });
  return id;
}

PARLANCE_TOKENIZER(pre_tokenized)::prepare(std::string_view text, bool track,
                                           bool split_special_tokens) const {
  if constexpr (requires { pre_tokenizer_.needs_alignment(); })
    track = track || pre_tokenizer_.needs_alignment();
  pre_tokenized out(text, track);
  const auto find_added = [&](bool normalized) {
    out.split_each([&](std::string_view view, auto emit) {
      added_.split(view, normalized, split_special_tokens, emit);
    });
  };
  find_added(false);
  const bool same = std::all_of(out.splits().begin(), out.splits().end(), [&](const split& s) {
    return s.token >= 0 || normalizer_.unchanged(out.text(s));
  });
  if (!same) out.rewrite_each([&](aligned_text& piece) { normalizer_.normalize(piece); });
  find_added(true);
  pre_tokenizer_.pre_tokenize(out);
  return out;
}

PARLANCE_TOKENIZER(void)::tokenize(const impl::source_text& source, std::int32_t word,
                                   bool split_special_tokens, encoding& out) const {
  const pre_tokenized pieces = prepare(source.text(), true, split_special_tokens);
  impl::with_model(model_, [&](const auto& m) {
    auto&& scratch = impl::scratch_for(m);
    std::int32_t piece = 0;
    const std::size_t size = source.text().size(), expected = out.size() + size / 4 + 8;
    out.ids.reserve(expected), out.offsets.reserve(expected), out.word_ids.reserve(expected);
    out.tokens.reserve(expected, out.tokens.bytes() + size + size / 4);
    auto original = pieces.original_ranges();
    for (const split& s : pieces.splits()) {
      const auto put = [&](std::int32_t id, std::uint32_t b, std::uint32_t e) {
        out.push_back(id, source.characters(original(s.begin + b, s.begin + e)),
                      word < 0 ? piece : word);
      };
      const std::string_view view = pieces.text(s);
      if (s.token >= 0) {
        put(s.token, 0, s.end - s.begin);
        out.tokens.add(view);
      } else {
        m.tokenize(view, scratch, [&](std::uint32_t id, std::uint32_t b, std::uint32_t e) {
          put(static_cast<std::int32_t>(id), b, e);
          if constexpr (requires { m.token_is_text(id); })
            if (m.token_is_text(id)) return out.tokens.add(view.substr(b, e - b));
          out.tokens.add_by([&](std::string& text) { m.append_token(id, text); });
        });
      }
      ++piece;
    }
  });
  out.complete();
}

PARLANCE_TOKENIZER(void)::truncate_pair(std::vector<encoding>& list,
                                        const encode_options& options) const {
  const truncation_options& limit = *options.truncation;
  const std::size_t single = post_processor_.added_tokens(false);
  if (limit.max_length >= single && limit.max_length - single < limit.stride)
    throw option_error("truncation: stride " + std::to_string(limit.stride) +
                       " is above the room for tokens, " +
                       std::to_string(limit.max_length - single));
  const bool pair = list.size() > 1;
  const std::size_t added = options.add_special_tokens ? post_processor_.added_tokens(pair) : 0;
  truncate(list[0], pair ? &list[1] : nullptr, limit, static_cast<std::uint32_t>(added));
}

PARLANCE_TOKENIZER(encoding)::finish(const sequence_input& first, const sequence_input* pair,
                                     const encode_options& options) const {
  std::vector<sources> texts;
  std::vector<encoding> list;
  for (const sequence_input* input : {&first, pair}) {
    if (!input) continue;
    sources& words = texts.emplace_back();
    encoding& tokens = list.emplace_back();
    words.reserve(input->size());
    for (std::size_t i = 0; i < input->size(); ++i) {
      const std::int32_t word = input->is_split_into_words() ? static_cast<std::int32_t>(i) : -1;
      words.emplace_back((*input)[i], options.invalid_utf8, word);
      tokenize(words.back(), word, options.split_special_tokens, tokens);
    }
    tokens.set_sequence(input == pair);
    tokens.set_type(input == pair);
  }
  if (options.truncation) truncate_pair(list, options);
  list = post_processor_.process(std::move(list), options.add_special_tokens);
  encoding out;
  if (!list.empty()) out = std::move(list[0]);
  for (std::size_t i = 1; i < list.size(); ++i) out.merge(list[i]);
  const auto set_bytes = [&](const auto& self, encoding& e) -> void {
    for (std::size_t i = 0; i < e.size(); ++i) {
      if (e.sequence_ids[i] < 0) continue;
      const sources& words = texts[static_cast<std::size_t>(e.sequence_ids[i])];
      const auto word = first.is_split_into_words() ? static_cast<std::size_t>(e.word_ids[i]) : 0;
      e.byte_offsets[i] = words[word].given_bytes(e.offsets[i]);
    }
    for (encoding& part : e.overflowing) self(self, part);
  };
  set_bytes(set_bytes, out);
  if (options.padding) pad_batch({&out, 1}, *options.padding);
  return out;
}

template <normalizing N, pre_tokenizing P, class M, post_processing Q, decoding D>
template <class Encode>
std::vector<encoding> basic_tokenizer<N, P, M, Q, D>::encode_each(std::size_t count,
                                                                  const encode_options& options,
                                                                  Encode encode_one) const {
  encode_options unpadded = options;
  unpadded.padding.reset();
  std::vector<encoding> out(count);
  impl::for_each_text(count, [&](std::size_t i) { out[i] = encode_one(i, unpadded); });
  if (options.padding) pad_batch(out, *options.padding);
  return out;
}

PARLANCE_TOKENIZER(std::vector<std::int32_t>)::encode_ids(std::string_view text,
                                                          const encode_options& options) const {
  const template_processing* around = nullptr;
  if constexpr (requires { post_processor_.ids_template(around); }) {
    if (options.truncation || options.padding || !post_processor_.ids_template(around))
      return encode(text, options).ids;
  } else {
    return encode(text, options).ids;
  }
  std::string repaired;
  const pre_tokenized pieces = prepare(impl::valid_text(text, options.invalid_utf8, repaired),
                                       false, options.split_special_tokens);
  std::vector<std::int32_t> out;
  out.reserve(text.size() / 3 + 8);
  const auto tokens = [&] {
    impl::with_model(model_, [&](const auto& m) {
      auto&& scratch = impl::scratch_for(m);
      for (const split& s : pieces.splits()) {
        if (s.token >= 0)
          out.push_back(s.token);
        else
          m.tokenize(pieces.text(s), scratch, [&](std::uint32_t id, std::uint32_t, std::uint32_t) {
            out.push_back(static_cast<std::int32_t>(id));
          });
      }
    });
  };
  if (!around || !options.add_special_tokens) {
    tokens();
    return out;
  }
  for (const template_processing::piece& p : around->single) {
    if (p.sequence >= 0) {
      tokens();
    } else {
      const auto& ids = around->specials[p.special].ids;
      out.insert(out.end(), ids.begin(), ids.end());
    }
  }
  return out;
}

PARLANCE_TOKENIZER(std::vector<std::vector<std::int32_t>>)::encode_ids_batch(
    std::span<const std::string> texts, const encode_options& options) const {
  encode_options unpadded = options;
  unpadded.padding.reset();
  std::vector<std::vector<std::int32_t>> out(texts.size());
  impl::for_each_text(texts.size(),
                      [&](std::size_t i) { out[i] = encode_ids(texts[i], unpadded); });
  return out;
}

// The table when it pays and the decoder allows one.
PARLANCE_TOKENIZER(const decode_table*)::table_for(std::size_t ids) const {
  if constexpr (std::is_same_v<D, decoder>) {
    constexpr std::size_t worthwhile = 256;
    if (ids < worthwhile) return nullptr;
    std::call_once(decode_table_->once, [&] {
      const std::size_t limit = std::max<std::size_t>(
          model_.token_limit(), static_cast<std::size_t>(added_.highest_id() + 1));
      if (auto plan = decode_plan::of(decoder_))
        decode_table_->table.emplace(
            std::move(*plan), static_cast<std::int32_t>(limit),
            [&](std::int32_t id) { return id_to_token(id); },
            [&](std::int32_t id) { return is_special(id); });
    });
    return decode_table_->table ? &*decode_table_->table : nullptr;
  } else {
    return static_cast<void>(ids), nullptr;
  }
}

PARLANCE_TOKENIZER(std::string)::join_tokens(std::span<const std::int32_t> ids,
                                             bool skip_special_tokens) const {
  if (const decode_table* table = table_for(ids.size()))
    return table->decode(ids, skip_special_tokens,
                         [&](std::int32_t id) { return id_to_token(id); });
  string_chain tokens;
  tokens.reserve(ids.size());
  for (std::int32_t id : ids) {
    if constexpr (requires { model_.decoded_id(0u); })
      if (!added_.find(id))
        id = static_cast<std::int32_t>(model_.decoded_id(static_cast<std::uint32_t>(id)));
    auto token = id_to_token(id);
    if (!token) continue;
    // By name: a vocabulary of targets may have ids of its own for special tokens.
    if (const added_token* t = skip_special_tokens ? added_.find(*token) : nullptr; t && t->special)
      continue;
    tokens.push_back(std::move(*token));
  }
  return tokens_to_text(std::move(tokens));
}

PARLANCE_TOKENIZER(std::string)::decode(std::span<const std::int32_t> ids,
                                        const decode_options& options) const {
  std::string text = join_tokens(ids, options.skip_special_tokens);
  if (options.clean_up_tokenization_spaces.value_or(clean_up_))
    text = clean_up_tokenization(std::move(text));
  return text;
}

#undef PARLANCE_TOKENIZER

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
