// SPDX-License-Identifier: Apache-2.0
// Attention of one sequence as plain double loops over dense rows, and numbers to run it on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "parlance/kernels/kv_pages.hpp"

namespace attention_test {

template <class T>
std::vector<T> numbers(std::int64_t n, unsigned seed, double size) {
  std::mt19937 random(seed);
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& x : values) x = static_cast<T>((random() / 2147483648.0 - 1) * size);
  return values;
}

struct result {
  std::vector<double> out, lse;  // [t][heads * d], [heads][t]
};

inline bool visible(const parlance::kernels::attention_params& p, std::int64_t i, std::int64_t j,
                    std::int64_t key_start, std::int64_t key_end) {
  if (j < key_start || j >= key_end || (p.causal && j > i)) return false;
  return p.window == 0 || (i - j < p.window && (p.causal || j - i < p.window));
}

// What is added to the score of head h, query i of t and key j.
using bias_function = std::function<double(std::int64_t h, std::int64_t i, std::int64_t j)>;

inline result reference(const parlance::kernels::attention_params& p, std::int64_t t,
                        std::int64_t s, const std::vector<double>& q, const std::vector<double>& k,
                        const std::vector<double>& v, std::int64_t key_start, std::int64_t key_end,
                        const bias_function& bias = {}) {
  const std::int64_t d = p.head_dim, group = p.heads / p.kv_heads;
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  result r{std::vector<double>(q.size()), std::vector<double>(at(p.heads * t))};
  std::vector<double> score(at(s));
  for (std::int64_t h = 0; h < p.heads; ++h)
    for (std::int64_t i = 0; i < t; ++i) {
      double top = -std::numeric_limits<double>::infinity(), sum = 0;
      const double* query = q.data() + i * p.heads * d + h * d;
      double* out = r.out.data() + i * p.heads * d + h * d;
      const auto row = [&](const std::vector<double>& x, std::int64_t j) {
        return x.data() + j * p.kv_heads * d + h / group * d;
      };
      for (std::int64_t j = 0; j < s; ++j) {
        if (!visible(p, i + s - t, j, key_start, key_end)) continue;
        double x = 0;
        for (std::int64_t c = 0; c < d; ++c) x += query[c] * row(k, j)[c];
        x *= static_cast<double>(p.scale);
        if (bias) x += bias(h, i, j);
        if (p.softcap > 0) x = double(p.softcap) * std::tanh(x / double(p.softcap));
        top = std::max(top, score[at(j)] = x);
      }
      for (std::int64_t j = 0; j < s; ++j) {
        if (!visible(p, i + s - t, j, key_start, key_end)) continue;
        const double weight = std::exp(score[at(j)] - top);
        sum += weight;
        for (std::int64_t c = 0; c < d; ++c) out[c] += weight * row(v, j)[c];
      }
      for (std::int64_t c = 0; c < d; ++c) out[c] = sum > 0 ? out[c] / sum : 0;
      r.lse[at(h * t + i)] = sum > 0 ? top + std::log(sum) : top;
    }
  return r;
}

}  // namespace attention_test
