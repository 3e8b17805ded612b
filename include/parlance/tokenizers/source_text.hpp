// SPDX-License-Identifier: Apache-2.0
// The text that a caller hands in: checked or repaired UTF-8, and the conversions between its bytes
// and characters that offsets need.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/aligned_text.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

// What becomes of text that is not UTF-8.
enum class invalid_utf8 {
  reject,  // a text_error with the position of the first wrong byte
  replace  // every maximal invalid subsequence is read as U+FFFD
};

// One text, or words that were split before (is_split_into_words in transformers).
struct sequence_input {
  sequence_input(std::string_view text) : text_(text) {}
  sequence_input(std::span<const std::string> words) : words_(words), is_split_(true) {}

  bool is_split_into_words() const { return is_split_; }
  std::size_t size() const { return is_split_ ? words_.size() : 1; }
  std::string_view operator[](std::size_t i) const { return is_split_ ? words_[i] : text_; }

 private:
  std::string_view text_;
  std::span<const std::string> words_;
  bool is_split_ = false;
};

namespace impl {

// `text` itself, or its repaired copy in `storage`; `word` is its index among pre-split words, or
// -1.
inline std::string_view valid_text(std::string_view text, invalid_utf8 rule, std::string& storage,
                                   std::int32_t word = -1) {
  const auto name = [&] {
    return word < 0 ? std::string("text to encode") : "word " + std::to_string(word);
  };
  const std::size_t at = utf8_find_invalid(text);
  if (at != std::string_view::npos) {
    if (rule == invalid_utf8::reject)
      throw text_error(name() + ": invalid UTF-8 at byte " + std::to_string(at),
                       "invalid_utf8::replace reads such bytes as U+FFFD");
    text = storage = utf8_replace_invalid(text);
  }
  if (text.size() > 0x7FFFFFFF) throw text_error(name() + ": more than 2 GiB");
  return text;
}

// Conversions between bytes and characters of one text; what is not UTF-8 counts as utf8_decode
// reads it.
class character_map {
 public:
  explicit character_map(std::string_view text) {
    if (is_ascii(text)) return;
    character_of_.resize(text.size() + 1);
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t end = i + utf8_decode(text, i).length;
      const auto character = static_cast<std::uint32_t>(byte_of_.size());
      byte_of_.push_back(static_cast<std::uint32_t>(i));
      for (; i < end; ++i) character_of_[i] = character;
    }
    character_of_[text.size()] = static_cast<std::uint32_t>(byte_of_.size());
    byte_of_.push_back(static_cast<std::uint32_t>(text.size()));
  }
  byte_range characters(byte_range bytes) const {
    if (character_of_.empty()) return bytes;
    return {character_of_[bytes.begin], character_of_[bytes.end]};
  }
  byte_range bytes(byte_range characters) const {
    if (byte_of_.empty()) return characters;
    return {byte_of_[characters.begin], byte_of_[characters.end]};
  }

 private:
  std::vector<std::uint32_t> character_of_, byte_of_;  // empty for ASCII
};

// A text made ready for the pipeline: the bytes it works on, their characters, and the bytes that
// those characters have in the text as it was given.
class source_text {
 public:
  source_text(std::string_view given, invalid_utf8 rule, std::int32_t word)
      : given_(given), characters_(valid_text(given, rule, repaired_, word)) {
    if (!repaired_.empty()) given_characters_.emplace(given);
  }
  std::string_view text() const { return repaired_.empty() ? given_ : repaired_; }
  byte_range characters(byte_range bytes) const { return characters_.characters(bytes); }
  byte_range given_bytes(byte_range characters) const {
    return (given_characters_ ? *given_characters_ : characters_).bytes(characters);
  }

 private:
  std::string_view given_;
  std::string repaired_;
  character_map characters_;
  std::optional<character_map> given_characters_;  // when repaired
};

}  // namespace impl

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
