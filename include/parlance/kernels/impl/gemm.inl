// SPDX-License-Identifier: Apache-2.0
// The packed f32 (or bf16 pair) matrix product, compiled once per instruction set (PARLANCE_ISA
// names the namespace; no include guard on purpose). Panels as in Goto and van de Geijn, "Anatomy
// of high-performance matrix multiplication" (2008). Each element of C sums over k in ascending
// order inside a k block, whatever tile it falls in, so any split of rows and columns gives the
// same bits.

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA {

inline constexpr int tile_columns = matrix_tile::vectors * vf::lanes;

template <class Number>
PARLANCE_ALWAYS_INLINE vf load_some_words(const Number* p, std::int64_t count) {
  Number padded[vf::lanes * matrix_tile::numbers_per_word] = {};
  for (std::int64_t i = 0; i < count; ++i) padded[i] = p[i];
  return load_words(padded);
}

PARLANCE_ALWAYS_INLINE void store_some(float* p, vf a, std::int64_t count) {
  float all[vf::lanes];
  store(all, a);
  std::memcpy(p, all, static_cast<std::size_t>(count) * sizeof(float));
}

// packed[step * width + i] = word `step` of row i, zero for rows that are not there. A store may
// spill over into later steps, which are written later, but never over the end of the panel.
template <class Number>
void pack_transposed(const Number* rows, std::int64_t stride, int row_count, int width,
                     std::int64_t k, float* packed) {
  constexpr int lanes = vf::lanes, numbers = matrix_tile::numbers_per_word;
  const std::int64_t steps = (k + numbers - 1) / numbers;
  for (int group = 0; group < width; group += lanes) {
    const int live = row_count - group;
    const Number* const first = rows + group * stride;
    for (std::int64_t step = 0; step < steps; step += lanes) {
      const std::int64_t begin = step * numbers, rest = k - begin;
      vf t[lanes];
      if (rest >= lanes * numbers && live >= lanes) {
        PARLANCE_UNROLL
        for (int i = 0; i < lanes; ++i) t[i] = load_words(first + i * stride + begin);
      } else {
        const std::int64_t count = rest < lanes * numbers ? rest : lanes * numbers;
        PARLANCE_UNROLL
        for (int i = 0; i < lanes; ++i)
          t[i] = i >= live                 ? zero()
                 : count < lanes * numbers ? load_some_words(first + i * stride + begin, count)
                                           : load_words(first + i * stride + begin);
      }
      transpose(t);
      float* const out = packed + step * width + group;
      if ((steps - step - lanes + 1) * width - group >= lanes) {
        PARLANCE_UNROLL
        for (int i = 0; i < lanes; ++i) store(out + i * width, t[i]);
      } else {
        const int wide = width - group < lanes ? width - group : lanes;
        PARLANCE_UNROLL
        for (int i = 0; i < lanes; ++i)
          if (step + i < steps) PARLANCE_ISA::store_some(out + i * width, t[i], wide);
      }
    }
  }
}

// The same from a matrix whose rows run along k already: packed[step * width + i] =
// rows[step * stride + i]; `readable` numbers may be read from each row, `live` of them count.
inline void pack_straight(const float* rows, std::int64_t stride, std::int64_t readable, int live,
                          int width, std::int64_t k, float* packed) {
  constexpr int lanes = vf::lanes;
  const bool plain = live == width && readable >= (width + lanes - 1) / lanes * lanes;
  for (std::int64_t step = 0; step < k; ++step, rows += stride, packed += width)
    for (int i = 0; i < width; i += lanes) {
      const int wide = width - i < lanes ? width - i : lanes;
      vf v;
      if (plain) {
        v = load(rows + i);
      } else {
        float some[lanes] = {};
        for (int l = 0; l < wide && i + l < live; ++l) some[l] = rows[i + l];
        v = load(some);
      }
      if ((k - step) * width - i >= lanes)
        store(packed + i, v);
      else
        PARLANCE_ISA::store_some(packed + i, v, wide);
    }
}

// packed[(step / lanes * width + i) * lanes + step % lanes] = word `step` of row i: whole vectors
// are copied. A row that is not there repeats the last one.
template <class Number>
void pack_groups(const Number* rows, std::int64_t stride, std::int64_t live, int width,
                 std::int64_t k, float* packed) {
  constexpr int lanes = vf::lanes, numbers = lanes * matrix_tile::numbers_per_word;
  for (int i = 0; i < width; ++i) {
    const Number* const row = rows + (i < live ? i : live - 1) * stride;
    float* out = packed + i * lanes;
    std::int64_t p = 0;
    for (; p + numbers <= k; p += numbers, out += width * lanes) store(out, load_words(row + p));
    if (p < k) store(out, load_some_words(row + p, k - p));
  }
}

// The same from the transposed matrix, word `step` of row i at rows[step * stride + i]; `readable`
// numbers may be read from there on.
inline void pack_turned_groups(const float* rows, std::int64_t stride, std::int64_t readable,
                               int width, std::int64_t k, float* packed) {
  constexpr int lanes = vf::lanes;
  for (std::int64_t p = 0; p < k; p += lanes, packed += width * lanes)
    for (int i = 0; i < width; i += lanes) {
      vf t[lanes];
      PARLANCE_UNROLL
      for (int s = 0; s < lanes; ++s) {
        const float* const from = rows + (p + s) * stride + i;
        t[s] = p + s >= k              ? zero()
               : readable - i >= lanes ? load(from)
               : readable > i          ? load_some_words(from, readable - i)
                                       : zero();
      }
      transpose(t);
      PARLANCE_UNROLL
      for (int r = 0; r < lanes; ++r)
        if (i + r < width) store(packed + (i + r) * lanes, t[r]);
    }
}

// Rows of A in groups as pack_groups leaves them, columns of B step by step.
template <int Rows>
void tile(std::int64_t steps, const float* a, const float* b, float* c, std::int64_t ldc,
          const float* bias, bool accumulate) {
  constexpr int vectors = matrix_tile::vectors, lanes = vf::lanes;
  vf sum[Rows][vectors];
  PARLANCE_UNROLL
  for (int i = 0; i < Rows; ++i) {
    PARLANCE_UNROLL
    for (int j = 0; j < vectors; ++j) sum[i][j] = zero();
  }
  for (std::int64_t group = 0; group < steps; group += lanes, a += Rows * lanes) {
    const float* const end = a + (steps - group < lanes ? steps - group : lanes);
    for (const float* left = a; left < end; ++left, b += tile_columns) {
      vf right[vectors];
      PARLANCE_UNROLL
      for (int j = 0; j < vectors; ++j) right[j] = load(b + j * lanes);
      PARLANCE_UNROLL
      for (int i = 0; i < Rows; ++i) {
        const vf each = set1(left[i * lanes]);
        PARLANCE_UNROLL
        for (int j = 0; j < vectors; ++j) sum[i][j] = PARLANCE_ISA::mac(each, right[j], sum[i][j]);
      }
    }
  }
  PARLANCE_UNROLL
  for (int i = 0; i < Rows; ++i) {
    PARLANCE_UNROLL
    for (int j = 0; j < vectors; ++j) {
      float* const out = c + i * ldc + j * lanes;
      vf value = sum[i][j];
      if (accumulate) value = value + load(out);
      if (bias) value = value + load(bias + j * lanes);
      store(out, value);
    }
  }
}

// Rows of the accumulator tile that serves a panel of `rows` rows: only even ones are compiled.
inline int tile_rows(std::int64_t rows) {
  return rows >= matrix_tile::rows ? matrix_tile::rows : static_cast<int>((rows + 1) / 2 * 2);
}

template <int Rows = matrix_tile::rows>
void any_tile(int rows, std::int64_t steps, const float* a, const float* b, float* c,
              std::int64_t ldc, const float* bias, bool accumulate) {
  if constexpr (Rows > 0) {
    if (rows == Rows) return tile<Rows>(steps, a, b, c, ldc, bias, accumulate);
    any_tile<Rows - 2>(rows, steps, a, b, c, ldc, bias, accumulate);
  }
}

// A tile that does not fit into C as a whole.
inline void border_tile(std::int64_t rows, std::int64_t columns, std::int64_t steps, const float* a,
                        const float* b, float* c, std::int64_t ldc, const float* bias,
                        bool accumulate) {
  alignas(64) float whole[matrix_tile::rows * tile_columns];
  any_tile(tile_rows(rows), steps, a, b, whole, tile_columns, nullptr, false);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      float value = whole[i * tile_columns + j];
      if (accumulate) value += c[i * ldc + j];
      if (bias) value += bias[j];
      c[i * ldc + j] = value;
    }
}

// Where the panel starting at row i0 lies in the packed left operand.
inline float* panel_of(const detail::gemm_args& g, std::int64_t i0, std::int64_t k0,
                       std::int64_t steps) {
  const std::int64_t full = g.m / matrix_tile::rows * matrix_tile::rows;
  const std::int64_t padded = full + tile_rows(g.m - full);
  const std::int64_t whole_steps = (steps + vf::lanes - 1) / vf::lanes * vf::lanes;
  return g.packed_a + k0 / matrix_tile::numbers_per_word * padded + i0 * whole_steps;
}

inline std::int64_t steps_of(std::int64_t k) {
  return (k + matrix_tile::numbers_per_word - 1) / matrix_tile::numbers_per_word;
}

inline void gemm_pack_a(const detail::gemm_args& g, std::int64_t first, std::int64_t last) {
  for (std::int64_t panel = first; panel < last; ++panel) {
    const std::int64_t i0 = panel * matrix_tile::rows;
    const int live = static_cast<int>(std::min<std::int64_t>(g.m - i0, matrix_tile::rows));
    for (std::int64_t k0 = 0; k0 < g.k; k0 += g.k_block) {
      const std::int64_t k = std::min(g.k_block, g.k - k0);
      float* const packed = panel_of(g, i0, k0, steps_of(k));
      if (g.trans_a)
        pack_turned_groups(g.a + k0 * g.lda + i0, g.lda, g.m - i0, tile_rows(live), k, packed);
      else
        pack_groups(g.a + i0 * g.lda + k0, g.lda, live, tile_rows(live), k, packed);
    }
  }
}

template <class Weight>
void pack_b(const detail::gemm_args& g, std::int64_t j, std::int64_t k0, std::int64_t k,
            float* packed) {
  const Weight* const b = static_cast<const Weight*>(g.b) + g.k_first * (g.trans_b ? 1 : g.ldb);
  const int live = static_cast<int>(std::min<std::int64_t>(g.n - j, tile_columns));
  if constexpr (std::is_same_v<Weight, float>)
    if (!g.trans_b)
      return pack_straight(b + k0 * g.ldb + j, g.ldb, g.n - j, live, tile_columns, k, packed);
  pack_transposed(b + j * g.ldb + k0, g.ldb, live, tile_columns, k, packed);
}

// Asks for part `part` of `parts` of what pack_b will read for column j and block k0: its rows are
// too short for hardware prefetchers, and the tiles leave the memory idle meanwhile. Inlined, since
// GCC 12 takes a function that only prefetches for one without effect and drops the call.
template <class Weight, int Locality = 3>
PARLANCE_ALWAYS_INLINE void fetch_b(const detail::gemm_args& g, std::int64_t j, std::int64_t k0,
                                    std::int64_t part, std::int64_t parts) {
  const std::int64_t k = std::min(g.k_block, g.k - k0);
  const std::int64_t columns = std::min<std::int64_t>(g.n - j, tile_columns);
  const std::int64_t rows = g.trans_b ? columns : k, length = g.trans_b ? k : columns;
  const std::int64_t at = g.k_first + k0;
  const Weight* const b =
      static_cast<const Weight*>(g.b) + (g.trans_b ? j * g.ldb + at : at * g.ldb + j);
  constexpr std::int64_t line = 64 / sizeof(Weight);
  for (std::int64_t row = rows * part / parts; row < rows * (part + 1) / parts; ++row)
    for (std::int64_t i = 0; i < length; i += line)
      __builtin_prefetch(b + row * g.ldb + i, 0, Locality);
}

template <class Weight>
void gemm_block(const detail::gemm_args& g, std::int64_t j0, std::int64_t j1, std::int64_t first,
                std::int64_t last, float* packed_b) {
  for (std::int64_t j = j0, next_j = j0; j < j1; j = next_j) {
    next_j = j + tile_columns;
    const bool whole_columns = g.n - j >= tile_columns;
    for (std::int64_t k0 = 0; k0 < g.k; k0 += g.k_block) {
      const std::int64_t k = std::min(g.k_block, g.k - k0), steps = steps_of(k);
      const bool accumulate = g.accumulate || k0 > 0, more_k = k0 + g.k_block < g.k;
      const float* const bias = k0 > 0 || !g.bias ? nullptr : g.bias + j;
      pack_b<Weight>(g, j, k0, k, packed_b);
      for (std::int64_t panel = first; panel < last; ++panel) {
        if (more_k || next_j < j1)
          fetch_b<Weight>(g, more_k ? j : next_j, more_k ? k0 + g.k_block : 0, panel - first,
                          last - first);
        const std::int64_t i = panel * matrix_tile::rows, rows = g.m - i;
        const float* const a = panel_of(g, i, k0, steps);
        float* const c = g.c + i * g.ldc + j;
        if (whole_columns && (rows >= matrix_tile::rows || rows == tile_rows(rows)))
          any_tile(tile_rows(rows), steps, a, packed_b, c, g.ldc, bias, accumulate);
        else
          border_tile(std::min<std::int64_t>(rows, matrix_tile::rows),
                      std::min<std::int64_t>(g.n - j, tile_columns), steps, a, packed_b, c, g.ldc,
                      bias, accumulate);
      }
    }
  }
}

template <class Weight>
detail::gemm_kernels gemm_table() {
  return {
      matrix_tile::rows, tile_columns,      1024, 2048, 512, 1, 1, matrix_tile::numbers_per_word,
      gemm_pack_a,       gemm_block<Weight>};
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA
