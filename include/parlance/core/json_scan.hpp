// SPDX-License-Identifier: Apache-2.0
// A quick scanner of JSON text that feeds nlohmann's SAX interface: what tokenizer.json needs, most
// of which is a hundred thousand short strings. It knows valid JSON only (RFC 8259); at anything
// else it gives up, and nlohmann's parser says what is wrong and where.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/utf8.hpp"

namespace parlance::inline PARLANCE_ABI::detail {

template <class Json, class Sax>
class json_scanner {
 public:
  json_scanner(std::string_view text, Sax& sax)
      : at_(text.data()), end_(text.data() + text.size()), sax_(sax) {}

  // The text must be valid UTF-8. False: not valid JSON, or a reader that wants no more.
  bool run() {
    if (end_ - at_ >= 3 && std::memcmp(at_, "\xEF\xBB\xBF", 3) == 0) at_ += 3;
    if (!value()) return false;
    while (!in_object_.empty())
      if (!(in_object_.back() ? member() : element())) return false;
    space();
    return at_ == end_;
  }

 private:
  void space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool take(char c) {
    space();
    if (at_ == end_ || *at_ != c) return false;
    return ++at_, true;
  }
  bool word(std::string_view w) {
    if (static_cast<std::size_t>(end_ - at_) < w.size() ||
        std::memcmp(at_, w.data(), w.size()) != 0)
      return false;
    return at_ += w.size(), true;
  }

  // A value, or the opening of one that has parts.
  bool value() {
    space();
    if (at_ == end_) return false;
    switch (*at_) {
      case '"':
        return string() && sax_.string(text_);
      case '{':
        return open(true) && sax_.start_object(unknown);
      case '[':
        return open(false) && sax_.start_array(unknown);
      case 't':
        return word("true") && sax_.boolean(true);
      case 'f':
        return word("false") && sax_.boolean(false);
      case 'n':
        return word("null") && sax_.null();
      default:
        return number();
    }
  }
  bool open(bool object) {
    ++at_;
    in_object_.push_back(object);
    first_ = true;
    return true;
  }
  // The next of an object, or its end.
  bool member() {
    if (take('}')) return close() && sax_.end_object();
    if (!first_ && !take(',')) return false;
    first_ = false;
    space();
    return at_ != end_ && *at_ == '"' && string() && sax_.key(text_) && take(':') && value();
  }
  bool element() {
    if (take(']')) return close() && sax_.end_array();
    if (!first_ && !take(',')) return false;
    first_ = false;
    return value();
  }
  bool close() {
    in_object_.pop_back();
    first_ = false;
    return true;
  }

  bool number() {
    const char* const begin = at_;
    const bool negative = *at_ == '-';
    if (negative) ++at_;
    const char* const digits = at_;
    if (!skip_digits() || (*digits == '0' && at_ - digits > 1)) return false;
    bool whole = true;
    if (at_ != end_ && *at_ == '.') {
      ++at_, whole = false;
      if (!skip_digits()) return false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_, whole = false;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!skip_digits()) return false;
    }
    if (whole && !negative)
      if (std::uint64_t v; std::from_chars(begin, at_, v).ec == std::errc())
        return sax_.number_unsigned(v);
    if (whole && negative)
      if (std::int64_t v; std::from_chars(begin, at_, v).ec == std::errc())
        return sax_.number_integer(v);
    return real(std::string(begin, at_));
  }
  bool real(const std::string& text) {
    double v = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), v).ec != std::errc()) {
      const auto parsed = Json::parse(text, nullptr, false);  // too large an exponent, or too small
      if (parsed.is_discarded()) return false;
      v = parsed.template get<double>();
    }
    return sax_.number_float(v, text);
  }
  bool skip_digits() {
    const char* const begin = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != begin;
  }

  // Whether any of eight bytes is a quote, a backslash or a control character.
  static bool special(std::uint64_t w) {
    constexpr std::uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    const auto zero = [](std::uint64_t x) { return (x - ones) & ~x & high; };
    return (zero(w ^ ones * '"') | zero(w ^ ones * '\\') | ((w - ones * 0x20) & ~w & high)) != 0;
  }
  void skip_plain() {
    for (std::uint64_t w; end_ - at_ >= 8; at_ += 8) {
      std::memcpy(&w, at_, 8);
      if (special(w)) break;
    }
    while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20)
      ++at_;
  }
  bool string() {
    ++at_;
    text_.clear();
    for (;;) {
      const char* const begin = at_;
      skip_plain();
      text_.append(begin, at_);
      if (at_ == end_) return false;
      const char c = *at_++;
      if (c == '"') return true;
      if (c != '\\' || !escape()) return false;
    }
  }
  bool escape() {
    if (at_ == end_) return false;
    static constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    const char c = *at_++;
    if (c == 'u') return code_point();
    const std::size_t i = names.find(c);
    if (i == names.npos) return false;
    text_ += values[i];
    return true;
  }
  bool hex(std::uint32_t& v) {
    if (end_ - at_ < 4) return false;
    const auto [end, ec] = std::from_chars(at_, at_ + 4, v, 16);
    if (ec != std::errc() || end != at_ + 4) return false;
    return at_ += 4, true;
  }
  bool code_point() {
    std::uint32_t c, low;
    if (!hex(c)) return false;
    if (c >= 0xD800 && c < 0xDC00) {
      if (!word("\\u") || !hex(low) || low < 0xDC00 || low > 0xDFFF) return false;
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xDC00 && c < 0xE000) {
      return false;
    }
    utf8_append(text_, c);
    return true;
  }

  static constexpr std::size_t unknown = static_cast<std::size_t>(-1);
  const char* at_;
  const char* end_;
  Sax& sax_;
  std::string text_;
  std::vector<bool> in_object_;
  bool first_ = false;
};

}  // namespace parlance::inline PARLANCE_ABI::detail
