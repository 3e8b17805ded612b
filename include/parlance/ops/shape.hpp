// SPDX-License-Identifier: Apache-2.0
// Differentiable changes of shape: reshape, picking rows, splitting and joining columns.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "parlance/autograd/node.hpp"

namespace parlance::inline PARLANCE_ABI::ops {

template <class T>
tensor<T> reshape(const tensor<T>& x, const shape& dims) {
  tensor<T> out = x.view(dims);
  if (autograd::tracking(x))
    autograd::record<T>(out, {x.node()}, [from = x.dims()](auto& self, const tensor<T>& g) {
      self.input(0)->accumulate(g.view(from));
    });
  return out;
}

// The given rows of a matrix (rows may repeat): (n, cols).
template <class T>
tensor<T> gather_rows(const tensor<T>& x, std::span<const std::int64_t> rows) {
  const std::int64_t cols = x.cols(), n = static_cast<std::int64_t>(rows.size());
  tensor<T> out({n, cols});
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t r = rows[static_cast<std::size_t>(i)];
    if (r < 0 || r >= x.rows())
      throw shape_error("gather_rows: row " + std::to_string(r) + " of " + x.dims().to_string());
    std::copy_n(x.row(r), cols, out.row(i));
  }
  if (autograd::tracking(x))
    autograd::record<T>(
        out, {x.node()},
        [dims = x.dims(), picked = std::vector<std::int64_t>(rows.begin(), rows.end())](
            auto& self, const tensor<T>& g) {
          tensor<T> dx = tensor<T>::zeros(dims);
          for (std::size_t i = 0; i < picked.size(); ++i) {
            T* to = dx.row(picked[i]);
            const T* from = g.row(static_cast<std::int64_t>(i));
            for (std::int64_t c = 0; c < dims.cols(); ++c) to[c] += from[c];
          }
          self.input(0)->accumulate(std::move(dx));
        });
  return out;
}

// The mean of the rows [offsets[i], offsets[i + 1]) of a matrix for each i: (segments, cols).
template <class T>
tensor<T> segment_mean(const tensor<T>& x, const std::vector<std::int64_t>& offsets) {
  const std::int64_t cols = x.cols(), n = static_cast<std::int64_t>(offsets.size()) - 1;
  if (n < 0 || offsets.front() < 0 || offsets.back() > x.rows() ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    throw shape_error("segment_mean: segments that do not fit " + x.dims().to_string());
  // f(row of x, its segment, one over the length of that segment)
  const auto each = [offsets, n](const auto& f) {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t begin = offsets[static_cast<std::size_t>(i)];
      const std::int64_t end = offsets[static_cast<std::size_t>(i) + 1];
      for (std::int64_t r = begin; r < end; ++r) f(r, i, T(1) / static_cast<T>(end - begin));
    }
  };
  tensor<T> out = tensor<T>::zeros({n, cols});
  each([&](std::int64_t r, std::int64_t i, T share) {
    for (std::int64_t c = 0; c < cols; ++c) out.row(i)[c] += share * x.row(r)[c];
  });
  if (autograd::tracking(x))
    autograd::record<T>(out, {x.node()}, [dims = x.dims(), each](auto& self, const tensor<T>& g) {
      tensor<T> dx = tensor<T>::zeros(dims);
      each([&](std::int64_t r, std::int64_t i, T share) {
        for (std::int64_t c = 0; c < dims.cols(); ++c) dx.row(r)[c] = share * g.row(i)[c];
      });
      self.input(0)->accumulate(std::move(dx));
    });
  return out;
}

// A matrix turned: (cols, rows).
template <class T>
tensor<T> transpose(const tensor<T>& x) {
  if (x.dims().rank() != 2) throw shape_error("transpose: " + x.dims().to_string());
  const auto turn = [](const tensor<T>& from) {
    tensor<T> to({from.cols(), from.rows()});
    for (std::int64_t r = 0; r < from.rows(); ++r)
      for (std::int64_t c = 0; c < from.cols(); ++c) to.row(c)[r] = from.row(r)[c];
    return to;
  };
  tensor<T> out = turn(x);
  if (autograd::tracking(x))
    autograd::record<T>(out, {x.node()}, [turn](auto& self, const tensor<T>& g) {
      self.input(0)->accumulate(turn(g));
    });
  return out;
}

// Columns [begin, begin + count) of every row.
template <class T>
tensor<T> columns(const tensor<T>& x, std::int64_t begin, std::int64_t count) {
  const std::int64_t rows = x.rows(), cols = x.cols();
  if (x.dims().empty() || begin < 0 || count < 0 || begin > cols || count > cols - begin)
    throw shape_error("columns: " + std::to_string(count) + " from " + std::to_string(begin) +
                      " of " + x.dims().to_string());
  shape dims = x.dims();
  dims[-1] = count;
  tensor<T> out(dims);
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(x.row(r) + begin, count, out.row(r));
  if (autograd::tracking(x))
    autograd::record<T>(out, {x.node()},
                        [from = x.dims(), begin, count](auto& self, const tensor<T>& g) {
                          const auto [dx, beta] = self.input(0)->accumulator(from);
                          tensor<T> target = dx;
                          if (beta == T(0)) std::fill_n(target.data(), target.size(), T(0));
                          for (std::int64_t r = 0; r < from.rows(); ++r)
                            for (std::int64_t c = 0; c < count; ++c)
                              target.row(r)[begin + c] += g.row(r)[c];
                        });
  return out;
}

// What a convolution over time looks at: column c * size + j of a row is column c of the row
// j - size / 2 behind it, or 0 beyond the sequence [offsets[i], offsets[i + 1]) that it is in.
template <class T>
tensor<T> unfold_rows(const tensor<T>& x, const std::vector<std::int64_t>& offsets,
                      std::int64_t size) {
  const std::int64_t cols = x.cols();
  if (offsets.empty() || offsets.back() != x.rows() || size < 1)
    throw shape_error("unfold_rows: sequences that do not fit " + x.dims().to_string());
  // f(row, its neighbour, j)
  const auto each = [offsets, size](const auto& f) {
    for (std::size_t s = 0; s + 1 < offsets.size(); ++s)
      for (std::int64_t r = offsets[s]; r < offsets[s + 1]; ++r)
        for (std::int64_t j = 0; j < size; ++j)
          if (const std::int64_t other = r + j - size / 2;
              other >= offsets[s] && other < offsets[s + 1])
            f(r, other, j);
  };
  tensor<T> out = tensor<T>::zeros({x.rows(), cols * size});
  each([&](std::int64_t r, std::int64_t other, std::int64_t j) {
    for (std::int64_t c = 0; c < cols; ++c) out.row(r)[c * size + j] = x.row(other)[c];
  });
  if (autograd::tracking(x))
    autograd::record<T>(out, {x.node()},
                        [dims = x.dims(), each, size](auto& self, const tensor<T>& g) {
                          tensor<T> dx = tensor<T>::zeros(dims);
                          each([&](std::int64_t r, std::int64_t other, std::int64_t j) {
                            for (std::int64_t c = 0; c < dims.cols(); ++c)
                              dx.row(other)[c] += g.row(r)[c * size + j];
                          });
                          self.input(0)->accumulate(std::move(dx));
                        });
  return out;
}

// Rows of several matrices one after another.
template <class T>
tensor<T> concat_rows(std::span<const tensor<T>> parts) {
  if (parts.empty()) throw shape_error("concat_rows: nothing to join");
  std::int64_t rows = 0;
  std::vector<std::shared_ptr<autograd::node<T>>> inputs;
  std::vector<shape> shapes;
  bool tracked = false;
  for (const tensor<T>& p : parts) {
    if (p.cols() != parts[0].cols())
      throw shape_error("concat_rows: " + p.dims().to_string() + " beside " +
                        parts[0].dims().to_string());
    rows += p.rows();
    inputs.push_back(p.node());
    shapes.push_back(p.dims());
    tracked = tracked || p.node();
  }
  tensor<T> out({rows, parts[0].cols()});
  T* to = out.data();
  for (const tensor<T>& p : parts) to = std::copy_n(p.data(), p.size(), to);
  if (tracked && autograd::grad_enabled())
    autograd::record<T>(out, std::move(inputs), [shapes](auto& self, const tensor<T>& g) {
      std::int64_t row = 0;
      for (std::size_t i = 0; i < shapes.size(); ++i) {
        const std::int64_t n = shapes[i].rows();
        if (self.input(i)) self.input(i)->accumulate(g.slice(row, row + n).view(shapes[i]));
        row += n;
      }
    });
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::ops
