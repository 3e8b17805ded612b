// SPDX-License-Identifier: Apache-2.0
// A quantised weight matrix repacked for the kernels, and its products with float activations:
// `linear` (activations become int8 per 32 on the way, or bf16 where a tile unit takes many
// tokens), `linear_exact` and `linear_backward_input` (float arithmetic on the dequantised
// weights). Every result is the same for any number of threads and, up to 32 tokens or without a
// tile unit, for a token the same alone and in a batch. Dense weights are in gemm.hpp. Layout and
// method: impl/quant_layout.hpp, impl/quant_kernels.inl.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/core/format.hpp"
#include "parlance/core/thread_pool.hpp"
#include "parlance/kernels/gemm.hpp"
#include "parlance/kernels/impl/quant_kernels.hpp"
#include "parlance/kernels/impl/quant_memory.hpp"
#include "parlance/kernels/quant_blocks.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

// Immutable; copies share the memory.
class quant_matrix {
 public:
  quant_matrix() = default;

  // From n rows of blocks as they lie in a GGUF file, each k elements. The eight block formats of
  // quant_blocks.hpp; k is a multiple of 32 (of 256 for the k formats).
  static quant_matrix pack(format f, std::int64_t n, std::int64_t k, const void* blocks) {
    quant_matrix w(f, n, k);
    const auto row_bytes =
        static_cast<std::int64_t>(storage_bytes(f, static_cast<std::uint64_t>(k)));
    const auto* bytes = static_cast<const std::uint8_t*>(blocks);
    w.fill([&](std::int64_t first, int rows, std::uint8_t* panel) {
      detail::pack_panel(f, bytes + first * row_bytes, row_bytes, rows, k, panel);
    });
    return w;
  }

  // To q8_0, q4_0 or q4_k. `row(r, out)` writes the k floats of row r; it is called once a row, by
  // several threads at the same time.
  static quant_matrix quantize(format f, std::int64_t n, std::int64_t k,
                               const std::function<void(std::int64_t row, float* out)>& row) {
    if (f != format::q8_0 && f != format::q4_0 && f != format::q4_k)
      throw unsupported_error("quant_matrix: cannot quantise to " + std::string(name(f)),
                              "q8_0 q4_0 q4_k");
    quant_matrix w(f, n, k);
    const auto row_bytes =
        static_cast<std::int64_t>(storage_bytes(f, static_cast<std::uint64_t>(k)));
    w.fill([&](std::int64_t first, int rows, std::uint8_t* panel) {
      std::vector<float> values(static_cast<std::size_t>(k));
      std::vector<std::uint8_t> blocks(static_cast<std::size_t>(rows * row_bytes));
      for (int r = 0; r < rows; ++r) {
        row(first + r, values.data());
        quantize_row(f, values.data(), blocks.data() + r * row_bytes, k);
      }
      detail::pack_panel(f, blocks.data(), row_bytes, rows, k, panel);
    });
    return w;
  }

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  format type() const { return format_; }
  std::size_t bytes() const { return static_cast<std::size_t>(panels() * panel_bytes()); }

  // Row r as floats, the values of dequantize_row.
  void row(std::int64_t r, float* out) const {
    if (r < 0 || r >= rows_)
      throw shape_error("quant_matrix: row " + std::to_string(r) + " of " + std::to_string(rows_));
    const std::uint8_t* const p = panel(r / detail::panel_rows);
    const detail::quant_layout& l = detail::layout_of(kind());
    detail::quant_codes codes;
    for (std::int64_t i = 0; i < cols_ / 32; ++i) {
      detail::get_codes(l, p, static_cast<int>(r % detail::panel_rows), i, codes);
      detail::decode(format_, codes, out + 32 * i);
    }
  }

  // For the kernels: panels of 16 rows, see impl/quant_layout.hpp.
  detail::quant_kind kind() const { return detail::kind_of(format_); }
  std::int64_t panels() const { return (rows_ + detail::panel_rows - 1) / detail::panel_rows; }
  std::int64_t panel_bytes() const { return detail::layout_of(kind()).panel(cols_); }
  const std::uint8_t* panel(std::int64_t i) const { return memory_.get() + i * panel_bytes(); }
  int panel_height(std::int64_t i) const {
    return static_cast<int>(
        std::min<std::int64_t>(detail::panel_rows, rows_ - i * detail::panel_rows));
  }

 private:
  quant_matrix(format f, std::int64_t n, std::int64_t k) : format_(f), rows_(n), cols_(k) {
    const std::string what = "quant_matrix " + std::string(name(f)) + " " + std::to_string(n) +
                             " x " + std::to_string(k);
    if (!detail::has_quant_kernel(f))
      throw unsupported_error(what, "kernels exist for q4_0 q4_1 q5_0 q5_1 q8_0 q4_k q5_k q6_k");
    if (n < 0 || k < 0 || k % info(f).block)
      throw shape_error(what + ": columns must be a multiple of " + std::to_string(info(f).block));
    std::int64_t elements = 0;
    if (k > INT32_MAX || n > INT64_MAX - detail::panel_rows ||
        __builtin_mul_overflow(panels() + 1, k * 64, &elements))
      throw shape_error(what + ": too large");
    memory_ = detail::allocate_panels(bytes());
  }

  template <class F>
  void fill(F&& f) {
    std::uint8_t* const memory = memory_.get();
    parallel_for(panels(), 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        f(i * detail::panel_rows, panel_height(i), memory + i * panel_bytes());
    });
  }

  format format_ = format::q8_0;
  std::int64_t rows_ = 0, cols_ = 0;
  std::shared_ptr<std::uint8_t> memory_;
};

// One product of several that share their activations.
struct quant_job {
  const quant_matrix* w = nullptr;
  const float* bias = nullptr;
  float* y = nullptr;
  std::int64_t ldy = 0;
};

namespace detail {

// Tokens quantised at a time, and the activations that should stay in the second-level cache
// while a panel passes over them.
inline constexpr std::int64_t most_tokens = 1024, cached_inputs = (384 << 10) / 64;
// Weights a thread takes at a time when few tokens make the product memory bound.
inline constexpr std::int64_t weight_chunk = 96 << 10;

// How m tokens fall into tiles: all of the largest size but the last, which is the smallest that
// holds the rest (missing tokens are zero).
struct tile_plan {
  const quant_kernels& kernels;
  std::int64_t m, blocks;  // tokens, blocks a token

  int largest() const { return kernels.tile[kernels.tile_count - 1]; }
  std::int64_t tiles() const { return (m + largest() - 1) / largest(); }
  int tokens(std::int64_t i) const {
    return static_cast<int>(std::min<std::int64_t>(largest(), m - i * largest()));
  }
  int size_index(std::int64_t i) const {
    int index = 0;
    while (kernels.tile[index] < tokens(i)) ++index;
    return index;
  }
  std::int64_t offset(std::int64_t i) const { return i * largest() * input_blocks(blocks); }
  std::int64_t inputs() const {
    const std::int64_t last = tiles() - 1;
    return offset(last) + kernels.tile[size_index(last)] * input_blocks(blocks);
  }
};

inline void quantize_inputs(const tile_plan& plan, const float* x, std::int64_t ldx,
                            quant_input* out) {
  const std::int64_t grain = std::max<std::int64_t>(1, 4096 / (plan.blocks * plan.largest()));
  parallel_for(plan.tiles(), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      plan.kernels.quantize(x + i * plan.largest() * ldx, ldx, plan.blocks, plan.tokens(i),
                            plan.kernels.tile[plan.size_index(i)], out + plan.offset(i));
  });
}

// `count` panels of one job times the tiles [first, last).
inline void multiply_panels(const tile_plan& plan, const quant_job& job, std::int64_t panel,
                            int count, const quant_input* x, std::int64_t first, std::int64_t last,
                            std::int64_t token) {
  const int kind = static_cast<int>(job.w->kind());
  const bool fetch = last - first > 1;
  const auto multiply = [&](auto kernel, std::int64_t at, int panels, std::int64_t i) {
    const std::int64_t row = at * panel_rows;
    kernel({job.w->panel(at), job.w->panel_bytes(), x + plan.offset(i), plan.blocks,
            job.bias ? job.bias + row : nullptr,
            job.y + (token + i * plan.largest()) * job.ldy + row, job.ldy,
            static_cast<int>(std::min<std::int64_t>(panels * panel_rows, job.w->rows() - row)),
            plan.tokens(i),
            fetch && at + count + panels <= job.w->panels() ? job.w->panel(at + count) : nullptr,
            i - first, last - first});
  };
  for (std::int64_t i = first; i < last; ++i) {
    const int size = plan.size_index(i);
    const bool together = count > 1 && size == plan.kernels.tile_count - 1;
    if (together) {
      multiply(plan.kernels.several[kind], panel, count, i);
    } else {
      for (int p = 0; p < count; ++p) multiply(plan.kernels.panel[kind][size], panel + p, 1, i);
    }
  }
}

// All panels of all jobs times tokens [token, token + plan.m), which lie quantised in x.
inline void multiply_inputs(const tile_plan& plan, std::span<const quant_job> jobs,
                            const quant_input* x, std::int64_t token) {
  const std::int64_t tiles = plan.tiles();
  const int together = plan.m >= plan.largest() ? plan.kernels.panels_at_once : 1;
  std::int64_t units = 0, bytes = 0;  // a unit: panels that are taken together
  for (const quant_job& job : jobs) {
    units += (job.w->panels() + together - 1) / together;
    bytes += static_cast<std::int64_t>(job.w->bytes());
  }
  if (units == 0) return;
  const std::int64_t group = std::max<std::int64_t>(
      1, cached_inputs / std::max<std::int64_t>(1, plan.blocks) / plan.largest());
  const std::int64_t few =
      std::max<std::int64_t>(1, weight_chunk * units / std::max<std::int64_t>(1, bytes));
  const std::int64_t grain = std::max<std::int64_t>(1, few / std::min(tiles, group));
  const std::int64_t groups = (tiles + group - 1) / group;
  parallel_for(groups * units, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::int64_t unit = i % units;
      std::size_t job = 0;
      const auto of = [&](std::size_t j) {
        return (jobs[j].w->panels() + together - 1) / together;
      };
      while (unit >= of(job)) unit -= of(job++);
      const std::int64_t panel = unit * together, first = i / units * group;
      const int count =
          static_cast<int>(std::min<std::int64_t>(together, jobs[job].w->panels() - panel));
      multiply_panels(plan, jobs[job], panel, count, x, first, std::min(tiles, first + group),
                      token);
    }
  });
}

// Many tokens on the tile unit, which takes bf16: unpacking the weights once a chunk of tokens
// costs little then, and rounding to bf16 less accuracy than activations of 8 bits do. False: not
// here.
inline bool multiply_tiles([[maybe_unused]] const float* x, [[maybe_unused]] std::int64_t ldx,
                           [[maybe_unused]] std::int64_t m,
                           [[maybe_unused]] std::span<const quant_job> jobs,
                           [[maybe_unused]] bool exact) {
#if defined(PARLANCE_X86)
  if (!cpu().amx || m <= few_rows() || jobs[0].w->cols() == 0) return false;
  for (const quant_job& job : jobs) {
    const quant_panels panels{job.w->panel(0), job.w->panel_bytes(), job.w->kind()};
    packed_gemm(k_amx::quantised_table(exact),
                {x, ldx, &panels, 0, job.y, job.ldy, job.bias, m, job.w->rows(), job.w->cols(), 0,
                 0, nullptr, false, true, false},
                true);
  }
  return true;
#else
  return false;
#endif
}

inline void check_operands(const char* where, const quant_matrix& w, std::int64_t ldx,
                           std::int64_t ldy, std::int64_t m) {
  if (m < 0 || (m > 1 && (ldx < w.cols() || ldy < w.rows())))
    throw shape_error(std::string(where) + ": " + std::to_string(m) + " tokens with strides " +
                      std::to_string(ldx) + " and " + std::to_string(ldy) + " for a matrix of " +
                      std::to_string(w.rows()) + " x " + std::to_string(w.cols()));
}

}  // namespace detail

// y (m x rows) = x (m x cols) W^T (+ bias) for every job; all matrices have the same columns.
inline void linear(const float* x, std::int64_t ldx, std::int64_t m,
                   std::span<const quant_job> jobs) {
  if (jobs.empty()) return;
  const std::int64_t k = jobs[0].w->cols();
  for (const quant_job& job : jobs) {
    detail::check_operands("linear", *job.w, ldx, job.ldy, m);
    if (job.w->cols() != k)
      throw shape_error("linear: matrices of " + std::to_string(k) + " and " +
                        std::to_string(job.w->cols()) + " columns share their input");
  }
  if (detail::multiply_tiles(x, ldx, m, jobs, false)) return;
  const detail::quant_kernels& kernels = detail::choose_quant_kernels();
  for (std::int64_t token = 0; token < m; token += detail::most_tokens) {
    const detail::tile_plan plan{kernels, std::min(detail::most_tokens, m - token), k / 32};
    detail::quant_input* const inputs = detail::input_scratch().get(plan.inputs());
    detail::quantize_inputs(plan, x + token * ldx, ldx, inputs);
    detail::multiply_inputs(plan, jobs, inputs, token);
  }
}

// y (m x n) = x (m x k) W^T (+ bias).
inline void linear(const float* x, std::int64_t ldx, const quant_matrix& w, const float* bias,
                   float* y, std::int64_t ldy, std::int64_t m) {
  const quant_job job{&w, bias, y, ldy};
  linear(x, ldx, m, std::span<const quant_job>(&job, 1));
}

// The same with float activations and float sums.
inline void linear_exact(const float* x, std::int64_t ldx, const quant_matrix& w, const float* bias,
                         float* y, std::int64_t ldy, std::int64_t m) {
  detail::check_operands("linear_exact", w, ldx, ldy, m);
  const quant_job job{&w, bias, y, ldy};
  if (detail::multiply_tiles(x, ldx, m, std::span<const quant_job>(&job, 1), true)) return;
  const detail::quant_kernels& kernels = detail::choose_quant_kernels();
  const std::int64_t blocks = w.cols() / 32, step = 8;
  parallel_for(w.panels(), 1, [&](std::int64_t i, std::int64_t) {
    const int rows = w.panel_height(i);
    float* const out = y + i * detail::panel_rows;
    for (std::int64_t t = 0; t < m; ++t)
      for (int r = 0; r < rows; ++r) out[t * ldy + r] = bias ? bias[i * detail::panel_rows + r] : 0;
    alignas(64) float values[step * 32 * detail::panel_rows];
    for (std::int64_t b = 0; b < blocks; b += step) {
      const std::int64_t count = std::min(step, blocks - b);
      kernels.unpack[static_cast<int>(w.kind())](w.panel(i), b, count, values);
      kernels.multiply({x + 32 * b, ldx, values, 32 * count, out, ldy, m, rows});
    }
  });
}

// dx (m x k) = dy (m x n) W, in floats; dx is overwritten.
inline void linear_backward_input(const float* dy, std::int64_t lddy, const quant_matrix& w,
                                  float* dx, std::int64_t lddx, std::int64_t m) {
  detail::check_operands("linear_backward_input", w, lddx, lddy, m);
  const detail::quant_kernels& kernels = detail::choose_quant_kernels();
  constexpr std::int64_t rows = detail::panel_rows, step = 16;  // panels at a time
  parallel_for(w.cols() / 32, 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = 0; t < m; ++t)
      std::fill(dx + t * lddx + 32 * begin, dx + t * lddx + 32 * end, 0.0f);
    alignas(64) float columns[32 * rows], turned[2][step * rows * 16];
    for (std::int64_t b = begin; b < end; ++b)
      for (std::int64_t i = 0; i < w.panels(); i += step) {
        const std::int64_t last = std::min(w.panels(), i + step);
        for (std::int64_t p = i; p < last; ++p) {
          kernels.unpack[static_cast<int>(w.kind())](w.panel(p), b, 1, columns);
          for (int c = 0; c < 32; ++c)
            for (int r = 0; r < rows; ++r)
              turned[c / 16][((p - i) * rows + r) * 16 + c % 16] = columns[c * rows + r];
        }
        const std::int64_t count = std::min(w.rows(), last * rows) - i * rows;
        for (int half = 0; half < 2; ++half)
          kernels.multiply(
              {dy + i * rows, lddy, turned[half], count, dx + 32 * b + 16 * half, lddx, m, 16});
      }
  });
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
