// SPDX-License-Identifier: Apache-2.0
// Added tokens: strings that are found in text before any model sees it, each with its matching
// rules. Leftmost, longest match; a match that its rules reject is skipped without a shorter try.
// Source: huggingface/tokenizers 0.22, src/tokenizer/added_vocabulary.rs.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct added_token {
  std::int32_t id = -1;
  std::string content = {};
  bool single_word = false, lstrip = false, rstrip = false, normalized = true, special = false;
};

// A byte trie over token strings.
class token_trie {
 public:
  void add(std::string_view text, std::uint32_t value) {
    if (text.empty()) return;
    if (nodes_.empty()) nodes_.emplace_back();
    std::uint32_t at = 0;
    for (const char c : text) at = child(at, c, true);
    if (nodes_[at].value == none) nodes_[at].value = value;
    first_[static_cast<unsigned char>(text[0])] = true;
  }
  // The longest entry that starts at text[i]; its value, or none. `end` is set on success.
  std::uint32_t longest(std::string_view text, std::size_t i, std::size_t& end) const {
    std::uint32_t at = 0, found = none;
    for (; i < text.size(); ++i) {
      at = child(at, text[i]);
      if (at == none) break;
      if (nodes_[at].value != none) {
        found = nodes_[at].value;
        end = i + 1;
      }
    }
    return found;
  }
  bool may_start(char c) const { return first_[static_cast<unsigned char>(c)]; }
  bool empty() const { return nodes_.empty(); }

  static constexpr std::uint32_t none = 0xFFFFFFFF;

 private:
  struct node {
    std::uint32_t child = none, sibling = none, value = none;
    char byte = 0;
  };
  std::uint32_t child(std::uint32_t at, char c) const {
    std::uint32_t k = nodes_[at].child;
    while (k != none && nodes_[k].byte != c) k = nodes_[k].sibling;
    return k;
  }
  std::uint32_t child(std::uint32_t at, char c, bool) {
    if (const std::uint32_t k = child(at, c); k != none) return k;
    node fresh;
    fresh.byte = c;
    fresh.sibling = nodes_[at].child;
    nodes_.push_back(fresh);
    return nodes_[at].child = static_cast<std::uint32_t>(nodes_.size() - 1);
  }
  std::vector<node> nodes_;
  std::array<bool, 256> first_{};
};

class added_vocabulary {
 public:
  // `normalize(content)` gives the text that a normalized token is looked for as.
  template <class Normalize>
  void add(added_token token, Normalize normalize) {
    if (token.content.empty()) return;
    if (const auto at = by_content_.find(token.content); at != by_content_.end()) {
      token.id = tokens_[at->second].id;
      const bool moves = token.normalized != tokens_[at->second].normalized;
      tokens_[at->second] = std::move(token);
      if (!moves) return;
      raw_ = normalized_ = {};
      for (std::uint32_t i = 0; i < tokens_.size(); ++i) enter(i, normalize);
      return;
    }
    const auto index = static_cast<std::uint32_t>(tokens_.size());
    by_content_.emplace(token.content, index);
    by_id_.insert_or_assign(token.id, index);
    highest_ = std::max(highest_, token.id);
    tokens_.push_back(std::move(token));
    enter(index, normalize);
  }

  const std::vector<added_token>& tokens() const { return tokens_; }
  std::int32_t highest_id() const { return highest_; }  // -1 without tokens
  const added_token* find(std::string_view content) const {
    const auto at = by_content_.find(std::string(content));
    return at == by_content_.end() ? nullptr : &tokens_[at->second];
  }
  const added_token* find(std::int32_t id) const {
    const auto at = by_id_.find(id);
    return at == by_id_.end() ? nullptr : &tokens_[at->second];
  }

  // emit(begin, end, token) over the text, token -1 between added tokens. `normalized` selects the
  // tokens searched; special ones are left as text when `split_special_tokens`.
  template <class Emit>
  void split(std::string_view text, bool normalized, bool split_special_tokens, Emit emit) const {
    const token_trie& trie = normalized ? normalized_ : raw_;
    std::size_t done = 0;
    for (std::size_t i = 0; !trie.empty() && i < text.size();) {
      std::size_t end = 0;
      if (!trie.may_start(text[i])) {
        ++i;
        continue;
      }
      const std::uint32_t index = trie.longest(text, i, end);
      if (index == token_trie::none) {
        ++i;
        continue;
      }
      const added_token& token = tokens_[index];
      const std::size_t begin = i;
      i = end;
      if ((split_special_tokens && token.special) || !stands_alone(text, begin, end, token))
        continue;
      const std::size_t from = token.lstrip ? std::max(left_end(text, begin), done) : begin;
      const std::size_t to = token.rstrip ? right_end(text, end) : end;
      if (done < from) emit(done, from, -1);
      emit(from, to, token.id);
      done = to;
    }
    if (done < text.size()) emit(done, text.size(), -1);
  }

 private:
  template <class Normalize>
  void enter(std::uint32_t index, Normalize& normalize) {
    const added_token& token = tokens_[index];
    if (token.normalized)
      normalized_.add(normalize(token.content), index);
    else
      raw_.add(token.content, index);
  }
  static bool stands_alone(std::string_view text, std::size_t begin, std::size_t end,
                           const added_token& token) {
    if (!token.single_word) return true;
    if (begin > 0 && unicode::is_word(unicode::decode_before(text, begin).code_point)) return false;
    return end >= text.size() || !unicode::is_word(unicode::decode(text, end).code_point);
  }
  static std::size_t left_end(std::string_view text, std::size_t i) {
    while (i > 0) {
      const unicode::step s = unicode::decode_before(text, i);
      if (!unicode::is_white_space(s.code_point)) break;
      i -= s.length;
    }
    return i;
  }
  static std::size_t right_end(std::string_view text, std::size_t i) {
    return unicode::run(text, i, [](std::uint8_t x) { return x & unicode::white_space; });
  }

  std::vector<added_token> tokens_;
  std::unordered_map<std::string, std::uint32_t> by_content_;
  std::unordered_map<std::int32_t, std::uint32_t> by_id_;
  token_trie raw_, normalized_;
  std::int32_t highest_ = -1;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
