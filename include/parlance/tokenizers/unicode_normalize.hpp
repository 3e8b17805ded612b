// SPDX-License-Identifier: Apache-2.0
// Unicode normalization forms (data of Unicode 9.0, as Hugging Face tokenizers 0.22 uses) and lower
// case. Results come as changes against the source so that alignments can follow: see
// `aligned_text`. Source: Unicode Standard Annex 15; the order of changes follows the Rust crate
// unicode-normalization-alignments.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string_view>
#include <vector>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::unicode {

// delta 0 replaces the next source character, 1 is inserted, -n also drops n more source
// characters.
struct change {
  char32_t code_point;
  std::int32_t delta;
};

enum class form { nfc, nfd, nfkc, nfkd };

namespace impl {

inline constexpr char32_t hangul_s = 0xAC00, hangul_l = 0x1100, hangul_v = 0x1161,
                          hangul_t = 0x11A7;
inline constexpr char32_t hangul_syllables = 11172, hangul_vowels = 21, hangul_tails = 28;

// Calls f for every character `c` maps to; false when the table does not hold it.
template <class Keys, class Starts, class Pool, class F>
bool map_character(const Keys& keys, const Starts& starts, const Pool& pool, char32_t c, F f) {
  const auto* at = std::lower_bound(std::begin(keys), std::end(keys), std::uint32_t{c});
  if (at == std::end(keys) || *at != c) return false;
  const auto k = at - std::begin(keys);
  for (unsigned i = starts[k]; i < starts[k + 1]; ++i) f(static_cast<char32_t>(pool[i]));
  return true;
}

template <class F>
void decompose(char32_t c, bool compatible, F f) {
  using namespace unicode_tables;
  if (c < 0xA0) return f(c);
  if (c - hangul_s < hangul_syllables) {
    const char32_t s = c - hangul_s;
    f(hangul_l + s / (hangul_vowels * hangul_tails));
    f(hangul_v + s % (hangul_vowels * hangul_tails) / hangul_tails);
    if (s % hangul_tails) f(hangul_t + s % hangul_tails);
    return;
  }
  if (compatible && map_character(nfkd_key, nfkd_start, nfkd_pool, c, f)) return;
  if (!map_character(nfd_key, nfd_start, nfd_pool, c, f)) f(c);
}

// The composed character, or 0.
inline char32_t compose(char32_t a, char32_t b) {
  if (a - hangul_l < 19 && b - hangul_v < hangul_vowels)
    return hangul_s + ((a - hangul_l) * hangul_vowels + (b - hangul_v)) * hangul_tails;
  if (a - hangul_s < hangul_syllables && (a - hangul_s) % hangul_tails == 0 &&
      b - hangul_t - 1 < hangul_tails - 1)
    return a + (b - hangul_t);
  const std::uint64_t key = std::uint64_t{a} << 21 | b;
  const auto& keys = unicode_tables::composition_key;
  const auto* at = std::lower_bound(std::begin(keys), std::end(keys), key);
  if (at == std::end(keys) || *at != key) return 0;
  return unicode_tables::composition_value[at - std::begin(keys)];
}

}  // namespace impl

inline std::uint8_t combining_class(char32_t c) {
  if (c >= 0x20000) return 0;
  return unicode_tables::ccc_data[unicode_tables::ccc_index[c >> 6] * 64u + (c & 63)];
}

// Full decomposition in canonical order.
inline std::vector<change> decompose(std::string_view text, bool compatible) {
  std::vector<change> out;
  out.reserve(text.size());
  std::size_t pending = 0;  // first character of the run of marks that is not yet in order
  const auto settle = [&] {
    if (out.size() - pending > 1)
      std::stable_sort(out.begin() + static_cast<std::ptrdiff_t>(pending), out.end(),
                       [](const change& a, const change& b) {
                         return combining_class(a.code_point) < combining_class(b.code_point);
                       });
  };
  for (std::size_t i = 0; i < text.size();) {
    const step at = decode(text, i);
    i += at.length;
    std::int32_t delta = 0;
    impl::decompose(at.code_point, compatible, [&](char32_t c) {
      if (combining_class(c) == 0) {
        settle();
        pending = out.size() + 1;
      }
      out.push_back({c, delta});
      delta = 1;
    });
  }
  settle();
  return out;
}

// Canonical composition of decomposed text.
inline std::vector<change> compose(const std::vector<change>& source) {
  std::vector<change> out;
  out.reserve(source.size());
  std::ptrdiff_t starter = -1;
  int last_class = -1;  // class of the last character kept after the starter; -1: none
  for (const change& next : source) {
    const int next_class = combining_class(next.code_point);
    const bool reachable = starter >= 0 && last_class < next_class;
    if (reachable) {
      change& base = out[static_cast<std::size_t>(starter)];
      if (const char32_t joined = impl::compose(base.code_point, next.code_point)) {
        base = {joined, base.delta + next.delta - 1};
        continue;
      }
    }
    if (next_class == 0) {
      starter = static_cast<std::ptrdiff_t>(out.size());
      last_class = -1;
    } else if (starter >= 0) {
      last_class = next_class;
    }
    out.push_back(next);
  }
  return out;
}

inline std::vector<change> normalize(std::string_view text, form f) {
  std::vector<change> out = decompose(text, f == form::nfkc || f == form::nfkd);
  return f == form::nfc || f == form::nfkc ? compose(out) : out;
}

namespace impl {

// Characters that may change, or change their neighbours, under NFC.
struct nfc_unstable {
  std::unique_ptr<std::bitset<0x30000>> bits = std::make_unique<std::bitset<0x30000>>();
  nfc_unstable() {
    for (char32_t c = 0; c < 0x20000; ++c)
      if (combining_class(c)) bits->set(c);
    for (const std::uint64_t key : unicode_tables::composition_key) bits->set(key & 0x1FFFFF);
    for (char32_t c = hangul_v; c < hangul_t + hangul_tails; ++c) bits->set(c);
    for (const char32_t c : unicode_tables::nfd_key) {
      std::vector<change> parts;
      decompose(c, false, [&](char32_t d) { parts.push_back({d, parts.empty() ? 0 : 1}); });
      parts = unicode::compose(parts);
      if (parts.size() != 1 || parts[0].code_point != c) bits->set(c);
    }
  }
};

}  // namespace impl

// True when the text certainly is in the form already (cheap, may say false for normalized text).
inline bool is_normalized(std::string_view text, form f) {
  if (f != form::nfc) return is_ascii(text);
  static const impl::nfc_unstable unstable;
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0xCC) {  // continuation bytes only follow such leads
      i += 1;
      continue;
    }
    const step at = decode(text, i);
    if (at.code_point >= 0x30000 || (*unstable.bits)[at.code_point]) return false;
    i += at.length;
  }
  return true;
}

// Writes the text of an aligned_text::rewriter anew in lower case.
template <class Rewriter>
void to_lower_case(Rewriter& out) {
  using namespace unicode_tables;
  const std::string_view text = out.text();
  while (!out.done()) {
    if (const std::size_t n = ascii_run(text, out.position())) {
      out.map_ascii(n, [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      continue;
    }
    const step at = decode(text, out.position());
    std::int32_t delta = 0;
    const auto put = [&](char32_t c) { out.put(c, delta), delta = 1; };
    if (!impl::map_character(lower_key, lower_start, lower_pool, at.code_point, put))
      out.keep(at.length);
  }
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::unicode
