// SPDX-License-Identifier: Apache-2.0
// The text of one sequence on its way through the pipeline: one buffer (the original itself as long
// as nothing changes it) and the splits in it, of which some are added tokens already.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/aligned_text.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct split {
  std::uint32_t begin = 0, end = 0;  // bytes of the buffer
  std::int32_t token = -1;           // id of an added token, or -1
};

class pre_tokenized {
 public:
  explicit pre_tokenized(std::string_view original, bool track = true)
      : original_(original), track_(track) {
    if (!original.empty()) splits_.push_back({0, static_cast<std::uint32_t>(original.size())});
  }

  std::string_view original() const { return original_; }
  bool tracks_offsets() const { return track_; }
  std::string_view text() const { return changed_ ? std::string_view(buffer_) : original_; }
  std::string_view text(const split& s) const { return text().substr(s.begin, s.end - s.begin); }
  const std::vector<split>& splits() const { return splits_; }
  // True while the buffer is the original text.
  bool unchanged() const { return !changed_; }

  // f(view, emit) for each split that is no token; emit(begin, end[, token]) keeps a part of it.
  template <class F>
  void split_each(F f) {
    std::vector<split> out;
    out.reserve(splits_.size());
    for (const split& s : splits_) {
      if (s.token >= 0) {
        out.push_back(s);
        continue;
      }
      f(text(s), [&](std::size_t begin, std::size_t end, std::int32_t token = -1) {
        if (begin < end)
          out.push_back({static_cast<std::uint32_t>(s.begin + begin),
                         static_cast<std::uint32_t>(s.begin + end), token});
      });
    }
    splits_ = std::move(out);
  }

  // f(aligned_text&) for each split that is no token, which may change its text.
  template <class F>
  void rewrite_each(F f) {
    std::string buffer;
    alignment map;
    std::vector<split> out;
    out.reserve(splits_.size());
    buffer.reserve(text().size() + text().size() / 8);
    alignment whole;
    if (track_ && !changed_) whole.copy(static_cast<std::uint32_t>(original_.size()), 0);
    alignment::cursor look(changed_ ? map_ : whole, text());
    alignment::cursor* const at = track_ ? &look : nullptr;
    aligned_text piece(text(), at, 0, 0);
    for (const split& s : splits_) {
      piece.assign_slice(text(), at, s.begin, s.end);
      if (s.token < 0) f(piece);
      if (piece.empty()) continue;
      const auto begin = static_cast<std::uint32_t>(buffer.size());
      buffer += piece.text();
      if (track_) piece.look().append_to(map, 0, piece.text().size());
      out.push_back({begin, static_cast<std::uint32_t>(buffer.size()), s.token});
    }
    buffer_ = std::move(buffer);
    map_ = std::move(map);
    splits_ = std::move(out);
    changed_ = true;
  }

  // f(begin, end) gives the original bytes behind buffer bytes [begin, end), begin < end; whole
  // characters. Fastest when asked in order.
  auto original_ranges() const {
    return [this, at = alignment::cursor(map_, buffer_)](std::uint32_t begin,
                                                         std::uint32_t end) mutable {
      if (changed_) {
        const byte_range first = at(begin);
        return byte_range{first.begin, end - begin == 1 ? first.end : at(end - 1).end};
      }
      while (begin > 0 && unicode::is_continuation(original_[begin])) --begin;
      while (end < original_.size() && unicode::is_continuation(original_[end])) ++end;
      return byte_range{begin, end};
    };
  }

 private:
  std::string_view original_;
  std::string buffer_;
  alignment map_;  // of buffer_, when track_ and changed_
  std::vector<split> splits_;
  bool track_;
  bool changed_ = false;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
