// SPDX-License-Identifier: Apache-2.0
// The folders of Marian (source.spm, target.spm, vocab.json) and M2M100 (sentencepiece.bpe.model,
// vocab.json). Source: transformers 4.57, tokenization_{marian,m2m_100}.py.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "parlance/tokenizers/piece_decoder.hpp"
#include "parlance/tokenizers/slow_files.hpp"
#include "parlance/tokenizers/tokenizer_classes.hpp"
#include "parlance/tokenizers/tokenizer_spec.hpp"
#include "parlance/tokenizers/vocab_pieces.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

// Families of SentencePiece models with a vocab.json, and the files of their folders.
inline bool is_translation(tokenizer_family family) {
  return family == tokenizer_family::marian || family == tokenizer_family::m2m100;
}
inline constexpr std::array translation_files{
    "source.spm",       "target.spm", "vocab.json", "target_vocab.json", "sentencepiece.bpe.model",
    "added_tokens.json"};

namespace impl {

inline std::string pieces_file(tokenizer_family family, bool target) {
  if (family == tokenizer_family::m2m100) return "sentencepiece.bpe.model";
  return target ? "target.spm" : "source.spm";
}

// M2M100's tokens for languages, whose ids follow those of vocab.json.
inline std::vector<std::string> language_tokens(const slow_files& files, tokenizer_family family) {
  std::vector<std::string> out;
  if (family != tokenizer_family::m2m100) return out;
  const json_fields settings(files.settings, files.name("tokenizer_config.json"));
  const bool wmt = settings.choice("language_codes", {"m2m100", "wmt21"}, 0) == 1;
  for (const std::string& code : split_words(wmt ? language_codes::wmt21 : language_codes::m2m100))
    out.push_back("__" + code + "__");
  return out;
}

inline model_data translation_vocabulary(const slow_files& files, tokenizer_family family,
                                         const char* name) {
  model_data out;
  read_vocab_json(files.read(name), files.name(name), out);
  auto id = static_cast<std::uint32_t>(out.tokens.size());
  for (const std::string& token : language_tokens(files, family))
    out.tokens.add(token), out.ids.push_back(id++);
  return out;
}

inline void convert_translation(const slow_files& files, tokenizer_family family,
                                const tokenizer_config& config, tokenizer_spec& spec) {
  const bool marian = family == tokenizer_family::marian;
  const std::string& unk = config.find("unk_token")->token.content;
  const auto pieces = [&](bool target, const char* vocab) {
    const std::string file = pieces_file(family, target), where = files.name(file.c_str());
    const sentence_piece_model m = read_sentence_piece(files.read(file.c_str()), where);
    return std::make_shared<const vocab_pieces>(
        m, where, translation_vocabulary(files, family, vocab), files.name(vocab), unk, marian);
  };
  auto source = pieces(false, "vocab.json"), target = source;
  if (marian) {
    const std::string& pad = config.find("pad_token")->token.content;
    if (source->words().find(pad) == vocabulary::none)
      throw format_error(files.name("vocab.json"), -1, "no token '" + pad + "'",
                         "Marian's vocabulary must hold the padding token");
    const bool separate = files.flag("separate_vocabs", false);
    target = pieces(true, separate ? "target_vocab.json" : "vocab.json");
  }
  spec.where = files.name("vocab.json");
  spec.pieces.emplace(std::move(source), std::move(target));
}

// The decoder, once all tokens are known. Added tokens stand apart when transformers calls them
// legacy: no special ones, or special ones outside the vocabulary.
inline piece_decoder translation_decoder(const slow_files& files, tokenizer_family family,
                                         const tokenizer_config& config,
                                         const added_vocabulary& added, std::size_t vocab_size) {
  const std::string file = pieces_file(family, true);
  vocab_size -= language_tokens(files, family).size();
  piece_decoder out(read_sentence_piece(files.read(file.c_str()), files.name(file.c_str())),
                    family == tokenizer_family::marian);
  for (const added_token& t : added.tokens()) out.add(t.content, piece_decoder::role::apart);
  for (const auto& named : config.special_tokens) {
    const added_token* t = added.find(named.token.content);
    const bool outside = named.name == "additional_special_tokens" && t &&
                         static_cast<std::size_t>(t->id) >= vocab_size;
    if (!outside) out.add(named.token.content, piece_decoder::role::special);
  }
  return out;
}

}  // namespace impl

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
