// SPDX-License-Identifier: Apache-2.0
// From tokens to text as the slow tokenizers of Marian and M2M100 do it: SentencePiece joins the
// pieces between special tokens. Source: transformers 4.57, tokenization_utils.py (_decode),
// tokenization_{marian,m2m_100}.py; google/sentencepiece 0.2, sentencepiece_processor.cc
// (DecodePieces).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/sentence_piece.hpp"
#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

class piece_decoder {
 public:
  enum class role : std::uint32_t { special, apart };

  // `spaced`: a space follows each special token, and bars of foreign pieces become spaces
  // (Marian).
  piece_decoder(const sentence_piece_model& m, bool spaced)
      : spaced_(spaced),
        keeps_first_(!m.add_dummy_prefix && !m.remove_extra_whitespaces),
        removes_all_(m.remove_extra_whitespaces) {
    auto table = std::make_shared<token_table>();
    for (std::size_t i = 0; i < m.pieces.size(); ++i)
      table->add(m.pieces[i], static_cast<std::uint32_t>(m.types[i]));
    types_ = std::move(table);
  }
  // Special tokens end a run of pieces; those `apart` stand alone, with spaces around them.
  void add(std::string_view token, role r) { roles_.add(token, static_cast<std::uint32_t>(r)); }

  std::vector<std::string> decode_chain(std::vector<std::string> tokens) const {
    std::vector<std::string> parts, run;
    const auto flush = [&] {
      if (std::string text = join(run); !text.empty()) parts.push_back(std::move(text));
      run.clear();
    };
    for (std::string& token : tokens) {
      if (roles_.find(token) != static_cast<std::uint32_t>(role::apart)) {
        run.push_back(std::move(token));
        continue;
      }
      flush();
      parts.push_back(std::move(token));
    }
    flush();
    for (std::size_t i = 1; i < parts.size(); ++i) parts[i].insert(0, " ");
    return parts;
  }

 private:
  static constexpr std::string_view bar = "\xE2\x96\x81";

  std::string join(const std::vector<std::string>& tokens) const {
    std::string out, run;
    bool first_bar = false;
    for (const std::string& token : tokens) {
      if (roles_.find(token) == static_cast<std::uint32_t>(role::special)) {
        out += run + token + (spaced_ ? " " : "");
        run.clear(), first_bar = false;
      } else {
        add_piece(token, run, first_bar);
      }
    }
    out += run;
    if (spaced_) replace_all(out, bar, " ");
    return strip(out);
  }
  void add_piece(std::string_view piece, std::string& run, bool& first_bar) const {
    const std::uint32_t type = types_->find(piece);
    if (type == token_table::none) {
      run += piece;
    } else if (static_cast<piece_type>(type) == piece_type::unknown) {
      run += " \xE2\x81\x87 ";
    } else if (static_cast<piece_type>(type) != piece_type::control) {
      const bool first = run.empty() && !first_bar && !keeps_first_ && piece.starts_with(bar);
      if (first) piece.remove_prefix(bar.size());
      first_bar = first && !removes_all_;
      std::string text(piece);
      replace_all(text, bar, " ");
      run += text;
      return;
    }
    first_bar = false;
  }
  // Python's str.strip().
  static std::string strip(std::string_view text) {
    const auto white = [](const unicode::step& s) {
      return unicode::is_white_space(s.code_point) ||
             (s.code_point >= 0x1C && s.code_point <= 0x1F);
    };
    while (!text.empty() && white(unicode::decode(text, 0)))
      text.remove_prefix(unicode::decode(text, 0).length);
    while (!text.empty() && white(unicode::decode_before(text, text.size())))
      text.remove_suffix(unicode::decode_before(text, text.size()).length);
    return std::string(text);
  }

  std::shared_ptr<const token_table> types_;
  token_table roles_;
  bool spaced_, keeps_first_, removes_all_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
