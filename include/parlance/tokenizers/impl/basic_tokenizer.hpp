// SPDX-License-Identifier: Apache-2.0
// Bodies of basic_tokenizer.hpp.
#pragma once

#include "parlance/tokenizers/basic_tokenizer.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

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
  const std::int32_t id = token.id;
  added_.add(std::move(token), [&](const std::string& content) {
    aligned_text text(content, 0u, false);
    normalizer_.normalize(text);
    return text.text();
  });
  return id;
}

PARLANCE_TOKENIZER(pre_tokenized)::prepare(std::string_view text, bool track,
                                           bool split_special_tokens) const {
  if (text.size() > max_text) throw text_error("text to encode: more than 2 GiB");
  require_utf8(text, "text to encode");
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

PARLANCE_TOKENIZER(encoding)::encode_sequence(std::string_view text, const impl::character_map& map,
                                              bool split_special_tokens) const {
  const pre_tokenized pieces = prepare(text, true, split_special_tokens);
  encoding out;
  impl::with_model(model_, [&](const auto& m) {
    typename std::remove_cvref_t<decltype(m)>::scratch scratch;
    std::int32_t word = 0;
    for (const split& s : pieces.splits()) {
      const auto put = [&](std::int32_t id, std::string token, std::uint32_t b, std::uint32_t e) {
        const byte_range at = pieces.original_range(s.begin + b, s.begin + e);
        out.push_back(id, std::move(token), map.characters(at), word);
      };
      const std::string_view view = pieces.text(s);
      if (s.token >= 0) {
        put(s.token, std::string(view), 0, s.end - s.begin);
      } else {
        m.tokenize(view, scratch, [&](std::uint32_t id, std::uint32_t b, std::uint32_t e) {
          put(static_cast<std::int32_t>(id), m.id_to_token(id).value_or(std::string()), b, e);
        });
      }
      ++word;
    }
  });
  return out;
}

PARLANCE_TOKENIZER(encoding)::finish(std::string_view text, const std::string_view* pair,
                                     const encode_options& options) const {
  std::vector<impl::character_map> maps{impl::character_map(text)};
  if (pair) maps.emplace_back(*pair);
  std::vector<encoding> list;
  list.push_back(encode_sequence(text, maps[0], options.split_special_tokens));
  if (pair) list.push_back(encode_sequence(*pair, maps[1], options.split_special_tokens));
  if (options.truncation) {
    const std::size_t added =
        options.add_special_tokens ? post_processor_.added_tokens(pair != nullptr) : 0;
    truncate(list[0], pair ? &list[1] : nullptr, *options.truncation,
             static_cast<std::uint32_t>(added));
  }
  for (std::size_t i = 0; i < list.size(); ++i)
    list[i].set_sequence(static_cast<std::int32_t>(i), static_cast<std::int32_t>(i));
  list = post_processor_.process(std::move(list), options.add_special_tokens);
  encoding out;
  if (!list.empty()) out = std::move(list[0]);
  for (std::size_t i = 1; i < list.size(); ++i) out.merge(list[i]);
  const auto set_bytes = [&](const auto& self, encoding& e) -> void {
    for (std::size_t i = 0; i < e.size(); ++i)
      if (e.sequence_ids[i] >= 0)
        e.byte_offsets[i] = maps[static_cast<std::size_t>(e.sequence_ids[i])].bytes(e.offsets[i]);
    for (encoding& part : e.overflowing) self(self, part);
  };
  set_bytes(set_bytes, out);
  if (options.padding) pad_batch({&out, 1}, *options.padding);
  return out;
}

PARLANCE_TOKENIZER(std::vector<encoding>)::encode_batch(std::span<const std::string> texts,
                                                        const encode_options& options) const {
  encode_options unpadded = options;
  unpadded.padding.reset();
  std::vector<encoding> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) out.push_back(encode(text, unpadded));
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
  const pre_tokenized pieces = prepare(text, false, options.split_special_tokens);
  std::vector<std::int32_t> out;
  out.reserve(text.size() / 3 + 8);
  const auto tokens = [&] {
    impl::with_model(model_, [&](const auto& m) {
      typename std::remove_cvref_t<decltype(m)>::scratch scratch;
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

PARLANCE_TOKENIZER(std::string)::decode(std::span<const std::int32_t> ids,
                                        const decode_options& options) const {
  string_chain tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t id : ids) {
    if (options.skip_special_tokens && is_special(id)) continue;
    if (auto token = id_to_token(id)) tokens.push_back(std::move(*token));
  }
  std::string text;
  for (const std::string& part : decoder_.decode_chain(std::move(tokens))) text += part;
  if (options.clean_up_tokenization_spaces.value_or(clean_up_))
    text = clean_up_tokenization(std::move(text));
  return text;
}

#undef PARLANCE_TOKENIZER

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
