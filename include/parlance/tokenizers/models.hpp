// SPDX-License-Identifier: Apache-2.0
// Any model that files can hold: a closed variant. Work over many pieces goes through
// `visit`, once for a whole text, so that the inner loop is compiled for the model at hand.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "parlance/tokenizers/bpe.hpp"
#include "parlance/tokenizers/unigram.hpp"
#include "parlance/tokenizers/vocab_pieces.hpp"
#include "parlance/tokenizers/word_level.hpp"
#include "parlance/tokenizers/word_piece.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct model {
  std::variant<bpe, word_piece, word_level, unigram, translation_pieces> value;

  template <class F>
  decltype(auto) visit(F f) const {
    return std::visit(std::move(f), value);
  }
  std::uint32_t token_to_id(std::string_view token) const {
    return visit([&](const auto& m) { return m.token_to_id(token); });
  }
  std::optional<std::string> id_to_token(std::uint32_t id) const {
    return visit([&](const auto& m) { return m.id_to_token(id); });
  }
  // The id that decoding takes for this one.
  std::uint32_t decoded_id(std::uint32_t id) const {
    const auto* pieces = std::get_if<translation_pieces>(&value);
    return pieces ? pieces->decoded_id(id) : id;
  }
  // All ids are below this.
  std::uint32_t token_limit() const {
    return visit([](const auto& m) { return m.token_limit(); });
  }
  std::size_t vocab_size() const {
    return visit([](const auto& m) { return m.vocab_size(); });
  }
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
