// SPDX-License-Identifier: Apache-2.0
// The matrix products of attention, compiled once per instruction set (PARLANCE_ISA names the
// namespace; no include guard on purpose). C[m][n] (+)= A * B where B has vectors of columns at
// b + step * p (rows of values, or key pages of 16 columns that lie `page` apart) and A is read
// element by element at a[m * RowStride + p * InnerStride], both strides constant.

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA {

struct tile_shape {
  // Rows x vectors that fill the registers of the instruction set: 32 of them, else 16.
  static constexpr int rows = vf::lanes == 16 ? 12 : 6;
  static constexpr int few_vectors = vf::lanes == 16 ? 4 : 2;
  static constexpr int page_vectors = vf::lanes == 16 ? 1 : 2;
};

template <class E>
struct tile_b {
  const E* data;
  std::int64_t step, page;

  PARLANCE_ALWAYS_INLINE tile_b at(std::int64_t vector) const {
    const std::int64_t column = vector * vf::lanes;
    return {data + column / 16 * page + column % 16, step, page};
  }
};

template <int Rows, int Vectors, int RowStride, int InnerStride, bool Fetch, class E>
void tile(std::int64_t inner, const float* a, const tile_b<E> b, float* c, std::int64_t ldc,
          bool accumulate) {
  vf sum[Rows][Vectors];
  PARLANCE_UNROLL
  for (int m = 0; m < Rows; ++m) PARLANCE_UNROLL
  for (int j = 0; j < Vectors; ++j)
    sum[m][j] = accumulate ? load(c + m * ldc + j * vf::lanes) : zero();
  const E* row = b.data;
  const std::int64_t step = b.step, page = b.page;
  for (std::int64_t p = 0; p < inner; ++p, row += step, a += InnerStride) {
    vf x[Vectors];
    if constexpr (Fetch) {
      PARLANCE_UNROLL
      for (int j = 0; j < Vectors; ++j)
        if (j * vf::lanes * sizeof(E) % 64 == 0) detail::fetch_ahead(row + j * vf::lanes);
    }
    PARLANCE_UNROLL
    for (int j = 0; j < Vectors; ++j)
      x[j] = load(row + j * vf::lanes / 16 * page + j * vf::lanes % 16);
    PARLANCE_UNROLL
    for (int m = 0; m < Rows; ++m) {
      const vf y = set1(a[m * RowStride]);
      PARLANCE_UNROLL
      for (int j = 0; j < Vectors; ++j) sum[m][j] = fma(y, x[j], sum[m][j]);
    }
  }
  PARLANCE_UNROLL
  for (int m = 0; m < Rows; ++m) PARLANCE_UNROLL
  for (int j = 0; j < Vectors; ++j) store(c + m * ldc + j * vf::lanes, sum[m][j]);
}

// Rows are rounded up to a third of the tile (the caller has room); a_row is the distance of rows
// in A, which may be packed in groups of tile_shape::rows.
template <int RowStride, int InnerStride>
void product(std::int64_t rows, std::int64_t vectors, std::int64_t inner, const float* a,
             std::int64_t a_row, const tile_b<float> b, float* c, std::int64_t ldc,
             bool accumulate) {
  constexpr int full = tile_shape::rows, third = full / 3;
  for (std::int64_t j = 0; j < vectors; j += 2) {
    const tile_b<float> columns = b.at(j);
    const bool pair = j + 1 < vectors;
    for (std::int64_t r = 0; r < rows; r += full) {
      const float* from = a + r * a_row;
      float* to = c + r * ldc + j * vf::lanes;
      const auto run = [&](auto* two, auto* one) {
        (pair ? two : one)(inner, from, columns, to, ldc, accumulate);
      };
      if (rows - r > 2 * third)
        run(&tile<full, 2, RowStride, InnerStride, false, float>,
            &tile<full, 1, RowStride, InnerStride, false, float>);
      else if (rows - r > third)
        run(&tile<2 * third, 2, RowStride, InnerStride, false, float>,
            &tile<2 * third, 1, RowStride, InnerStride, false, float>);
      else
        run(&tile<third, 2, RowStride, InnerStride, false, float>,
            &tile<third, 1, RowStride, InnerStride, false, float>);
    }
  }
}

// One dimension of a page for few_rows_page.
template <int Rows, int Vectors, class E>
PARLANCE_ALWAYS_INLINE void few_rows_step(vf (&sum)[Rows][Vectors], const float* a, const E* page) {
  PARLANCE_UNROLL
  for (int j = 0; j < Vectors; ++j) {
    const vf x = load(page + j * vf::lanes);
    PARLANCE_UNROLL
    for (int m = 0; m < Rows; ++m) sum[m][j] = fma(set1(a[m]), x, sum[m][j]);
  }
}

// Scores of a few rows, [d][4] in A, with one page or part of it: the memory of the page is read
// from front to back, and the dimensions go to several sums in turn to hide the latency.
template <int Rows, class E>
void few_rows_page(std::int64_t d, const float* a, const E* page, float* c, std::int64_t ldc) {
  constexpr int vectors = tile_shape::page_vectors, phases = vf::lanes == 16 ? 4 : 1;
  vf sum[phases][Rows][vectors];
  PARLANCE_UNROLL
  for (int i = 0; i < phases * Rows * vectors; ++i)
    sum[i / vectors / Rows][i / vectors % Rows][i % vectors] = zero();
  std::int64_t p = 0;
  for (; p + phases <= d; p += phases, a += 4 * phases, page += 16 * phases) {
    PARLANCE_UNROLL
    for (int line = 0; line < phases * 16; line += 64 / int{sizeof(E)})
      detail::fetch_ahead(page + line);
    PARLANCE_UNROLL
    for (int phase = 0; phase < phases; ++phase)
      few_rows_step(sum[phase], a + phase * 4, page + phase * 16);
  }
  for (; p < d; ++p, a += 4, page += 16) few_rows_step(sum[0], a, page);
  PARLANCE_UNROLL
  for (int i = 0; i < Rows * vectors; ++i) {
    const int m = i / vectors, j = i % vectors;
    PARLANCE_UNROLL
    for (int phase = 1; phase < phases; ++phase) sum[0][m][j] = sum[0][m][j] + sum[phase][m][j];
    store(c + m * ldc + j * vf::lanes, sum[0][m][j]);
  }
}

template <int Rows, class E>
void few_rows_pages(std::int64_t columns, std::int64_t d, const float* a, const E* pages, float* c,
                    std::int64_t ldc) {
  constexpr int width = tile_shape::page_vectors * vf::lanes;
  for (std::int64_t at = 0; at < columns; at += width)
    few_rows_page<Rows>(d, a, pages + at / 16 * 16 * d + at % 16, c + at, ldc);
}

template <class E>
void few_rows_scores(std::int64_t rows, std::int64_t columns, std::int64_t d, const float* a,
                     const E* pages, float* c, std::int64_t ldc) {
  for (; rows > 3; rows -= 4, a += 4 * d, c += 4 * ldc)
    few_rows_pages<4>(columns, d, a, pages, c, ldc);
  if (rows == 3) few_rows_pages<3>(columns, d, a, pages, c, ldc);
  if (rows == 2) few_rows_pages<2>(columns, d, a, pages, c, ldc);
  if (rows == 1) few_rows_pages<1>(columns, d, a, pages, c, ldc);
}

// C += A * B. Positions go in short runs, so that wide rows of B are read almost front to back.
template <int Rows, int RowStride, class E>
void few_rows_sums(std::int64_t vectors, std::int64_t inner, const float* a, const tile_b<E> b,
                   float* c, std::int64_t ldc) {
  constexpr int many = tile_shape::few_vectors;
  const std::int64_t length = vectors > many ? 32 : inner;
  for (std::int64_t p = 0; p < inner; p += length) {
    const std::int64_t n = std::min(length, inner - p);
    const tile_b<E> run{b.data + p * b.step, b.step, b.page};
    std::int64_t j = 0;
    for (; j + many <= vectors; j += many)
      tile<Rows, many, RowStride, 1, true>(n, a + p, run.at(j), c + j * vf::lanes, ldc, true);
    for (; j < vectors; ++j)
      tile<Rows, 1, RowStride, 1, true>(n, a + p, run.at(j), c + j * vf::lanes, ldc, true);
  }
}

// Any number of rows, meant for few: B is converted as it is read, once per four rows.
template <int RowStride, class E>
void few_rows_values(std::int64_t rows, std::int64_t vectors, std::int64_t inner, const float* a,
                     const tile_b<E> b, float* c, std::int64_t ldc) {
  for (; rows > 3; rows -= 4, a += 4 * RowStride, c += 4 * ldc)
    few_rows_sums<4, RowStride>(vectors, inner, a, b, c, ldc);
  if (rows == 3) few_rows_sums<3, RowStride>(vectors, inner, a, b, c, ldc);
  if (rows == 2) few_rows_sums<2, RowStride>(vectors, inner, a, b, c, ldc);
  if (rows == 1) few_rows_sums<1, RowStride>(vectors, inner, a, b, c, ldc);
}

// Query rows times `factor` in packed groups [group][head_dim][Width]; rows missing at the end of
// the last group become zero.
template <int Width>
void pack_rows(const detail::head_rows from, std::int64_t first, std::int64_t rows, float factor,
               float* to) {
  const std::int64_t d = from.head_dim;
  for (std::int64_t r = 0; r < rows; r += Width, to += d * Width)
    for (int m = 0; m < Width; ++m) {
      if (r + m < rows) {
        const float* row = from.at(first + r + m);
        for (std::int64_t c = 0; c < d; ++c) to[c * Width + m] = row[c] * factor;
      } else {
        for (std::int64_t c = 0; c < d; ++c) to[c * Width + m] = 0;
      }
    }
}

// Keys or values of dense rows as pages of 16 positions, the last page filled up with zeros.
inline void pack_pages(const float* rows, std::int64_t ld, std::int64_t n, std::int64_t d,
                       float* pages) {
  for (std::int64_t at = 0; at < n; at += 16, pages += d * 16)
    for (std::int64_t i = 0; i < 16; ++i) {
      if (at + i < n) {
        const float* row = rows + (at + i) * ld;
        for (std::int64_t c = 0; c < d; ++c) pages[c * 16 + i] = row[c];
      } else {
        for (std::int64_t c = 0; c < d; ++c) pages[c * 16 + i] = 0;
      }
    }
}

// n rows of d elements as floats with `padded` columns, the added ones zero.
template <class E>
void unpack_rows(const E* rows, std::int64_t ld, std::int64_t n, std::int64_t d, float* to,
                 std::int64_t padded) {
  for (std::int64_t i = 0; i < n; ++i, rows += ld, to += padded) {
    std::int64_t c = 0;
    for (; c + vf::lanes <= d; c += vf::lanes) store(to + c, load(rows + c));
    for (; c < d; ++c) to[c] = float(rows[c]);
    for (; c < padded; ++c) to[c] = 0;
  }
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA
