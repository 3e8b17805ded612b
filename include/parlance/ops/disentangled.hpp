// SPDX-License-Identifier: Apache-2.0
// The position part of disentangled attention scores (He et al., DeBERTa, 2021, equation 4):
// content to position, position to content. Scores of query i and key j look up the vector of
// their distance i - j.
#pragma once

#include <vector>

#include "parlance/kernels/gemm.hpp"
#include "parlance/ops/attention.hpp"

namespace parlance::inline PARLANCE_ABI::ops {

// Which row of the position matrices a distance i - j uses: row[reach - 1 + i - j].
struct distance_rows {
  std::vector<std::int32_t> row;
  std::int64_t reach = 0;

  std::int64_t of(std::int64_t i, std::int64_t j) const {
    return row[static_cast<std::size_t>(reach - 1 + i - j)];
  }
};

namespace detail {

// Adds scale * x_r . p_row to the scores of one sequence and head: r is the query i (content to
// position) or the key j. And the gradients of that.
template <class T>
struct position_part {
  const distance_rows& rows;
  std::int64_t t, positions, d, ld;
  T scale;
  bool by_key;

  template <class F>
  void each(const F& f) const {
    for (std::int64_t i = 0; i < t; ++i)
      for (std::int64_t j = 0; j < t; ++j)
        f(i * t + j, (by_key ? j : i) * positions + rows.of(i, j));
  }
  void forward(const T* x, const T* p, T* scores, std::vector<T>& work) const {
    work.resize(static_cast<std::size_t>(t * positions));
    kernels::gemm<T>(false, true, t, positions, d, x, ld, p, ld, T(0), work.data(), positions);
    each([&](std::int64_t score, std::int64_t at) {
      scores[score] += scale * work[static_cast<std::size_t>(at)];
    });
  }
  void backward(const T* x, const T* p, const T* slopes, T* dx, T* dp, std::vector<T>& work) const {
    work.assign(static_cast<std::size_t>(t * positions), T(0));
    each([&](std::int64_t score, std::int64_t at) {
      work[static_cast<std::size_t>(at)] += scale * slopes[score];
    });
    kernels::gemm<T>(false, false, t, d, positions, work.data(), positions, p, ld, T(1), dx, ld);
    kernels::gemm<T>(true, false, positions, d, t, work.data(), positions, x, ld, T(1), dp, ld);
  }
};

}  // namespace detail

// Blocks [heads][t][t], one a sequence, for score_bias::dense: scale * (q_i . position_key +
// k_j . position_query) of the row of i - j. q, k (rows, heads * d); position_key, position_query
// (positions, heads * d), either may be undefined.
template <class T>
tensor<T> disentangled_bias(const tensor<T>& q, const tensor<T>& k, const tensor<T>& position_key,
                            const tensor<T>& position_query, std::int64_t heads, T scale,
                            const std::vector<std::int64_t>& offsets, const distance_rows& rows) {
  std::vector<std::int64_t> blocks{0};
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    const std::int64_t t = offsets[s + 1] - offsets[s];
    if (t > rows.reach)
      throw shape_error("disentangled attention: a sequence of " + std::to_string(t) +
                        " rows, distances up to " + std::to_string(rows.reach - 1));
    blocks.push_back(blocks.back() + heads * t * t);
  }
  // f(part, first element of the sequence and head, of its scores, of its positions)
  const auto each = [heads, scale, offsets, blocks, rows, ld = q.cols()](
                        std::int64_t positions, bool by_key, const auto& f) {
    const auto sequences = static_cast<std::int64_t>(offsets.size()) - 1, d = ld / heads;
    for (std::int64_t i = 0; i < sequences * heads; ++i) {
      const auto s = static_cast<std::size_t>(i / heads);
      const std::int64_t h = i % heads, t = offsets[s + 1] - offsets[s];
      f(detail::position_part<T>{rows, t, positions, d, ld, scale, by_key}, offsets[s] * ld + h * d,
        blocks[s] + h * t * t, h * d);
    }
  };
  tensor<T> out = tensor<T>::zeros({blocks.back()});
  std::vector<T> work;
  const auto add = [&](const tensor<T>& x, const tensor<T>& p, bool by_key) {
    if (!p.defined()) return;
    require_shape("disentangled attention", p.dims(), {p.rows(), q.cols()});
    each(p.rows(), by_key,
         [&](const auto& part, std::int64_t at, std::int64_t block, std::int64_t head) {
           part.forward(x.data() + at, p.data() + head, out.data() + block, work);
         });
  };
  add(q, position_key, false);
  add(k, position_query, true);
  if (autograd::tracking(q, k, position_key, position_query))
    autograd::record<T>(
        out, {q.node(), k.node(), position_key.node(), position_query.node()},
        [each, q = q.detach(), k = k.detach(), pk = position_key.detach(),
         pq = position_query.detach()](auto& self, const tensor<T>& g) {
          std::vector<T> scratch;
          const auto pass = [&](const tensor<T>& x, const tensor<T>& p, bool by_key,
                                std::size_t x_input, std::size_t p_input) {
            if (!p.defined()) return;
            tensor<T> dx = tensor<T>::zeros(x.dims()), dp = tensor<T>::zeros(p.dims());
            each(p.rows(), by_key,
                 [&](const auto& part, std::int64_t at, std::int64_t block, std::int64_t head) {
                   part.backward(x.data() + at, p.data() + head, g.data() + block, dx.data() + at,
                                 dp.data() + head, scratch);
                 });
            if (self.input(x_input)) self.input(x_input)->accumulate(std::move(dx));
            if (self.input(p_input)) self.input(p_input)->accumulate(std::move(dp));
          };
          pass(q, pk, false, 0, 2);
          pass(k, pq, true, 1, 3);
        });
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::ops
