// SPDX-License-Identifier: Apache-2.0
// y = x W^T for one or a few rows x, W row-major as stored: compiled once per instruction set
// (PARLANCE_ISA names the namespace; no include guard on purpose). Every weight is read from memory
// once; one vector accumulator for each pair of a row of W and a row of x, so the result for a row
// of x has the same bits whatever other rows it is batched with.

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA {

// Rows of W taken at once with `batch` rows of x: as the registers allow (32 with 16 lanes, else
// 16).
constexpr int rows_at_once(int batch) {
  return batch >= 8 ? 3 : batch >= 4 && vf::lanes < 16 ? 2 : 4;
}

inline void gemv_pack_x(const float* x, std::int64_t ldx, std::int64_t m, std::int64_t k,
                        float* packed, std::int64_t stride) {
  constexpr int numbers = vf::lanes * matrix_tile::numbers_per_word;
  for (std::int64_t i = 0; i < m; ++i, x += ldx, packed += stride) {
    float* out = packed;
    for (std::int64_t p = 0; p < k; p += numbers, out += vf::lanes)
      store(out, k - p >= numbers ? load_words(x + p) : load_some_words(x + p, k - p));
  }
}

// Many rows of x overflow the first-level cache: blocks of them take turns.
constexpr bool takes_blocks(int batch) { return batch >= 8; }

// Numbers [begin, end) of the rows; between the blocks of a row its sums wait in `carry`.
template <int Batch, class Weight>
void gemv_tile(const detail::gemv_args& g, std::int64_t first, int count, std::int64_t batch,
               std::int64_t begin, std::int64_t end, vf* carry) {
  constexpr int numbers = vf::lanes * matrix_tile::numbers_per_word, rows = rows_at_once(Batch);
  if constexpr (!takes_blocks(Batch)) begin = 0, end = g.k;
  const float* x = g.x + batch * g.ldx + begin / numbers * vf::lanes;
  const Weight* w[rows];
  vf sum[rows][Batch];
  PARLANCE_UNROLL
  for (int r = 0; r < rows; ++r) {
    // A row that is not there repeats the last one.
    w[r] = static_cast<const Weight*>(g.w) + (first + (r < count ? r : count - 1)) * g.ldw;
    PARLANCE_UNROLL
    for (int i = 0; i < Batch; ++i)
      sum[r][i] = takes_blocks(Batch) && begin > 0 ? carry[r * Batch + i] : zero();
  }
  constexpr std::int64_t near = 512;
  const std::int64_t whole = end / numbers * numbers, ahead = 2 * rows * g.ldw;
  for (std::int64_t p = begin; p < whole; p += numbers, x += vf::lanes) {
    // Past the end lies the beginning of the same block in the next rows.
    const std::int64_t soon = p + near < end ? near : near - (end - begin) + ahead / 2;
    vf weight[rows];
    PARLANCE_UNROLL
    for (int r = 0; r < rows; ++r) {
      weight[r] = load_words(w[r] + p);
      // Hardware prefetchers stop at the row's end, since the next row belongs to another stream.
      // Into the second level: fetching to the first occupies too few buffers for too long.
      // A request may be dropped when many are under way, so ask again nearer by.
      if constexpr (Batch >= 8 && sizeof(Weight) == 4) __builtin_prefetch(w[r] + p + soon);
      __builtin_prefetch(w[r] + p + ahead, 0, 2);
      if constexpr (Batch < 8) __builtin_prefetch(w[r] + p + ahead / 2, 0, 2);
    }
    PARLANCE_UNROLL
    for (int i = 0; i < Batch; ++i) {
      const vf activation = load_once(x + i * g.ldx);
      PARLANCE_UNROLL
      for (int r = 0; r < rows; ++r)
        sum[r][i] = PARLANCE_ISA::mac(weight[r], activation, sum[r][i]);
    }
  }
  if (whole < end) {
    PARLANCE_UNROLL
    for (int r = 0; r < rows; ++r) {
      const vf weight = load_some_words(w[r] + whole, end - whole);
      PARLANCE_UNROLL
      for (int i = 0; i < Batch; ++i)
        sum[r][i] = PARLANCE_ISA::mac(weight, load(x + i * g.ldx), sum[r][i]);
    }
  }
  if (takes_blocks(Batch) && end < g.k) {
    PARLANCE_UNROLL
    for (int r = 0; r < rows * Batch; ++r) carry[r] = sum[r / Batch][r % Batch];
    return;
  }
  float total[rows][Batch];
  PARLANCE_UNROLL
  for (int r = 0; r < rows; ++r) {
    PARLANCE_UNROLL
    for (int i = 0; i < Batch; ++i) total[r][i] = reduce_add(sum[r][i]);
  }
  for (int i = 0; i < Batch; ++i)
    for (int r = 0; r < count; ++r) {
      float* const out = g.y + (batch + i) * g.ldy + first + r;
      const float value = total[r][i] + (g.bias ? g.bias[first + r] : 0.0f);
      *out = g.accumulate ? *out + value : value;
    }
}

inline constexpr int gemv_together = 12;  // rows that pass a block of x in the first-level cache

template <int Batch, class Weight>
std::int64_t gemv_batches(const detail::gemv_args& g, std::int64_t first, std::int64_t last,
                          std::int64_t batch) {
  constexpr int rows = rows_at_once(Batch), tiles = (gemv_together + rows - 1) / rows;
  const std::int64_t block =
      takes_blocks(Batch) ? 6144 / Batch * matrix_tile::numbers_per_word : g.k;
  vf carry[takes_blocks(Batch) ? tiles * rows * Batch : 1];
  for (; g.m - batch >= Batch; batch += Batch)
    for (std::int64_t begin = 0; begin < g.k; begin += block)
      for (std::int64_t row = first; row < last; row += rows)
        PARLANCE_ISA::gemv_tile<Batch, Weight>(
            g, row, static_cast<int>(std::min<std::int64_t>(last - row, rows)), batch, begin,
            std::min(g.k, begin + block), &carry[takes_blocks(Batch) ? (row - first) * Batch : 0]);
  return batch;
}

template <class Weight>
void gemv_rows(const detail::gemv_args& g, std::int64_t first, std::int64_t last) {
  for (std::int64_t row = first; row < last; row += gemv_together) {
    const std::int64_t end = std::min<std::int64_t>(last, row + gemv_together);
    std::int64_t batch = 0;
    if constexpr (matrix_tile::batch >= 8) batch = gemv_batches<8, Weight>(g, row, end, batch);
    batch = gemv_batches<4, Weight>(g, row, end, batch);
    batch = gemv_batches<2, Weight>(g, row, end, batch);
    gemv_batches<1, Weight>(g, row, end, batch);
  }
}

template <class Weight>
detail::gemv_kernels gemv_table() {
  return {vf::lanes * matrix_tile::numbers_per_word, matrix_tile::numbers_per_word, gemv_pack_x,
          gemv_rows<Weight>};
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA
