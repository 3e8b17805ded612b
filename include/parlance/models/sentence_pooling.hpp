// SPDX-License-Identifier: Apache-2.0
// What follows the transformer in a sentence embedder: pooling of the rows of each sequence, dense
// layers, normalising. Sources: sentence-transformers 5.7, modules/pooling.py, dense.py,
// normalize.py.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "parlance/core/nearest.hpp"
#include "parlance/tensor/tensor.hpp"

namespace parlance::inline PARLANCE_ABI::models {

enum class pooling : std::uint8_t { cls, max, mean, mean_sqrt_len, weightedmean, lasttoken };

namespace detail {
inline constexpr std::pair<std::string_view, pooling> pooling_names[] = {
    {"cls", pooling::cls},
    {"max", pooling::max},
    {"mean", pooling::mean},
    {"mean_sqrt_len_tokens", pooling::mean_sqrt_len},
    {"weightedmean", pooling::weightedmean},
    {"lasttoken", pooling::lasttoken}};
}  // namespace detail

// By the names of sentence-transformers; also mean_sqrt_len, first_token and last_token.
inline pooling parse_pooling(std::string_view name) {
  if (name == "mean_sqrt_len") return pooling::mean_sqrt_len;
  if (name == "first_token") return pooling::cls;
  if (name == "last_token") return pooling::lasttoken;
  std::vector<std::string_view> known;
  for (const auto& [text, kind] : detail::pooling_names) {
    if (text == name) return kind;
    known.push_back(text);
  }
  throw option_error("pooling '" + std::string(name) + "'", did_you_mean(name, known));
}

// One vector of the rows [begin, end) of x; `skip` rows in front do not count, except for cls.
inline void pool_rows(const tensor<float>& x, std::int64_t begin, std::int64_t end,
                      std::int64_t skip, pooling kind, float* out) {
  const std::int64_t width = x.cols();
  if (kind == pooling::cls) return static_cast<void>(std::copy_n(x.row(begin), width, out));
  if (kind == pooling::lasttoken) return static_cast<void>(std::copy_n(x.row(end - 1), width, out));
  const std::int64_t first = std::min(begin + skip, end - 1);
  if (kind == pooling::max) {
    std::copy_n(x.row(first), width, out);
    for (std::int64_t r = first + 1; r < end; ++r)
      for (std::int64_t c = 0; c < width; ++c) out[c] = std::max(out[c], x.row(r)[c]);
    return;
  }
  std::fill_n(out, width, 0.0f);
  float total = 0;
  for (std::int64_t r = first; r < end; ++r) {
    const float weight = kind == pooling::weightedmean ? static_cast<float>(r - begin + 1) : 1;
    total += weight;
    for (std::int64_t c = 0; c < width; ++c) out[c] += weight * x.row(r)[c];
  }
  if (kind == pooling::mean_sqrt_len) total = std::sqrt(total);
  for (std::int64_t c = 0; c < width; ++c) out[c] /= total;
}

// Rows of length one (a row of zeros stays).
inline void normalize_rows(tensor<float>& x) {
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    double squares = 0;
    for (std::int64_t c = 0; c < x.cols(); ++c) squares += double{x.row(r)[c]} * x.row(r)[c];
    const auto scale = static_cast<float>(1 / std::max(std::sqrt(squares), 1e-12));
    for (std::int64_t c = 0; c < x.cols(); ++c) x.row(r)[c] *= scale;
  }
}

// The cosine of the angle between two vectors.
inline double cosine_similarity(const float* a, const float* b, std::int64_t n) {
  double dot = 0, aa = 0, bb = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    dot += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return dot / std::max(std::sqrt(aa * bb), 1e-12);
}

}  // namespace parlance::inline PARLANCE_ABI::models
