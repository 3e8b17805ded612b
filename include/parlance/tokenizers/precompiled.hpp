// SPDX-License-Identifier: Apache-2.0
// The character map that SentencePiece models carry: a double array over UTF-8 keys (Darts-clone)
// and the replacement strings it points into. Applied as Hugging Face tokenizers 0.22 does: a
// grapheme cluster below six bytes is replaced as a whole by the shortest key that starts it, any
// other one character by character. Source: crate spm_precompiled, normalizers/precompiled.rs.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/base64.hpp"
#include "parlance/tokenizers/aligned_text.hpp"
#include "parlance/tokenizers/graphemes.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

// The map itself; every index is checked when it is read.
class charsmap {
 public:
  struct match {
    std::size_t length;            // bytes of the key
    std::string_view replacement;  // may be empty
  };

  // `bytes`: u32 LE size of the trie in bytes, the trie's u32 units, NUL-terminated replacements.
  // Anything else is a format_error in `where`.
  charsmap(std::string_view bytes, const std::string& where) {
    if (bytes.size() < 4) throw format_error(where, 0, "charsmap shorter than its length field");
    const std::size_t size = word(bytes, 0);
    if (size == 0 || size % 4 != 0 || size > bytes.size() - 4)
      throw format_error(where, 0,
                         "charsmap: a trie of " + std::to_string(size) + " bytes in " +
                             std::to_string(bytes.size() - 4) + " that follow");
    units_.reserve(size / 4);
    for (std::size_t i = 0; i < size; i += 4) units_.push_back(word(bytes, 4 + i));
    strings_ = bytes.substr(4 + size);
    if (const std::size_t at = utf8_find_invalid(strings_); at != std::string_view::npos)
      throw format_error(where, static_cast<std::int64_t>(4 + size + at),
                         "charsmap: replacement is not UTF-8");
    check_units(where);
  }

  // The shortest or the longest key that `text` starts with.
  std::optional<match> shortest(std::string_view text) const { return search<false>(text); }
  std::optional<match> longest(std::string_view text) const { return search<true>(text); }

 private:
  static std::uint32_t word(std::string_view bytes, std::size_t i) {
    const auto byte = [&](std::size_t k) -> std::uint32_t {
      return static_cast<unsigned char>(bytes[i + k]);
    };
    return byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24;
  }
  // Fields of a unit. A label above 255 marks a value.
  static constexpr std::uint32_t label(std::uint32_t unit) { return unit & 0x800000FFu; }
  static constexpr bool has_leaf(std::uint32_t unit) { return unit >> 8 & 1; }
  static constexpr std::uint32_t offset(std::uint32_t unit) {
    return unit >> 10 << ((unit & 0x200) >> 6);
  }

  void check_units(const std::string& where) const {
    for (std::uint32_t i = 0; i < units_.size(); ++i) {
      const std::uint32_t unit = units_[i];
      if (label(unit) > 0xFF) continue;
      const std::uint32_t base = i ^ offset(unit);
      const auto fail = [&](const char* what) {
        throw format_error(where, 4 + std::int64_t{i} * 4, std::string("charsmap: ") + what);
      };
      if (base >= units_.size()) fail("trie unit points outside the trie");
      if (!has_leaf(unit)) continue;
      const std::uint32_t value = units_[base] & 0x7FFFFFFF;
      if (value >= strings_.size()) fail("value outside the replacements");
      if (unicode::is_continuation(strings_[value])) fail("value inside a character");
    }
  }

  template <bool Longest>
  std::optional<match> search(std::string_view text) const {
    std::optional<match> found;
    std::uint32_t at = offset(units_[0]);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::uint32_t byte = static_cast<unsigned char>(text[i]);
      at ^= byte;
      if (byte == 0 || at >= units_.size()) break;
      const std::uint32_t unit = units_[at];
      if (label(unit) != byte) break;
      at ^= offset(unit);
      if (!has_leaf(unit)) continue;
      const std::string_view rest = std::string_view(strings_).substr(units_[at] & 0x7FFFFFFF);
      found = match{i + 1, rest.substr(0, rest.find('\0'))};
      if (!Longest) break;
    }
    return found;
  }

  std::vector<std::uint32_t> units_;
  std::string strings_;
};

struct precompiled {
  explicit precompiled(std::shared_ptr<const charsmap> characters) : map(std::move(characters)) {
    for (std::size_t c = 0; c < stable_.size(); ++c) {
      const char byte = static_cast<char>(c);
      stable_[c] = byte != '\r' && !map->shortest({&byte, 1});
    }
  }
  // From the base64 text of tokenizer.json.
  static precompiled from_base64(std::string_view text, const std::string& where) {
    return precompiled(std::make_shared<const charsmap>(base64_decode(text, where), where));
  }

  void normalize(aligned_text& text) const {
    if (unchanged(text.text())) return;
    text.rewrite([&](aligned_text::rewriter& out) {
      const std::string_view t = out.text();
      writer to{out};
      for (std::size_t i = 0; i < t.size();) {
        if (const std::size_t n = stable_run(t, i)) {
          to.keep(i, n);
          i += n;
          continue;
        }
        const std::size_t end = unicode::grapheme_end(t, i);
        if (end - i < 6 && replace(to, t.substr(i, end - i))) {
          i = end;
          continue;
        }
        while (i < end) {
          const std::size_t n = unicode::length_of(t[i]);
          if (!replace(to, t.substr(i, n))) to.keep(i, n);
          i += n;
        }
      }
      to.flush();
    });
  }

  // True for text of single-byte characters that have no entry.
  bool unchanged(std::string_view text) const {
    return std::all_of(text.begin(), text.end(), [&](char c) { return is_stable(c); });
  }

  std::shared_ptr<const charsmap> map;

 private:
  // Bytes from i that no entry can touch: ASCII without an entry, and without what a mark behind it
  // could join.
  std::size_t stable_run(std::string_view t, std::size_t i) const {
    std::size_t end = i;
    while (end < t.size() && is_stable(t[end])) ++end;
    const bool joins = end < t.size() && static_cast<unsigned char>(t[end]) >= 0x80;
    return end - i - (joins && end > i);
  }
  bool is_stable(char c) const {
    return static_cast<unsigned char>(c) < 0x80 && stable_[static_cast<unsigned char>(c)];
  }
  // Pairs old and new characters as the original does, which counts a character that became nothing
  // to the last one written: that one is held back until it is known what follows.
  struct writer {
    aligned_text::rewriter& out;
    std::optional<unicode::change> last = std::nullopt;

    void flush() {
      if (last) out.put(last->code_point, last->delta);
      last.reset();
    }
    void put(char32_t c, std::int32_t delta) {
      flush();
      last = {c, delta};
    }
    // Bytes [i, i + n) stay. The rewriter is not there yet when the text began with characters that
    // became nothing: what follows is then paired with them.
    void keep(std::size_t i, std::size_t n) {
      flush();
      if (out.position() == i) return out.keep(n);
      for (const std::size_t end = i + n; i < end; i += unicode::length_of(out.text()[i]))
        out.put(unicode::decode(out.text(), i).code_point, 0);
    }
    void drop(std::int32_t characters) {
      if (last) {
        last->delta -= characters;
        return;
      }
      for (; characters > 0 && !out.empty() && !out.done(); --characters)
        out.skip(unicode::length_of(out.text()[out.position()]));
    }
  };

  // Characters replace one another in order; what is left over is inserted behind, or dropped.
  bool replace(writer& to, std::string_view part) const {
    const auto found = map->shortest(part);
    if (!found) return false;
    to.out.require_room(found->replacement.size());
    auto old_count = static_cast<std::int32_t>(utf8_length(part));
    for (std::size_t i = 0; i < found->replacement.size(); --old_count) {
      const unicode::step at = unicode::decode(found->replacement, i);
      to.put(at.code_point, old_count > 0 ? 0 : 1);
      i += at.length;
    }
    if (old_count > 0) to.drop(old_count);
    return true;
  }

  std::array<bool, 128> stable_{};
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
