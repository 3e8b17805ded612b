// SPDX-License-Identifier: Apache-2.0
// Decoders: from token strings back to text. Struct names follow the "type" tags of tokenizer.json.
// Contract: `decode_chain` maps a list of strings to a list of strings that are joined in the end.
// Source: huggingface/tokenizers 0.22, src/decoders.
#pragma once

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "parlance/tokenizers/byte_level.hpp"
#include "parlance/tokenizers/normalizers.hpp"
#include "parlance/tokenizers/piece_decoder.hpp"
#include "parlance/tokenizers/pre_tokenizers.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

using string_chain = std::vector<std::string>;

template <class D>
concept decoding = requires(const D d, string_chain tokens) {
  { d.decode_chain(tokens) } -> std::same_as<string_chain>;
};

// Without a decoder tokens are joined by spaces.
struct no_decoder {
  string_chain decode_chain(string_chain tokens) const {
    for (std::size_t i = 1; i < tokens.size(); ++i) tokens[i].insert(0, 1, ' ');
    return tokens;
  }
};

struct byte_level_decoder {
  string_chain decode_chain(string_chain tokens) const {
    std::string bytes;
    for (const std::string& token : tokens)
      if (!byte_level_decode(token, bytes)) bytes += token;
    return {utf8_replace_invalid(bytes)};
  }
};

struct metaspace_decoder {
  std::string replacement = "\xE2\x96\x81";
  bool strip_first = true;  // in the first token the replacement vanishes
  string_chain decode_chain(string_chain tokens) const {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], replacement, i == 0 && strip_first ? "" : " ");
    return tokens;
  }
};

struct byte_fallback_decoder {
  string_chain decode_chain(string_chain tokens) const {
    string_chain out;
    std::string bytes;
    const auto flush = [&] {
      if (!bytes.empty())
        for (std::string& part : join(bytes)) out.push_back(std::move(part));
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const int b = byte_of(token); b >= 0) {
        bytes.push_back(static_cast<char>(b));
      } else {
        flush();
        out.push_back(std::move(token));
      }
    }
    flush();
    return out;
  }
  // A run of bytes: their text, or a replacement for each.
  static string_chain join(const std::string& bytes) {
    if (utf8_find_invalid(bytes) == std::string_view::npos) return {bytes};
    return string_chain(bytes.size(), std::string(replacement_character));
  }
  // The byte of "<0xHH>", or -1.
  static int byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
    int value = 0;
    for (const char c : token.substr(3, 2)) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return -1;
      value = value * 16 + digit;
    }
    return value;
  }
};

struct fuse_decoder {
  string_chain decode_chain(string_chain tokens) const {
    std::string joined;
    for (const std::string& token : tokens) joined += token;
    return {std::move(joined)};
  }
};

struct strip_decoder {
  std::string content;  // one character
  std::uint32_t start = 0, stop = 0;
  string_chain decode_chain(string_chain tokens) const {
    for (std::string& token : tokens) {
      std::size_t begin = 0, end = token.size();
      const std::string_view view = token;
      for (std::uint32_t k = 0; k < start && view.substr(begin).starts_with(content); ++k)
        begin += content.size();
      for (std::uint32_t k = 0; k < stop && view.substr(begin, end - begin).ends_with(content); ++k)
        end -= content.size();
      token = token.substr(begin, end - begin);
    }
    return tokens;
  }
};

struct replace_decoder {
  static constexpr std::size_t longest = std::size_t{1} << 24;  // rules in a row may multiply
  pattern what;
  std::string content;
  string_chain decode_chain(string_chain tokens) const {
    for (std::string& token : tokens) {
      std::string out;
      what.each(token, [&](std::size_t begin, std::size_t end, bool match) {
        match ? out += content : out.append(token, begin, end - begin);
        if (out.size() > longest)
          throw text_error("decoder: Replace makes a token longer than " + std::to_string(longest) +
                           " bytes");
      });
      token = std::move(out);
    }
    return tokens;
  }
};

// Takes out the spaces before punctuation and English contractions: transformers'
// clean_up_tokenization, to which the decoders of tokenizers add a rule for "do not".
inline void remove_extra_spaces(std::string& text, bool join_do_not) {
  using rule = std::pair<std::string_view, std::string_view>;
  constexpr std::string_view do_not = " do not";
  for (const auto& [from, to] : {rule{" .", "."},
                                 {" ?", "?"},
                                 {" !", "!"},
                                 {" ,", ","},
                                 {" ' ", "'"},
                                 {" n't", "n't"},
                                 {" 'm", "'m"},
                                 {do_not, " don't"},
                                 {" 's", "'s"},
                                 {" 've", "'ve"},
                                 {" 're", "'re"}})
    if (join_do_not || from != do_not) replace_all(text, from, to);
}
inline void word_piece_cleanup(std::string& token) { remove_extra_spaces(token, true); }

struct word_piece_decoder {
  std::string prefix = "##";
  bool cleanup = true;
  string_chain decode_chain(string_chain tokens) const {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      std::string& token = tokens[i];
      if (i > 0 && token.starts_with(prefix))
        token.erase(0, prefix.size());
      else if (i > 0)
        token.insert(0, 1, ' ');
      if (cleanup) word_piece_cleanup(token);
    }
    return tokens;
  }
};

struct bpe_decoder {
  std::string suffix = "</w>";
  string_chain decode_chain(string_chain tokens) const {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], suffix, i + 1 < tokens.size() ? " " : "");
    return tokens;
  }
};

// Output of connectionist temporal classification: repeats become one, padding goes.
struct ctc_decoder {
  std::string pad_token = "<pad>", word_delimiter_token = "|";
  bool cleanup = true;
  string_chain decode_chain(string_chain tokens) const {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    string_chain out;
    for (std::string& token : tokens) {
      replace_all(token, pad_token, "");
      if (cleanup) {
        word_piece_cleanup(token);
        replace_all(token, word_delimiter_token, " ");
      }
      if (!token.empty()) out.push_back(std::move(token));
    }
    return out;
  }
};

struct decoder;
struct decoder_sequence {
  std::vector<decoder> items;
  string_chain decode_chain(string_chain tokens) const;
};

// Any decoder that tokenizer.json can hold, and that of models with a vocab.json of their own.
struct decoder {
  std::variant<no_decoder, byte_level_decoder, metaspace_decoder, byte_fallback_decoder,
               fuse_decoder, strip_decoder, replace_decoder, word_piece_decoder, bpe_decoder,
               ctc_decoder, piece_decoder, decoder_sequence>
      value;
  string_chain decode_chain(string_chain tokens) const {
    return std::visit([&](const auto& d) { return d.decode_chain(std::move(tokens)); }, value);
  }
  static decoder from_json(const json& node);
};

inline string_chain decoder_sequence::decode_chain(string_chain tokens) const {
  for (const decoder& d : items) tokens = d.decode_chain(std::move(tokens));
  return tokens;
}

inline decoder decoder::from_json(const json& node) {
  if (node.is_null()) return {};
  const json_fields fields(node, "decoder");
  const std::string type = fields.text("type");
  if (type == "ByteLevel") return {byte_level_decoder{}};
  if (type == "Metaspace") {
    const metaspace m = impl::metaspace_from_json(fields);
    return {metaspace_decoder{m.replacement, m.prepend_scheme != metaspace::scheme::never}};
  }
  if (type == "ByteFallback") return {byte_fallback_decoder{}};
  if (type == "Fuse") return {fuse_decoder{}};
  if (type == "Strip") {
    return {
        strip_decoder{fields.character("content"), fields.number("start"), fields.number("stop")}};
  }
  if (type == "Replace")
    return {replace_decoder{pattern_from_json(fields), fields.text("content")}};
  if (type == "WordPiece")
    return {word_piece_decoder{fields.text("prefix"), fields.flag("cleanup")}};
  if (type == "BPEDecoder") return {bpe_decoder{fields.text("suffix")}};
  if (type == "CTC")
    return {ctc_decoder{fields.text("pad_token"), fields.text("word_delimiter_token"),
                        fields.flag("cleanup")}};
  if (type == "Sequence") {
    decoder_sequence sequence;
    for (const json& item : fields.array("decoders")) sequence.items.push_back(from_json(item));
    return {std::move(sequence)};
  }
  unsupported_component("decoder", type,
                        "BPEDecoder, ByteFallback, ByteLevel, CTC, Fuse, Metaspace, Replace, "
                        "Sequence, Strip, WordPiece");
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
