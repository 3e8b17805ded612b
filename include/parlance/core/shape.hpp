// SPDX-License-Identifier: Apache-2.0
// The shape of a tensor: up to eight 64-bit dimensions held in place, outermost first (row-major).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI {

class shape {
 public:
  static constexpr int max_rank = 8;

  constexpr shape() = default;
  constexpr shape(std::initializer_list<std::int64_t> dims) {
    for (const std::int64_t d : dims) push_back(d);
  }

  constexpr int rank() const { return rank_; }
  constexpr bool empty() const { return rank_ == 0; }
  constexpr std::int64_t operator[](int i) const { return dims_[i < 0 ? i + rank_ : i]; }
  constexpr std::int64_t& operator[](int i) { return dims_[i < 0 ? i + rank_ : i]; }
  constexpr std::int64_t back() const { return dims_[rank_ - 1]; }
  constexpr const std::int64_t* begin() const { return dims_.data(); }
  constexpr const std::int64_t* end() const { return dims_.data() + rank_; }

  constexpr void push_back(std::int64_t d) {
    if (rank_ == max_rank) throw shape_error("shape: more than 8 dimensions");
    if (d < 0) throw shape_error("shape: negative dimension " + std::to_string(d));
    dims_[rank_++] = d;
  }

  // Number of elements; throws when it does not fit 63 bits.
  constexpr std::int64_t size() const {
    std::int64_t n = 1;
    for (const std::int64_t d : *this)
      if (__builtin_mul_overflow(n, d, &n)) throw shape_error("shape: element count overflows");
    return n;
  }
  // Elements per row, where a row runs along the last dimension; and the number of rows.
  constexpr std::int64_t cols() const { return rank_ ? back() : 1; }
  constexpr std::int64_t rows() const {
    std::int64_t n = 1;
    for (int i = 0; i + 1 < rank_; ++i) n *= dims_[i];
    return n;
  }

  constexpr bool operator==(const shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if (dims_[i] != other.dims_[i]) return false;
    return true;
  }

  std::string to_string() const {
    std::string text = "[";
    for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string(dims_[i]);
    return text + "]";
  }

 private:
  std::array<std::int64_t, max_rank> dims_{};
  int rank_ = 0;
};

inline std::string to_string(const shape& s) { return s.to_string(); }

}  // namespace parlance::inline PARLANCE_ABI
