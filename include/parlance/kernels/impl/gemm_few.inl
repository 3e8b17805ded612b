// SPDX-License-Identifier: Apache-2.0
// Few rows times W^T as C^T = W A^T, compiled once per instruction set (PARLANCE_ISA names the
// namespace; no include guard on purpose). As the left operand W is only copied, not turned, and
// meets all rows while it lies in the first-level cache. Sums are those of gemm.inl's tiles in the
// same order, so a row has the same bits on either path.

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA {

// Rows of W taken at once, and rows of A in a vector.
inline constexpr int few_side = vf::lanes;

// sum[r] = row r of W times the rows of A in the lanes. Meanwhile asks for the rows of W at `next`,
// unless it is null.
template <class Weight>
PARLANCE_ALWAYS_INLINE void few_tile(std::int64_t steps, const float* w, const float* a, vf* sum,
                                     const Weight* next, std::int64_t ldw) {
  PARLANCE_UNROLL
  for (int r = 0; r < few_side; ++r) sum[r] = zero();
  for (std::int64_t p = 0, at = 0; p < steps; p += few_side, w += few_side * few_side) {
    if (next)
      for (int r = 0; r < few_side; ++r) {
        __builtin_prefetch(next + at);
        if ((at += few_side) >= steps) at = 0, next += ldw;
      }
    const std::int64_t rest = steps - p < few_side ? steps - p : few_side;
    for (std::int64_t s = 0; s < rest; ++s, a += few_side) {
      const vf right = load(a);
      PARLANCE_UNROLL
      for (int r = 0; r < few_side; ++r)
        sum[r] = PARLANCE_ISA::mac(set1(w[r * few_side + s]), right, sum[r]);
    }
  }
}

// The sums of columns [j, j + few_side) of the rows from i on, turned back.
PARLANCE_ALWAYS_INLINE void finish_few(const detail::gemm_args& g, std::int64_t i, std::int64_t j,
                                       vf* sum, const float* bias, bool accumulate) {
  transpose(sum);
  const std::int64_t rows = std::min<std::int64_t>(g.m - i, few_side), columns = g.n - j;
  float* c = g.c + i * g.ldc + j;
  if (columns >= few_side) {
    for (std::int64_t r = 0; r < rows; ++r, c += g.ldc) {
      vf value = sum[r];
      if (accumulate) value = value + load(c);
      if (bias) value = value + load(bias);
      store(c, value);
    }
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r, c += g.ldc) {
    float all[few_side];
    store(all, sum[r]);
    for (std::int64_t l = 0; l < columns; ++l) {
      float value = all[l];
      if (accumulate) value += c[l];
      if (bias) value += bias[l];
      c[l] = value;
    }
  }
}

inline void few_pack_a(const detail::gemm_args& g, std::int64_t first, std::int64_t last) {
  const std::int64_t words = (g.k + 31) / 32 * 32 * few_side;
  for (std::int64_t block = first; block < last; ++block)
    pack_transposed(g.a + block * few_side * g.lda, g.lda,
                    static_cast<int>(std::min<std::int64_t>(g.m - block * few_side, few_side)),
                    few_side, g.k, g.packed_a + block * words);
}

template <class Weight>
void few_columns(const detail::gemm_args& g, std::int64_t j0, std::int64_t j1, float* packed_w) {
  const std::int64_t words = (g.k + 31) / 32 * 32 * few_side;
  const Weight* const w = static_cast<const Weight*>(g.b);
  for (std::int64_t j = j0; j < j1; j += few_side)
    for (std::int64_t k0 = 0; k0 < g.k; k0 += g.k_block) {
      const std::int64_t steps = std::min(g.k_block, g.k - k0);
      const bool more_k = k0 + 2 * g.k_block <= g.k, more_j = j + 2 * few_side <= j1;
      const Weight* const here = w + j * g.ldb + k0;
      const Weight* const next = more_k   ? here + g.k_block
                                 : more_j ? w + (j + few_side) * g.ldb
                                          : nullptr;
      const float* const bias = k0 > 0 || !g.bias ? nullptr : g.bias + j;
      pack_groups(here, g.ldb, g.n - j, few_side, steps, packed_w);
      for (std::int64_t i = 0; i < g.m; i += few_side) {
        vf sum[few_side];
        few_tile(steps, packed_w, g.packed_a + i / few_side * words + k0 * few_side, sum,
                 i == 0 ? next : nullptr, g.ldb);
        PARLANCE_ISA::finish_few(g, i, j, sum, bias, g.accumulate || k0 > 0);
      }
    }
}

template <class Weight>
detail::few_rows_kernels few_table() {
  detail::few_rows_kernels table;
  table.most_rows = 128;
  table.block = few_side;
  table.most_k_block = gemm_table<Weight>().most_k_block;
  table.words_a = table.words_b = 32 * few_side;
  table.pack_a = few_pack_a;
  table.columns = few_columns<Weight>;
  return table;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA
