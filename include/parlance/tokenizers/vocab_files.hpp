// SPDX-License-Identifier: Apache-2.0
// Vocabularies in files of their own, older than tokenizer.json: vocab.txt (BERT), vocab.json and
// merges.txt (GPT-2), tiktoken's rank files. Each function takes the text of a file and its name,
// which format_errors give together with the line or byte.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/base64.hpp"
#include "parlance/core/json.hpp"
#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/byte_level.hpp"
#include "parlance/tokenizers/token_table.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

namespace impl {

// f(line without its end, number from 1, byte where it starts).
template <class F>
void each_line(std::string_view text, F f) {
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    f(line, ++number, begin);
    begin = end + 1;
  }
}

}  // namespace impl

// vocab.txt: a token a line, ids from 0.
inline void read_vocab_txt(std::string_view text, const std::string& where, model_data& out) {
  require_utf8(text, where);
  impl::each_line(text, [&](std::string_view line, std::size_t number, std::size_t) {
    out.tokens.add(line);
    out.ids.push_back(static_cast<std::uint32_t>(number - 1));
  });
  if (out.tokens.size() == 0) throw format_error(where, 0, "empty");
}

// vocab.json: {token: id}.
inline void read_vocab_json(std::string_view text, const std::string& where, model_data& out) {
  const json document = parse_json(text, where);
  if (!document.is_object()) throw format_error(where, -1, "expected an object of tokens to ids");
  for (const auto& [token, id] : document.items()) {
    if (!id.is_number_integer() || id < 0 || id > 0x7FFFFFFE)
      throw format_error(where, -1, "id of '" + token + "': expected a whole number");
    out.tokens.add(token);
    out.ids.push_back(id.get<std::uint32_t>());
  }
  if (out.tokens.size() == 0) throw format_error(where, -1, "empty");
}

// merges.txt: "left right" a line, in order of rank, after an optional line "#version".
inline void read_merges_txt(std::string_view text, const std::string& where, model_data& out) {
  require_utf8(text, where);
  impl::each_line(text, [&](std::string_view line, std::size_t number, std::size_t begin) {
    if (line.empty() || line.starts_with("#version")) return;
    const std::size_t space = line.find(' ');
    if (space == 0 || space == std::string_view::npos || space + 1 == line.size() ||
        line.find(' ', space + 1) != std::string_view::npos)
      throw format_error(where, static_cast<std::int64_t>(begin),
                         "line " + std::to_string(number) + ": expected two tokens");
    out.merges.add(line.substr(0, space));
    out.merges.add(line.substr(space + 1));
  });
}

// Every way to cut a token into two tokens is a merge; better tokens first. `rank` gives order by
// the score alone, else longer left parts come first among equal scores. Source: transformers 4.57,
// generate_merges and TikTokenConverter.
template <class Score>
void add_merges_from_scores(model_data& data, const std::vector<Score>& scores, bool rank = false) {
  const auto n = static_cast<std::uint32_t>(data.tokens.size());
  token_table table;
  table.reserve(n, data.tokens.bytes());
  for (std::uint32_t i = 0; i < n; ++i) table.add(data.tokens[i], i);
  struct merge {
    Score score;
    std::uint32_t left_length, right_length, left, right;
  };
  std::vector<merge> list;
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::string_view piece = data.tokens[i];
    if (piece.size() > 1024) continue;  // quadratic in the length; no trainer makes such pieces
    const std::size_t first = list.size();
    const auto characters = static_cast<std::uint32_t>(utf8_length(piece));
    std::uint32_t count = 0;
    for (std::size_t at = 0; at < piece.size();) {
      at += unicode::length_of(piece[at]);
      if (at >= piece.size()) break;
      ++count;
      const std::uint32_t left = table.find(piece.substr(0, at));
      if (left == token_table::none) continue;
      const std::uint32_t right = table.find(piece.substr(at));
      if (right != token_table::none)
        list.push_back({scores[i], count, characters - count, left, right});
    }
    std::sort(list.begin() + static_cast<std::ptrdiff_t>(first), list.end(),
              [&](const merge& a, const merge& b) {
                return std::pair(data.ids[a.left], data.ids[a.right]) <
                       std::pair(data.ids[b.left], data.ids[b.right]);
              });
  }
  std::stable_sort(list.begin(), list.end(), [&](const merge& a, const merge& b) {
    if (a.score != b.score) return a.score > b.score;
    if (rank) return false;
    if (a.left_length != b.left_length) return a.left_length > b.left_length;
    return a.right_length > b.right_length;
  });
  for (const merge& m : list) {
    data.merges.add(std::string(data.tokens[m.left]));
    data.merges.add(std::string(data.tokens[m.right]));
  }
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
