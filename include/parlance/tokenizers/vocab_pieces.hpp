// SPDX-License-Identifier: Apache-2.0
// SentencePiece models whose ids come from a vocab.json (Marian, M2M100): the model cuts the text,
// the vocabulary numbers the pieces. No tokenizer.json can say that, so text is normalized here as
// SentencePiece does it. Source: google/sentencepiece 0.2, src/normalizer.cc; transformers 4.57,
// tokenization_marian.py, tokenization_m2m_100.py.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "parlance/tokenizers/bpe.hpp"
#include "parlance/tokenizers/precompiled.hpp"
#include "parlance/tokenizers/sentence_piece.hpp"
#include "parlance/tokenizers/unigram.hpp"
#include "parlance/tokenizers/vocab_files.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

// SentencePiece's normalizer: every byte of the result with the bytes of the text it stands for.
class sentence_piece_normalizer {
 public:
  struct result {
    std::string text;
    std::vector<byte_range> ranges;
  };

  // A damaged charsmap is a format_error in `where`.
  sentence_piece_normalizer(const sentence_piece_model& m, const std::string& where)
      : dummy_prefix_(m.add_dummy_prefix), remove_extra_(m.remove_extra_whitespaces) {
    if (!m.precompiled_charsmap.empty()) map_.emplace(m.precompiled_charsmap, where);
  }

  void normalize(std::string_view text, result& out) const {
    out.text.clear(), out.ranges.clear();
    std::size_t at = 0;
    while (remove_extra_ && at < text.size()) {
      const charsmap::match m = next(text.substr(at));
      if (m.replacement != " ") break;
      at += m.length;
    }
    if (at == text.size()) return;
    if (dummy_prefix_) put(" ", {position(at), position(at)}, out);
    for (bool after_space = remove_extra_; at < text.size();) {
      const charsmap::match m = next(text.substr(at));
      std::string_view part = m.replacement;
      if (after_space) part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
      put(part, {position(at), position(at + m.length)}, out);
      if (!part.empty()) after_space = remove_extra_ && part.ends_with(' ');
      at += m.length;
    }
    while (remove_extra_ && out.text.ends_with(bar)) out.text.resize(out.text.size() - bar.size());
  }

 private:
  static constexpr std::string_view bar = "\xE2\x96\x81";
  static std::uint32_t position(std::size_t at) { return static_cast<std::uint32_t>(at); }

  charsmap::match next(std::string_view text) const {
    if (map_)
      if (const auto m = map_->longest(text)) return *m;
    const std::size_t n = unicode::length_of(text[0]);
    return {n, text.substr(0, n)};
  }
  static void put(std::string_view part, byte_range from, result& out) {
    for (const char c : part) {
      const std::string_view bytes = c == ' ' ? bar : std::string_view(&c, 1);
      out.text += bytes;
      out.ranges.insert(out.ranges.end(), bytes.size(), from);
    }
  }

  std::optional<charsmap> map_;
  bool dummy_prefix_, remove_extra_;
};

// One SentencePiece model with one vocabulary.
class vocab_pieces {
 public:
  struct scratch {
    sentence_piece_normalizer::result normalized;
  };

  // Throws format_error when the vocabulary has no `unk_token`, unsupported_error for models that
  // are neither Unigram nor BPE, or hold bytes or user-defined pieces. `codes`: a text may start
  // with a language code, ">>de<<".
  vocab_pieces(const sentence_piece_model& m, const std::string& where, const model_data& vocab,
               const std::string& vocab_where, std::string_view unk_token, bool codes)
      : normalizer_(m, where), pieces_(cut(m, where)), words_(vocab), codes_(codes) {
    unk_id_ = words_.find(unk_token);
    if (unk_id_ == vocabulary::none)
      throw format_error(vocab_where, -1, "no token '" + std::string(unk_token) + "'",
                         "the vocabulary must hold the unknown token");
    ids_.push_back(unk_id_);
    for (std::size_t i = 0; i < m.pieces.size(); ++i)
      if (m.types[i] == piece_type::normal) ids_.push_back(id_of(m.pieces[i]));
  }

  const vocabulary& words() const { return words_; }
  std::uint32_t unk_id() const { return unk_id_; }

  template <class Emit>
  void tokenize(std::string_view text, scratch& s, Emit emit) const {
    std::uint32_t begin = 0;
    if (const std::size_t end = code_end(text); end > 0) {
      begin = static_cast<std::uint32_t>(end);
      emit(id_of(text.substr(0, end)), std::uint32_t{0}, begin);
    }
    normalizer_.normalize(text.substr(begin), s.normalized);
    const std::string& view = s.normalized.text;
    if (view.empty()) return;
    const auto put = [&](std::uint32_t id, std::uint32_t b, std::uint32_t e) {
      const auto& ranges = s.normalized.ranges;
      emit(id == unknown ? id_of(std::string_view(view).substr(b, e - b)) : ids_[id],
           begin + ranges[b].begin, begin + ranges[e - 1].end);
    };
    std::visit(
        [&](const auto& model) {
          auto scratch = model.borrow_scratch();
          model.tokenize(view, scratch, put);
        },
        pieces_);
  }

 private:
  static constexpr std::uint32_t unknown = 0;

  std::uint32_t id_of(std::string_view piece) const {
    const std::uint32_t id = words_.find(piece);
    return id == vocabulary::none ? unk_id_ : id;
  }
  std::size_t code_end(std::string_view text) const {
    if (!codes_ || !text.starts_with(">>")) return 0;
    const std::size_t end = text.find("<<");
    return end == std::string_view::npos ? 0 : end + 2;
  }
  static std::variant<unigram, bpe> cut(const sentence_piece_model& m, const std::string& where) {
    using kind = sentence_piece_model::kind;
    if (m.model_type != kind::unigram && m.model_type != kind::bpe)
      throw unsupported_error(where + ": a SentencePiece model of words or characters",
                              "supported: unigram, bpe");
    model_data data;
    const auto add = [&](std::string_view piece, double score) {
      data.ids.push_back(static_cast<std::uint32_t>(data.tokens.size()));
      data.tokens.add(piece), data.scores.push_back(score);
    };
    const std::string none = "\xFF";  // in no valid text
    add(none, 0.0);
    for (std::size_t i = 0; i < m.pieces.size(); ++i) {
      if (m.types[i] == piece_type::user_defined || m.types[i] == piece_type::byte)
        throw unsupported_error(where + ": piece " + std::to_string(i) + " '" +
                                    std::string(m.pieces[i]) + "' is a byte or user-defined",
                                "beside a vocab.json only normal pieces are supported");
      if (m.types[i] == piece_type::normal) add(m.pieces[i], static_cast<double>(m.scores[i]));
    }
    if (m.model_type == kind::unigram) return unigram(std::move(data), {.unk_id = unknown});
    add_merges_from_scores(data, data.scores);
    bpe_options options;
    options.unk_token = none;
    options.fuse_unk = true;
    return bpe(data, std::move(options), false);
  }

  sentence_piece_normalizer normalizer_;
  std::variant<unigram, bpe> pieces_;  // piece 0 stands for what is unknown
  vocabulary words_;
  std::vector<std::uint32_t> ids_;  // of the pieces
  std::uint32_t unk_id_ = 0;
  bool codes_;
};

// What a tokenizer works with: pieces for sources and pieces for targets, which may be the same.
// Ids become tokens by the targets' vocabulary.
class translation_pieces {
 public:
  using scratch = vocab_pieces::scratch;

  translation_pieces(std::shared_ptr<const vocab_pieces> source,
                     std::shared_ptr<const vocab_pieces> target)
      : source_(std::move(source)), target_(std::move(target)) {}

  void use_target(bool yes) { targets_ = yes; }
  std::size_t vocab_size() const { return source_->words().size(); }
  std::uint32_t token_limit() const { return target_->words().limit(); }
  std::uint32_t token_to_id(std::string_view token) const { return now().words().find(token); }
  std::optional<std::string> id_to_token(std::uint32_t id) const {
    return target_->words().token(id);
  }
  void append_token(std::uint32_t id, std::string& out) const {
    target_->words().append_token(id, out);
  }
  // The unknown token for an id that is none, as transformers decodes it.
  std::uint32_t decoded_id(std::uint32_t id) const {
    return target_->words().token(id) ? id : target_->unk_id();
  }
  template <class Emit>
  void tokenize(std::string_view text, scratch& s, Emit emit) const {
    now().tokenize(text, s, emit);
  }

 private:
  const vocab_pieces& now() const { return targets_ ? *target_ : *source_; }

  std::shared_ptr<const vocab_pieces> source_, target_;
  bool targets_ = false;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
